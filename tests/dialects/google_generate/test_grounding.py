"""Citations, read and written."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from encke.core.chat import Citation, Text
from encke.dialects.google_generate.grounding import cite, grounding_metadata, read_spans
from encke.dialects.google_generate.signature import ORIGIN

NOTHING = msgspec.Raw(b"")


def raw(**fields: Any) -> msgspec.Raw:
    """JSON."""
    return msgspec.Raw(json.dumps(fields).encode())


def web(uri: str, title: str = "") -> dict[str, Any]:
    """A page that was found."""
    return {"web": {"uri": uri, "title": title}}


def support(start: int, end: int, *indices: int) -> dict[str, Any]:
    """A piece of the text with its sources."""
    return {"segment": {"startIndex": start, "endIndex": end}, "groundingChunkIndices": list(indices)}


def test_bytes_become_characters() -> None:
    """Places are counted in characters of the text; each source is a citation."""
    text = Text("Äpfel sind rund. Birnen nicht.")
    found = raw(groundingChunks=[web("https://a", "A"), web("https://b")], groundingSupports=[support(0, 17, 0, 1)])
    (cited,) = cite([text], read_spans(found, NOTHING))
    assert cited.citations == (
        Citation(url="https://a", title="A", start=0, end=16, origin=ORIGIN),
        Citation(url="https://b", start=0, end=16, origin=ORIGIN),
    )


def test_what_is_learnt_is_cited_too() -> None:
    """`citationMetadata`, by both names of its list; what lies beyond the text has no place, and what is
    from nowhere is none."""
    for name in ("citations", "citationSources"):
        spans = read_spans(
            NOTHING, raw(**{name: [{"uri": "https://a", "endIndex": 3}, {"uri": "https://b", "endIndex": 99}, {}]})
        )
        (cited,) = cite([Text("abcdef")], spans)
        assert [(one.url, one.start, one.end) for one in cited.citations] == [
            ("https://a", 0, 3),
            ("https://b", None, None),
        ]


def test_sources_without_a_place() -> None:
    """They are told all the same; a place in the second of two texts is counted from there."""
    spans = read_spans(raw(groundingChunks=[web("https://a")]), NOTHING)
    assert cite([Text("x")], spans)[0].citations == (Citation(url="https://a", origin=ORIGIN),)
    spans = read_spans(raw(groundingChunks=[web("https://a")], groundingSupports=[support(3, 5, 0)]), NOTHING)
    first, second = cite([Text("abc"), Text("def")], spans)
    assert not first.citations and (second.citations[0].start, second.citations[0].end) == (0, 2)
    assert cite([], spans) == []


def test_a_page_has_an_address() -> None:
    """What has none is a document: callers that check want one of every page."""
    cited = Text("a", citations=(Citation(title="ai.pdf"), Citation(url="https://a"), Citation(quote="so")))
    assert grounding_metadata([cited]) == {
        "groundingChunks": [
            {"retrievedContext": {"title": "ai.pdf"}},
            {"web": {"uri": "https://a"}},
            {"retrievedContext": {"text": "so"}},
        ]
    }


def test_what_cannot_be_read_is_none() -> None:
    """Wrong types, indices that lead nowhere."""
    assert read_spans(raw(groundingChunks=7), raw(citations="x")) == []
    assert read_spans(raw(groundingChunks=[], groundingSupports=[support(0, 1, 5, -1)]), NOTHING) == []


WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=20)


@given(WORDS, st.data())
def test_written_and_read_again(words: str, data: st.DataObject) -> None:
    """Places survive, whatever the letters; what is quoted too."""
    start = data.draw(st.integers(0, len(words) - 1))
    end = data.draw(st.integers(start + 1, len(words)))
    citation = Citation(url="https://a", title="A", quote=data.draw(WORDS), start=start, end=end, origin=ORIGIN)
    text = Text(words, citations=(citation,))
    made = grounding_metadata([text])
    assert made is not None
    assert cite([Text(words)], read_spans(raw(**made), NOTHING)) == [text]
    assert grounding_metadata([Text(words)]) is None
