"""Deltas put together: what a stream says in all, choice by choice."""

from __future__ import annotations

from collections.abc import Iterable

from encke.core.delta import (
    ARGUMENTS,
    FINISH,
    REFUSAL,
    SIGNATURE,
    TEXT,
    THINKING,
    TOOL,
    USAGE,
    Delta,
)
from encke.core.usage import Usage
from encke.dialects.port import Reader
from encke.framing.sse import SseSplitter
from tests.dialects.openai_chat.told import Told, arguments


class Gathered:
    """All that a reader has said."""

    def __init__(self) -> None:
        self.texts: dict[int, str] = {}
        self.thoughts: dict[int, str] = {}
        self.refusals: dict[int, str] = {}
        self.calls: dict[int, dict[int, list[str]]] = {}
        self.ids: list[str] = []
        self.signatures: list[tuple[int, str, str]] = []
        self.finishes: dict[int, list[str]] = {}
        self.usage: Usage | None = None
        self.deltas: list[Delta] = []

    def take(self, deltas: Iterable[Delta], reader: Reader) -> None:
        """More of it. A call's arguments come after its name, and nothing of a choice after its end."""
        for delta in deltas:
            self.deltas.append(delta)
            index = delta.choice
            if delta.kind in (TEXT, THINKING, TOOL, ARGUMENTS, REFUSAL):
                assert index not in self.finishes, "content after the end of its choice"
            if delta.kind == TEXT:
                self.texts[index] = self.texts.get(index, "") + delta.text
            elif delta.kind == THINKING:
                self.thoughts[index] = self.thoughts.get(index, "") + delta.text
            elif delta.kind == REFUSAL:
                self.refusals[index] = self.refusals.get(index, "") + delta.text
            elif delta.kind == TOOL:
                calls = self.calls.setdefault(index, {})
                assert delta.key not in calls and delta.id
                calls[delta.key] = [delta.name, ""]
                self.ids.append(delta.id)
            elif delta.kind == ARGUMENTS:
                self.calls[index][delta.key][1] += delta.text
            elif delta.kind == SIGNATURE:
                self.signatures.append((delta.key, delta.text, delta.name))
            elif delta.kind == FINISH:
                self.finishes.setdefault(index, []).append(delta.name)
            elif delta.kind == USAGE:
                self.usage = reader.usage

    def told(self, index: int) -> Told:
        """One choice, as the oracle tells it."""
        calls = tuple((name, arguments(text)) for name, text in self.calls.get(index, {}).values())
        words = self.finishes.get(index)
        if words is not None:
            assert len(words) == 1, "more than one reason for the end"
        return Told(self.texts.get(index, ""), self.thoughts.get(index, ""), calls, words[0] if words else None)


def gather(reader: Reader, body: bytes, cuts: Iterable[int] = ()) -> Gathered:
    """A whole stream through the framing, in pieces that end at `cuts`."""
    found, splitter = Gathered(), SseSplitter()
    begin = 0
    for cut in (*cuts, len(body)):
        for _, data in splitter.feed(body[begin:cut]):
            if data is not None and not reader.ended and reader.fault is None:
                found.take(reader.feed(data), reader)
        begin = cut
    if reader.fault is None and (reader.ended or reader.finished):
        found.take(reader.finish(), reader)
    return found
