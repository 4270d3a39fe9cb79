"""Provider: an upstream as the data plane needs it, everything decided."""

from __future__ import annotations

from typing import Any

import msgspec

from encke.config.prices import PriceSetting
from encke.config.secret import Secret
from encke.config.settings import Auth, StreamUsage, Timeouts


class Credential(msgspec.Struct, frozen=True):
    """A key to present, its share of the attempts, and its name where the settings give it one."""

    api_key: Secret
    name: str = ""
    weight: int = 1


class ModelRow(msgspec.Struct, frozen=True):
    """What is said of the models whose names (in lower case) one of the globs fits: capabilities by name
    (`encke.core.traits`), and extensions in place of the provider's. `within`: one of these fits too, if there are
    any."""

    names: tuple[str, ...]
    said: dict[str, Any] = {}
    extensions: tuple[str, ...] | None = None
    within: tuple[str, ...] = ()


class Provider(msgspec.Struct, frozen=True, kw_only=True):
    """Where and who. `host` has no brackets; `prefix` is what stands before `/chat/completions`, such as `/v1`.

    With `unix_socket` (a path) connections go there, and host and port serve the Host header only. `allow_private` is
    for `encke.config.addresses.allowed`, to be asked at every connect. `headers` go out with every request, and
    `fixed_headers`, which are no secrets, where `headers` has none of that name. `paths` are its operations, best ones
    first. `model_rows` say what its models can do, later ones over earlier ones. `query`, `model_path` and
    `route_paths` are the preset's, `query` filled in. `price_list` is empty for none.
    """

    name: str
    title: str
    dialect: str
    scheme: str
    host: str
    port: int
    prefix: str
    unix_socket: str | None = None
    auth: Auth = "bearer"
    credentials: tuple[Credential, ...] = ()
    allow_private: bool = False
    ca_file: str | None = None
    stream_usage: StreamUsage = "option"
    limit_field: str = "max_tokens"  # its name for the bound on an answer's length
    paths: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    headers: tuple[tuple[str, Secret], ...] = ()
    fixed_headers: tuple[tuple[str, str], ...] = ()
    max_connections: int = 1000
    timeouts: Timeouts = Timeouts()
    query: str = ""
    model_path: str = ""
    route_paths: dict[str, str] = {}
    price_list: str = ""
    price: PriceSetting | None = None
    prices: dict[str, PriceSetting] = {}
    model_rows: tuple[ModelRow, ...] = ()
    extensions: tuple[str, ...] = ()

    @property
    def authority(self) -> str:
        """What stands in the Host header: brackets round IPv6, the port unless it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        return host if self.port == usual else f"{host}:{self.port}"

    @property
    def base_url(self) -> str:
        """The address in one piece, for people."""
        return f"{self.scheme}://{self.authority}{self.prefix}"
