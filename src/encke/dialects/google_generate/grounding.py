"""Citations: what of a text rests on what was found, or learnt, and back.

Google counts bytes of UTF-8, the hub characters of the text that cites.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import Citation, Text
from encke.dialects.google_generate.events import Chunk, Citations, Grounding, Source
from encke.dialects.google_generate.signature import ORIGIN
from encke.dialects.mend import loosely

MOST: Final = 1000  # citations of one answer

_grounding: Final = msgspec.json.Decoder(Grounding)
_citations: Final = msgspec.json.Decoder(Citations)


class Span:
    """A citation, and where it begins and ends in bytes of the whole text; -1 where that is not told."""

    __slots__ = ("citation", "end", "start")

    def __init__(self, citation: Citation, start: int, end: int) -> None:
        self.citation = citation
        self.start = start
        self.end = end


class Cited:
    """What `citationMetadata` says, which in a stream tells what is new in each event: `spans`, each once."""

    __slots__ = ("_known", "spans")

    def __init__(self) -> None:
        self._known: set[tuple[str, str, int, int]] = set()
        self.spans: list[Span] = []

    def add(self, raw: msgspec.Raw, room: int) -> int:
        """More of them, as many as go into `room` characters; how many characters these have."""
        if len(self.spans) >= MOST:
            return 0
        found = loosely(raw, _citations, Citations) or Citations()
        size = 0
        for one in (found.citations or found.citationSources or [])[:MOST]:
            start, end = one.startIndex or 0, -1 if one.endIndex is None else one.endIndex
            url, title = one.uri or "", one.title or ""
            key = (url, title, start, end)
            if key in self._known or len(self.spans) >= MOST or not (url or title):
                continue
            if size + len(url) + len(title) > room:
                break
            size += len(url) + len(title)
            self._known.add(key)
            self.spans.append(Span(Citation(url=url, title=title, origin=ORIGIN), start, end))
        return size


def read_spans(grounding: msgspec.Raw, citations: msgspec.Raw) -> list[Span]:
    """The citations of a candidate, each once; none where they cannot be read."""
    cited = Cited()
    if len(citations) > 4:
        cited.add(citations, len(citations))
    return [*grounded(grounding), *cited.spans]


def grounded(raw: msgspec.Raw) -> list[Span]:
    """What `groundingMetadata` says; nothing where it cannot be read."""
    spans: list[Span] = []
    if len(raw) > 4:
        _grounded(loosely(raw, _grounding, Grounding) or Grounding(), spans)
    return spans


def _grounded(found: Grounding, spans: list[Span]) -> None:
    chunks = [_source(chunk) for chunk in found.groundingChunks or ()]
    for support in found.groundingSupports or ():
        segment = support.segment
        start = end = -1
        if segment is not None and segment.endIndex is not None:
            start, end = segment.startIndex or 0, segment.endIndex
        for index in support.groundingChunkIndices or ():
            source = chunks[index] if 0 <= index < len(chunks) else None
            if source is not None and len(spans) < MOST:
                spans.append(Span(_of(source), start, end))
    if not found.groundingSupports:
        for source in chunks[:MOST]:
            if source is not None:
                spans.append(Span(_of(source), -1, -1))


def _of(source: Source) -> Citation:
    return Citation(url=source.uri or "", title=source.title or "", quote=source.text or "", origin=ORIGIN)


def _source(chunk: Chunk) -> Source | None:
    if chunk.image is not None:
        return Source(chunk.image.sourceUri or chunk.image.imageUri, chunk.image.title)
    return chunk.web or chunk.maps or chunk.retrievedContext


class Offsets:
    """Turns bytes of a text into characters; in one pass for places that are asked for in order."""

    __slots__ = ("_ascii", "_at", "_characters", "_data", "_size")

    def __init__(self, text: str) -> None:
        self._data = text.encode("utf-8", "replace")
        self._ascii = text.isascii()
        self._size = len(self._data)
        self._at = self._characters = 0  # a place that is known

    @property
    def size(self) -> int:
        """Bytes."""
        return self._size

    def character(self, at: int) -> int:
        """The character that begins at, or holds, a byte."""
        at = min(max(at, 0), self._size)
        if self._ascii:
            return at
        if at < self._at:
            self._at = self._characters = 0
        self._characters += sum(byte & 0xC0 != 0x80 for byte in memoryview(self._data)[self._at : at])
        self._at = at
        return self._characters


def cite(texts: list[Text], spans: list[Span]) -> list[Text]:
    """Texts with their citations: those of a span that lies in one of them, else of the last."""
    if not spans or not texts:
        return texts
    offsets = [Offsets(text.text) for text in texts]
    found: list[list[Citation]] = [[] for _ in texts]
    for span in spans:
        at, before = _home(offsets, span)
        citation = span.citation
        if span.end >= 0 and span.end - before <= offsets[at].size:
            citation = msgspec.structs.replace(
                citation,
                start=offsets[at].character(span.start - before),
                end=offsets[at].character(span.end - before),
            )
        found[at].append(citation)
    return [
        msgspec.structs.replace(text, citations=tuple(cited)) if cited else text
        for text, cited in zip(texts, found, strict=True)
    ]


def _home(offsets: list[Offsets], span: Span) -> tuple[int, int]:
    """The text in which a span ends, and the bytes before it."""
    before = 0
    if span.end >= 0:
        for at, one in enumerate(offsets):
            if span.end <= before + one.size and span.start >= before:
                return at, before
            before += one.size
    return len(offsets) - 1, sum(one.size for one in offsets[:-1])


def grounding_metadata(texts: list[Text]) -> dict[str, Any] | None:
    """`groundingMetadata` of the citations that texts have; None for none. Places are bytes of the text's part."""
    chunks: list[dict[str, Any]] = []
    known: dict[tuple[str, str, str], int] = {}
    supports: list[dict[str, Any]] = []
    before = 0
    for text in texts:
        data = text.text
        for citation in text.citations:
            key = (citation.url, citation.title, citation.quote)
            if key not in known:
                known[key] = len(chunks)
                chunks.append(_chunk(citation))
            if citation.end is not None:
                start = len(data[: citation.start or 0].encode("utf-8", "replace"))
                cited = data[citation.start or 0 : citation.end]
                end = start + len(cited.encode("utf-8", "replace"))
                segment = {"startIndex": before + start, "endIndex": before + end, "text": cited}
                supports.append({"segment": segment, "groundingChunkIndices": [known[key]]})
        before += len(data.encode("utf-8", "replace"))
    if not chunks:
        return None
    return {"groundingChunks": chunks, **({"groundingSupports": supports} if supports else {})}


def _chunk(citation: Citation) -> dict[str, Any]:
    """A page, or a document where there is no address: callers that check want one of every page (Vercel's)."""
    fields = {"uri": citation.url, "title": citation.title, "text": citation.quote}
    source = {name: value for name, value in fields.items() if value}
    return {"retrievedContext" if citation.quote or not citation.url else "web": source}
