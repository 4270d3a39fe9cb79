"""The known providers: every folder beside this file that holds a `provider.toml`, in name order. No list to edit."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from encke.config.settings import StreamUsage

Auth = Literal["bearer"]
Served = Literal["chat", "completions", "embeddings", "moderations", "models"]

FOLDER = Path(__file__).parent


class Preset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A `provider.toml`. `base_url` is None only for the embedded model.

    `auth` says how the key is presented, `api_key_env` which variables usually hold it, first choice first; `paths` are
    the groups of routes it serves; `allow_private` is for servers on one's own machine.
    """

    name: str
    title: str
    dialect: str
    stream_usage: StreamUsage
    key_required: bool
    paths: tuple[Served, ...]
    auth: Auth = "bearer"
    base_url: str | None = None
    api_key_env: tuple[str, ...] = ()
    allow_private: bool = False
    docs: str = ""


def read_presets(folder: Path = FOLDER) -> dict[str, Preset]:
    """All presets by name. Raises ValueError naming the file if one is not as `Preset` says."""
    files = sorted(folder.glob("*/provider.toml"))
    return {preset.name: preset for preset in map(_read, files)}


def key_variables(presets: dict[str, Preset]) -> tuple[str, ...]:
    """The usual variables of all presets: what to ask `encke.config.load.read_environment` for."""
    return tuple(variable for preset in presets.values() for variable in preset.api_key_env)


def _read(file: Path) -> Preset:
    try:
        preset = msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Preset)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ValueError(f"{file.parent.name}/provider.toml: {error}") from error
    if preset.name != file.parent.name:
        raise ValueError(f'{file.parent.name}/provider.toml: name is "{preset.name}"; it must be that of the folder')
    return preset
