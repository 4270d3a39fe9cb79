"""The settings once read: frozen structs. The defaults stand here and nowhere else.

What each setting means, and what values it takes, stands in `encke.config.schema`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import msgspec

from encke.config.endpoints import split_listen
from encke.config.prices import PriceSetting
from encke.config.secret import Secret
from encke.core.traits import Unsupported

# The model that ships with the gateway: a name no alias and no configured provider may take.
LOCAL = "local"

# What `price_list` says to look into none.
NO_LIST = "none"

# How a key is presented to a provider: `Authorization: Bearer KEY`, or a header of this name.
Auth = Literal["bearer", "api-key", "x-api-key", "x-goog-api-key"]
AUTHS: tuple[Auth, ...] = ("bearer", "api-key", "x-api-key", "x-goog-api-key")

StreamUsage = Literal["option", "always", "unasked", "never"]
STREAM_USAGE: tuple[str, ...] = ("option", "always", "unasked", "never")

MiB = 1024 * 1024


def available_cpus() -> int:
    """How many CPUs this process may use, 256 at most."""
    if hasattr(os, "sched_getaffinity"):
        return min(len(os.sched_getaffinity(0)), 256)
    return min(os.cpu_count() or 1, 256)


class Server(msgspec.Struct, frozen=True):
    """The side that faces callers. Sizes in bytes, times in seconds, `body_floor` in bytes per second."""

    listen: str = "127.0.0.1:8080"
    admin_listen: str = "127.0.0.1:8081"
    workers: int = msgspec.field(default_factory=available_cpus)
    cors_origins: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    max_body: int = 32 * MiB
    grace: float = 30.0
    header_timeout: float = 10.0
    body_floor: int = 1024
    write_stall: float = 120.0
    keepalive: float = 75.0

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to bind; port 0 lets the system choose."""
        return split_listen(self.listen)

    @property
    def admin_address(self) -> tuple[str, int] | None:
        """The same for operators; None if it is off."""
        return None if self.admin_listen == "off" else split_listen(self.admin_listen)


class Store(msgspec.Struct, frozen=True):
    """Where the ledger lives. `journal_segment` and `journal_limit` in bytes, `journal_age` in seconds."""

    url: str = "sqlite:encke.db"
    journal_segment: int = 16 * MiB
    journal_limit: int = 4096 * MiB
    journal_age: float = 21600.0
    durability: Literal["process", "strict"] = "process"
    retention: str = "forever"


class Idempotency(msgspec.Struct, frozen=True):
    """Answers that are given again. `keep` in seconds, 0 for none; sizes in bytes."""

    keep: int = 86400
    max_answer: int = 8 * MiB
    max_total: int = 1024 * MiB


class Routing(msgspec.Struct, frozen=True):
    """What happens after a failed attempt, and what to a call that cannot be asked in full."""

    retries: int = 2
    breaker: Literal["on", "off"] = "on"
    retry_uncertain: bool = False
    backoff: float = 0.25
    on_unsupported: Unsupported = "warn"


class Stream(msgspec.Struct, frozen=True):
    """Keeping a quiet stream open. Seconds."""

    early_keepalive: float = 30.0
    keepalive: float = 10.0


class Timeouts(msgspec.Struct, frozen=True):
    """How long an upstream may take. Seconds."""

    connect: float = 5.0
    first_byte: float = 300.0
    idle: float = 120.0
    total: float = 600.0


class Log(msgspec.Struct, frozen=True):
    """`access`: where access lines go: `stdout`, `stderr`, `off`, or an absolute path; the rest is the process log."""

    access: str = "stdout"
    format: Literal["json", "text"] = "json"
    level: Literal["info", "warning", "error"] = "info"


class Local(msgspec.Struct, frozen=True):
    """The embedded model. `model` is an absolute path or empty, `context` in tokens, `threads` 0 for automatic."""

    enabled: bool = True
    model: str = ""
    context: int = 4096
    slots: int = 2
    queue: int = 8
    threads: int = 0


class CredentialSettings(msgspec.Struct, frozen=True):
    """One of several keys for a provider: its name, which logs and the ledger show, and its share of the attempts."""

    name: str
    api_key: Secret
    weight: int = 1


class ProviderSettings(msgspec.Struct, frozen=True):
    """What the file says of one provider; None where it says nothing. `timeouts` are its own over the general ones.

    `headers` are secrets because gateways behind a header key are common; the names are as written. `credentials` stand
    in place of `api_key`. `values` fill the places that a known provider's address has, such as `{account}`. `preset`
    is the known provider that this is another of. `prices` are by model id, `price` is of all others; `price_list` is
    whose list in the shipped file to look into, "none" for none.
    """

    preset: str | None = None
    dialect: str | None = None
    base_url: str | None = None
    auth: Auth | None = None
    ops: tuple[str, ...] = ()
    api_key: Secret | None = None
    credentials: tuple[CredentialSettings, ...] | None = None
    values: dict[str, str] = {}
    allow_private: bool | None = None
    ca_file: str | None = None
    stream_usage: StreamUsage | None = None
    models: tuple[str, ...] = ()
    headers: dict[str, Secret] = {}
    max_connections: int = 1000
    timeouts: Timeouts = Timeouts()
    price: PriceSetting | None = None
    prices: dict[str, PriceSetting] = {}
    price_list: str | None = None
    capabilities: dict[str, Any] = {}


class TargetSettings(msgspec.Struct, frozen=True):
    """One place a model's calls may go: a provider's name, the model's id there, its share of the calls, its price."""

    provider: str
    model: str
    weight: int = 1
    price: PriceSetting | None = None


class ModelSettings(msgspec.Struct, frozen=True):
    """A name callers may ask for: its targets, the names to fall back to in turn, and what its own targets cost."""

    targets: tuple[TargetSettings, ...]
    fallback: tuple[str, ...] = ()
    price: PriceSetting | None = None
    capabilities: dict[str, Any] = {}


class Config(msgspec.Struct, frozen=True):
    """Everything. `data_dir` is absolute; `path` is the file it was read from, None for none."""

    data_dir: Path
    path: Path | None = None
    server: Server = Server()
    store: Store = Store()
    idempotency: Idempotency = Idempotency()
    routing: Routing = Routing()
    stream: Stream = Stream()
    timeouts: Timeouts = Timeouts()
    log: Log = Log()
    local: Local = Local()
    providers: dict[str, ProviderSettings] = {}
    models: dict[str, ModelSettings] = {}

    @property
    def store_path(self) -> Path:
        """The SQLite file: `store.url` within the data folder, unless it is absolute."""
        return self.data_dir / self.store.url.partition(":")[2]
