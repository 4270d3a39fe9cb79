"""Arguments of a function call that come in pieces, each at a JSONPath.

Source: ai.google.dev/gemini-api/docs (streaming function call arguments: PartialArg), RFC 9535 for the paths.
"""

from __future__ import annotations

import itertools
import re
from typing import Any, Final

import msgspec

from encke.core.faults import Fault
from encke.dialects.google_generate.events import PartialArg
from encke.dialects.google_generate.wire import NOTHING

_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d{1,6})\]|\['((?:[^'\\]|\\.)*)'\]|\[\"((?:[^\"\\]|\\.)*)\"\]")
MAX_STEPS: Final = 64

_encode: Final = msgspec.json.Encoder().encode


class Pieces:
    """A text that is still coming."""

    __slots__ = ("texts",)

    def __init__(self, text: str) -> None:
        self.texts = [text]


class PartialArguments:
    """Puts the pieces together."""

    __slots__ = ("_root",)

    def __init__(self) -> None:
        self._root: dict[str, Any] = {}

    def add(self, piece: PartialArg) -> None:
        """One more. Raises Fault upstream_bad_response for a place that there cannot be."""
        steps = _steps(piece.jsonPath)
        if not steps:
            raise _odd(piece.jsonPath)
        here: Any = self._root
        for step, following in itertools.pairwise(steps):
            here = _enter(here, step, [] if isinstance(following, int) else {}, piece.jsonPath)
        self._put(here, steps[-1], piece)

    def text(self) -> str:
        """The JSON of what has come."""
        return _encode(_finished(self._root)).decode()

    def _put(self, here: Any, step: str | int, piece: PartialArg) -> None:
        value: Any = piece.stringValue
        if value is None:
            value = piece.numberValue if piece.numberValue is not None else piece.boolValue
            if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
                value = int(value)
            if value is None and piece.nullValue == NOTHING:
                return
        else:
            old = _enter(here, step, None, piece.jsonPath)
            if isinstance(old, Pieces):
                old.texts.append(value)
                return
            value = Pieces(value)
        _enter(here, step, None, piece.jsonPath)
        here[step] = value


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    if not path.startswith("$"):
        return steps
    at = 1
    while at < len(path):
        found = _STEP.match(path, at)
        if found is None or len(steps) == MAX_STEPS:
            raise _odd(path)
        name, number, quoted, double = found.groups()
        steps.append(int(number) if number is not None else name or quoted or double or "")
        at = found.end()
    return steps


def _enter(here: Any, step: str | int, made: Any, path: str) -> Any:
    """What stands at a step; if there is nothing, `made`."""
    if isinstance(step, int):
        if not isinstance(here, list) or step > len(here):
            raise _odd(path)
        if step == len(here):
            here.append(made)
        return here[step]
    if not isinstance(here, dict):
        raise _odd(path)
    return here.setdefault(step, made)


def _finished(value: Any) -> Any:
    if isinstance(value, Pieces):
        return "".join(value.texts)
    if isinstance(value, dict):
        return {name: _finished(one) for name, one in value.items()}
    return [_finished(one) for one in value] if isinstance(value, list) else value


def _odd(path: str) -> Fault:
    return Fault(
        "upstream_bad_response",
        f"The provider sent an argument at a place that cannot be: {path[:100]}.",
        verdict="next",
    )
