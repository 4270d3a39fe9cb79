"""Streams of events are cut at the same places whichever way their bytes arrive."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.framing.sse import MAX_EVENT, SseEvent, SseOverflow, SseSplitter

BOM = b"\xef\xbb\xbf"
# What comes in, and the events that are to come out as (raw, data).
CASES: dict[str, tuple[bytes, list[tuple[bytes, bytes | None]]]] = {
    "plain": (b"data: a\n\ndata: b\n\n", [(b"data: a\n\n", b"a"), (b"data: b\n\n", b"b")]),
    "no space": (b"data:a\n\n", [(b"data:a\n\n", b"a")]),
    "one space only is taken off": (b"data:  a \n\n", [(b"data:  a \n\n", b" a ")]),
    "crlf": (b"data: a\r\n\r\ndata: b\r\n\r\n", [(b"data: a\n\n", b"a"), (b"data: b\n\n", b"b")]),
    "bare cr": (b"data: a\r\rdata: b\r\r", [(b"data: a\n\n", b"a"), (b"data: b\n\n", b"b")]),
    "mixed ends": (b"data: a\r\n\ndata: b\n\rdata: c\r\r\n", [(b"data: %c\n\n" % c, b"%c" % c) for c in b"abc"]),
    "cr from the second event on": (b"data: a\n\ndata: b\r\n\r\n", [(b"data: a\n\n", b"a"), (b"data: b\n\n", b"b")]),
    "byte order mark": (BOM + b"data: a\n\n", [(b"data: a\n\n", b"a")]),
    "byte order mark and crlf": (BOM + b"data: a\r\n\r\n", [(b"data: a\n\n", b"a")]),
    "mark in the middle stays": (b"data: a" + BOM + b"\n\n", [(b"data: a" + BOM + b"\n\n", b"a" + BOM)]),
    "comment": (b": hello\n\ndata: a\n\n", [(b": hello\n\n", None), (b"data: a\n\n", b"a")]),
    "comment before data": (b": x\ndata: a\n\n", [(b": x\ndata: a\n\n", b"a")]),
    "several lines": (b"data: {\ndata:  1}\n\n", [(b"data: {\ndata:  1}\n\n", b"{\n 1}")]),
    "data without colon": (b"data\ndata: a\n\n", [(b"data\ndata: a\n\n", b"\na")]),
    "data of nothing": (b"data:\n\n", [(b"data:\n\n", b"")]),
    "other fields": (
        b"event: error\nid: 7\nretry: 10\ndata: a\n\n",
        [(b"event: error\nid: 7\nretry: 10\ndata: a\n\n", b"a")],
    ),
    "a field that only begins like data": (b"database: a\n\n", [(b"database: a\n\n", None)]),
    "blank lines are no events": (
        b"\n\n\n\ndata: a\n\n\n\n\ndata: b\n\n",
        [(b"data: %c\n\n" % c, b"%c" % c) for c in b"ab"],
    ),
    "split characters": ("data: é漢🙂\n\n".encode(), [("data: é漢🙂\n\n".encode(), "é漢🙂".encode())]),
    "more blank lines than one": (b": x\n\ndata: a\n\n\n", [(b": x\n\n", None), (b"data: a\n\n", b"a")]),
    "unfinished": (b"data: a\n\ndata: b\n", [(b"data: a\n\n", b"a")]),
    "nothing": (b"", []),
    "less than a mark": (BOM[:2], []),
}


def run(parts: list[bytes]) -> list[SseEvent]:
    splitter = SseSplitter()
    return [event for part in parts for event in splitter.feed(part)]


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(one, len(data)) for one in at), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@pytest.mark.parametrize("name", CASES)
def test_events_come_out_whole(name: str) -> None:
    """Fed at once, byte by byte, and in two halves cut anywhere."""
    data, events = CASES[name]
    assert [tuple(event) for event in run([data])] == events
    assert [tuple(event) for event in run([data[n : n + 1] for n in range(len(data))])] == events
    for at in range(len(data)):
        assert [tuple(event) for event in run(cut(data, [at]))] == events, at


STREAMS = st.lists(
    st.sampled_from(
        [b"data: {}", b"data:x", b": c", b"\n", b"\n\n", b"\r\n", b"\r", b"data", "é🙂".encode(), BOM, b" "]
    ),
    max_size=30,
).map(b"".join)


@settings(max_examples=300, deadline=None)
@given(STREAMS, st.lists(st.integers(0, 120), max_size=12))
def test_cuts_change_nothing(data: bytes, at: list[int]) -> None:
    """Any stream cut anywhere gives the events that it gives whole."""
    assert run(cut(data, at)) == run([data])


@settings(max_examples=200, deadline=None)
@given(STREAMS)
def test_what_comes_out_can_be_cut_again(data: bytes) -> None:
    """The raw events joined are a stream of the same events: nothing is lost, and no event runs into another."""
    events = run([data])
    text = b"".join(raw for raw, _ in events)
    assert b"\r" not in text
    # A byte order mark that stood later may come to stand first, where it would be taken off.
    if not text.startswith(BOM):
        assert run([text]) == events


def test_the_rest_is_what_has_not_ended() -> None:
    """`rest` holds the bytes of an unfinished event, their line ends made LF."""
    splitter = SseSplitter()
    splitter.feed(b"data: a\r\n\r\ndata: b\r\n")
    assert splitter.rest == b"data: b\n"


@pytest.mark.parametrize("step", [1000, 65536, MAX_EVENT + 2])
def test_an_endless_line_is_refused(step: int) -> None:
    """No more than the limit and what one read brings is kept of an event that does not end."""
    splitter = SseSplitter()
    with pytest.raises(SseOverflow):
        for _ in range(MAX_EVENT * 2 // step + 2):
            splitter.feed(b"data: " + b"x" * step)
            assert len(splitter.rest) <= MAX_EVENT


@pytest.mark.parametrize("started", [False, True])
def test_the_limit_holds_for_events_that_end(started: bool) -> None:
    """An event at the limit passes, one beyond it does not, also when it comes whole."""
    for size, fits in ((100, True), (101, False)):
        splitter = SseSplitter(limit=100)
        if started:
            splitter.feed(b": started\n\n")
        event = b"x" * size + b"\n\n"
        if fits:
            assert [raw for raw, _ in splitter.feed(event)] == [event]
        else:
            with pytest.raises(SseOverflow):
                splitter.feed(event)
