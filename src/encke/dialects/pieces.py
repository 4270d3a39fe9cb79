"""Pieces of a whole answer that a provider has cut one text or thought into: one part, as in its stream."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from encke.core.chat import Citation, Part, Text, Thinking


def whole(parts: Iterable[Part]) -> list[Part]:
    """The parts, with texts that follow each other as one, and thoughts too; linear. What a signature stands on ends
    there. Places of citations are those in the one text."""
    made: list[Part] = []
    run: list[Text | Thinking] = []
    for part in parts:
        if run and not _goes_on(run[-1], part):
            made.append(_joined(run))
            run = []
        if isinstance(part, Text | Thinking):
            run.append(part)
        else:
            made.append(part)
    if run:
        made.append(_joined(run))
    return made


def _goes_on(last: Text | Thinking, part: Part) -> bool:
    if last.signature:
        return False
    if isinstance(last, Text):
        return isinstance(part, Text)
    if not isinstance(part, Thinking) or last.redacted or part.redacted:
        return False
    return last.summary == part.summary and last.id == part.id


def _joined(run: list[Text | Thinking]) -> Part:
    last = run[-1]
    if len(run) == 1:
        return last
    text = "".join([one.text for one in run])
    if isinstance(last, Thinking):
        return msgspec.structs.replace(last, text=text)
    return msgspec.structs.replace(last, text=text, citations=_moved(run))


def _moved(run: list[Text | Thinking]) -> tuple[Citation, ...]:
    found: list[Citation] = []
    before = 0
    for one in run:
        for citation in one.citations if isinstance(one, Text) else ():
            start = None if citation.start is None else citation.start + before
            end = None if citation.end is None else citation.end + before
            found.append(msgspec.structs.replace(citation, start=start, end=end))
        before += len(one.text)
    return tuple(found)
