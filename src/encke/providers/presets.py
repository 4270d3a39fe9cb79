"""The known providers: every folder beside this file that holds a `provider.toml`, in name order. No list to edit."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from encke.config.settings import Auth, StreamUsage
from encke.providers.capabilities import read_row, read_said
from encke.providers.ops import PATHS, Served
from encke.providers.provider import ModelRow

FOLDER = Path(__file__).parent


class Value(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place in an address that is everyone's own: what stands there, the variables that usually hold it."""

    sentence: str
    env: tuple[str, ...] = ()
    default: str | None = None


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `provider.toml`. `base_url` is None only for the embedded model, and may have places such as `{account}`, which
    `values` explains; `query` may have them too.

    `auth` says how the key is presented, `api_key_env` which variables usually hold it, first choice first; `paths` are
    the operations it has, those that others are best translated into first; `allow_private` is for servers on one's own
    machine. `model_path` stands before an operation's path where the model does not only go into the body, with
    `{model}` in it. `route_paths` are paths that are not the usual ones (`encke.providers.ops`); one that begins with
    `../` leaves the base URL's last part out. `headers` go out with every request. `price_list` is the provider's own
    in the shipped price file, empty where it has none there; another provider's prices are never taken for its own.

    `capabilities` are what all its models can do, `models` rows of what some can, by `names` that are globs, later rows
    over earlier ones (`encke.core.traits`); `models_like` is the preset whose rows hold here too. `families` are globs
    over names of models that are its own wherever they are found: what is said of them holds at addresses that nobody
    knows, if they speak its dialect. `extensions` are what it takes beyond its dialect. `limit_field` is its name for
    the bound on an answer's length. `instead_of` is the preset that this is another address of: only that one is turned
    on by its variables alone. `note` is for people: what is peculiar.
    """

    name: str
    title: str
    dialect: str
    stream_usage: StreamUsage
    key_required: bool
    paths: tuple[Served, ...]
    auth: Auth | None = None  # None: as usual for the dialect
    limit_field: str = "max_tokens"
    base_url: str | None = None
    api_key_env: tuple[str, ...] = ()
    allow_private: bool = False
    docs: str = ""
    values: dict[str, Value] = {}
    query: str = ""
    model_path: str = ""
    route_paths: dict[str, str] = {}
    capabilities: dict[str, Any] = {}
    models: tuple[dict[str, Any], ...] = ()
    models_like: str = ""
    families: tuple[str, ...] = ()
    extensions: tuple[str, ...] = ()
    headers: dict[str, str] = {}
    price_list: str = ""
    instead_of: str = ""
    note: str = ""

    @property
    def rows(self) -> tuple[ModelRow, ...]:
        """What is said of its models, the general first. Raises ValueError."""
        general = (ModelRow(("*",), read_said(self.capabilities)),) if self.capabilities else ()
        return (*general, *map(read_row, self.models))

    @property
    def places(self) -> tuple[str, ...]:
        """The names in braces, in order."""
        return tuple(dict.fromkeys(_PLACE.findall(f"{self.base_url or ''}?{self.query}")))


_PLACE = re.compile(r"\{([a-z_]+)\}")


def read_presets(folder: Path = FOLDER) -> dict[str, Preset]:
    """All presets by name. Raises ValueError naming the file if one is not as `Preset` says."""
    files = sorted(folder.glob("*/provider.toml"))
    return {preset.name: preset for preset in map(_read, files)}


def usual_variables(presets: dict[str, Preset]) -> tuple[str, ...]:
    """The usual variables of all presets: what to ask `encke.config.load.read_environment` for."""
    keys = [variable for preset in presets.values() for variable in preset.api_key_env]
    places = [v for preset in presets.values() for value in preset.values.values() for v in value.env]
    return tuple(dict.fromkeys(keys + places))


def _read(file: Path) -> Preset:
    try:
        preset = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Preset)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"{file.parent.name}/provider.toml: {error}") from error
    if preset.name != file.parent.name:
        raise ValueError(f'{file.parent.name}/provider.toml: name is "{preset.name}"; it must be that of the folder')
    if set(preset.places) != set(preset.values):
        raise ValueError(f"{file.parent.name}/provider.toml: values must be those of the address: {preset.places}")
    try:
        _ = preset.rows
    except ValueError as error:
        raise ValueError(f"{file.parent.name}/provider.toml: {error}") from error
    wrong = [op for op in preset.route_paths if op not in PATHS]
    if wrong:
        raise ValueError(f"{file.parent.name}/provider.toml: route_paths has no operations {', '.join(wrong)}")
    return preset
