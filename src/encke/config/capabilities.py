"""Capabilities as tables have them, in the settings and in `provider.toml`: names and types checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from encke.config.kinds import VALUE, Kind, Refusal, Refused, refuse, type_name
from encke.config.problems import nearest
from encke.core.traits import ANYTHING, THINKING, Capabilities

NAMES: Final[tuple[str, ...]] = Capabilities.__struct_fields__
_EXAMPLE: Final = "capabilities = { images = false }"
_MOST: Final = 1 << 40  # tokens


def read_capabilities(value: object) -> dict[str, Any]:
    """What a table says, by name. Raises Refused with everything wrong with it."""
    if not isinstance(value, dict):
        raise refuse(f"must be a table such as {_EXAMPLE}, not {type_name(value)}")
    found: dict[str, Any] = {}
    refusals: list[Refusal] = []
    for name, said in value.items():
        if name not in NAMES:
            refusals.append(Refusal("unknown capability", nearest(name, NAMES), (name,)))
            continue
        try:
            found[name] = _value(name, said)
        except Refused as refused:
            refusals += [Refusal(one.message, one.suggestion, (name, *one.inside)) for one in refused.refusals]
    if refusals:
        raise Refused(*refusals)
    return found


def changed(capabilities: Capabilities, said: Mapping[str, Any]) -> Capabilities:
    """The same with what a table says of them."""
    return msgspec.structs.replace(capabilities, **said) if said else capabilities


def _value(name: str, value: object) -> object:
    usual = getattr(ANYTHING, name)
    if isinstance(usual, bool):
        if not isinstance(value, bool):
            raise refuse(f"must be true or false, without quotes, not {type_name(value)}")
    elif isinstance(usual, int):
        if isinstance(value, bool) or not isinstance(value, int):
            raise refuse(f"must be a whole number of tokens without quotes, not {type_name(value)}")
        if not 0 <= value <= _MOST:
            raise refuse(f"{VALUE} is out of bounds; use 0 (not known) to {_MOST} tokens")
    elif isinstance(usual, str):
        if value not in THINKING:
            listed = ", ".join(f'"{one}"' for one in THINKING)
            raise refuse(f"{VALUE} is none of {listed}", nearest(value, THINKING) if isinstance(value, str) else None)
    else:
        return _words(name, value)
    return value


def _words(name: str, value: object) -> tuple[str, ...]:
    """A list; of `efforts` the words are known, of `ops` who resolves providers knows them."""
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise refuse("must be a list of strings in square brackets")
    if name == "efforts":
        known = ANYTHING.efforts
        words = f"{VALUE} is no effort; there are {', '.join(known)}"
        wrong = [Refusal(words, nearest(one, known), (at,)) for at, one in enumerate(value) if one not in known]
        if wrong:
            raise Refused(*wrong)
    return tuple(value)


CAPABILITIES: Final = Kind("table of capabilities", read_capabilities)
