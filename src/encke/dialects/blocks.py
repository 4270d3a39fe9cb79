"""Blocks one after the other, for client dialects whose streams know no other order.

An upstream may write several tool calls at once, piece by piece in turns. A caller of Anthropic's or Gemini's wire gets
one whole block after the other: pieces of those that have to wait are kept, and none is lost. A tool call that is open
gives way when upstream says that it is whole, or when its arguments are a whole JSON value.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    CLOSE,
    MEDIA,
    REDACTED,
    REFUSAL,
    SIGNATURE,
    TEXT,
    THINKING,
    TOOL,
    Delta,
)
from encke.core.faults import Fault

_any: Final = msgspec.json.Decoder()

# What a block is, by the kind of the delta that opens it.
_OPENERS: Final = frozenset({TEXT, THINKING, REDACTED, TOOL, REFUSAL, MEDIA})
MAX_WAITING: Final = 16 << 20  # bytes of arguments that wait, of all blocks together


class BlockSink:
    """Who writes the blocks: `open`, any `add`s, `close`, and only then the next."""

    def open(self, delta: Delta) -> None:
        """A block begins. The delta that opened it comes to `add` next, but for TOOL's, whose name and id are here."""
        raise NotImplementedError

    def add(self, delta: Delta) -> None:
        """More of the open block: TEXT, THINKING, ARGUMENTS, REFUSAL, SIGNATURE, CITATION, REDACTED, MEDIA."""
        raise NotImplementedError

    def close(self) -> None:
        """The open block is whole."""
        raise NotImplementedError


class Blocks:
    """Puts the deltas of one choice in order. `feed` takes those of blocks and no others; `end` closes the last."""

    __slots__ = ("_arguments", "_closed", "_key", "_kind", "_looked", "_open", "_sink", "_size", "_waiting")

    def __init__(self, sink: BlockSink) -> None:
        self._sink = sink
        self._open = False
        self._key = 0
        self._kind = TEXT
        self._arguments: list[str] = []
        self._looked = 0
        self._closed: set[int] = set()  # tool calls that are whole
        self._waiting: dict[int, list[Delta]] = {}
        self._size = 0

    def feed(self, delta: Delta) -> None:
        """The next delta. Raises Fault upstream_bad_response for more of a call that was whole, and upstream_too_large
        for more than can be kept waiting."""
        key, kind = delta.key, delta.kind
        if self._open and key == self._key and (kind == self._kind or kind not in _OPENERS):
            self._more(delta)
            return
        if self._waiting and key in self._waiting:
            self._wait(delta)
            return
        if key in self._closed:
            if kind == ARGUMENTS and delta.text.strip():
                raise Fault("upstream_bad_response", "The provider went on with a tool call after its end.")
            return
        if kind not in _OPENERS:
            return  # the end or the signature of a block that there is not
        while self._stands():
            if self._kind == TOOL and not self._is_whole():
                self._wait(delta)
                return
            self._end_block()
            self._go_on()
        self._begin(delta)

    def end(self) -> None:
        """The answer is over: what is open is closed, and what waits is written."""
        self._give_way()
        waiting, self._waiting = self._waiting, {}
        for deltas in waiting.values():
            for delta in deltas:
                self._replay(delta)
            self._give_way()

    def _begin(self, delta: Delta) -> None:
        self._open = True
        self._key = delta.key
        self._kind = delta.kind
        self._sink.open(delta)
        if delta.kind != TOOL:
            self._sink.add(delta)
            if delta.kind in (REDACTED, MEDIA):
                self._end_block()

    def _more(self, delta: Delta) -> None:
        if delta.kind == CLOSE:
            self._end_block()
            self._go_on()
        else:
            self._add(delta)

    def _add(self, delta: Delta) -> None:
        kind = delta.kind
        if kind == ARGUMENTS:
            self._arguments.append(delta.text)
        elif kind == TOOL:
            return  # told twice
        elif (kind == CITATION and self._kind != TEXT) or (kind == SIGNATURE and self._kind == REFUSAL):
            return
        self._sink.add(delta)

    def _stands(self) -> bool:
        """Whether a block is open. Asked by a method, since what happens in between is hidden from the types."""
        return self._open

    def _give_way(self) -> None:
        if self._stands():
            self._end_block()

    def _end_block(self) -> None:
        self._open = False
        if self._kind == TOOL:
            self._closed.add(self._key)
            self._arguments.clear()
            self._looked = 0
        self._sink.close()

    def _wait(self, delta: Delta) -> None:
        self._size += len(delta.text) + 64
        if self._size > MAX_WAITING:
            raise Fault("upstream_too_large", "The provider's stream has too many tool calls open at once.")
        waiting = self._waiting.get(delta.key)
        if waiting is None:
            self._waiting[delta.key] = [delta]
        else:
            waiting.append(delta)

    def _go_on(self) -> None:
        """A tool call has ended: the first that waits goes on, and the next if that is whole too."""
        while self._waiting and not self._stands():
            for delta in self._waiting.pop(next(iter(self._waiting))):
                self._size -= len(delta.text) + 64
                self._replay(delta)
            if self._waiting and self._kind != TOOL:
                self._give_way()

    def _replay(self, delta: Delta) -> None:
        if not self._stands():
            if delta.kind in _OPENERS:
                self._begin(delta)
        elif delta.kind == CLOSE:
            self._end_block()
        else:
            self._add(delta)

    def _is_whole(self) -> bool:
        text = "".join(self._arguments)
        if len(text) < 2 * self._looked or not text.rstrip().endswith("}"):
            return False
        self._looked = len(text)  # in vain: not again before there is twice as much, or a look would cost too often
        try:
            value: Any = _any.decode(text)
        except (msgspec.DecodeError, RecursionError):
            return False
        return isinstance(value, dict)
