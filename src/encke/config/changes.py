"""Two Configs compared, for a reload and for people. No secret is shown; that one has changed is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from encke.config.problems import dotted, quote
from encke.config.schema import SETTINGS
from encke.config.secret import MASK, Secret
from encke.config.settings import Config

# Not settings: where the settings come from.
_BESIDE = ("data_dir", "path")


class Change(msgspec.Struct, frozen=True):
    """A setting that differs. `old` and `new` are TOML, None where the setting is not there; `restart`: it stays as it
    was until the gateway is started again."""

    name: str
    old: str | None
    new: str | None
    restart: bool = False


def flatten(config: Config) -> dict[str, object]:
    """Every setting by its dotted name, defaults included; what the file leaves to a preset is not there."""
    fields = {name: value for name, value in _fields(config) if name not in _BESIDE}
    return dict(_leaves((), fields))


def diff(old: Config, new: Config) -> list[Change]:
    """What differs, in the order of the names."""
    before, after = flatten(old), flatten(new)
    return [
        Change(name, _shown(before, name), _shown(after, name), name in NEED_RESTART)
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def keep(old: Config, new: Config) -> Config:
    """The new settings, with the old ones where a change needs a restart."""
    tables: dict[str, msgspec.Struct] = {}
    for name in NEED_RESTART:
        table, _, leaf = name.partition(".")
        struct: msgspec.Struct = tables.get(table, getattr(new, table))
        tables[table] = msgspec.structs.replace(struct, **{leaf: getattr(getattr(old, table), leaf)})
    return msgspec.structs.replace(new, **tables)


def shown(value: object) -> str:
    """A value as TOML on one line; secrets as `***`."""
    if isinstance(value, Secret):
        return quote(MASK)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    if isinstance(value, msgspec.Struct):
        return _inline(dict(_fields(value)))
    if isinstance(value, Mapping):
        return _inline(value)
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(shown, value))}]"
    return quote(str(value), 300)


NEED_RESTART = frozenset(row.name for row in SETTINGS if row.restart)


def _inline(fields: Mapping[str, object]) -> str:
    pairs = [f"{dotted((name,))} = {shown(value)}" for name, value in fields.items() if value is not None]
    return "{ " + ", ".join(pairs) + " }" if pairs else "{}"


def _shown(values: Mapping[str, object], name: str) -> str | None:
    return shown(values[name]) if name in values else None


def _leaves(where: tuple[str, ...], value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, msgspec.Struct):
        value = dict(_fields(value))
    if isinstance(value, dict) and (value or not where):
        for name, inner in value.items():
            yield from _leaves((*where, name), inner)
    elif value is not None and value != {}:
        yield dotted(where), value


def _fields(struct: msgspec.Struct) -> Iterator[tuple[str, object]]:
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        yield field.name, str(value) if isinstance(value, Path) else value
