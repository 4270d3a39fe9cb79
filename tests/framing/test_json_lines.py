"""Lines of JSON are cut at the same places whichever way their bytes arrive."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.framing.json_lines import JsonLinesSplitter, LineOverflow
from encke.framing.sse import MAX_EVENT, SseOverflow

BOM = b"\xef\xbb\xbf"
# What comes in, the lines that are to come out, and what is left.
CASES: dict[str, tuple[bytes, list[bytes], bytes]] = {
    "plain": (b'{"a":1}\n{"b":2}\n', [b'{"a":1}', b'{"b":2}'], b""),
    "crlf": (b'{"a":1}\r\n{"b":2}\r\n', [b'{"a":1}', b'{"b":2}'], b""),
    "blank lines are no lines": (b"\n\n 1 \n\n \t\r\n2\n", [b"1", b"2"], b""),
    "byte order mark": (BOM + b"1\n", [b"1"], b""),
    "a mark in the middle stays": (b"1" + BOM + b"\n", [b"1" + BOM], b""),
    "escaped line ends are none": (b'"a\\nb"\n', [b'"a\\nb"'], b""),
    "split characters": ('"é漢🙂"\n'.encode(), ['"é漢🙂"'.encode()], b""),
    "unfinished": (b'1\n{"a":', [b"1"], b'{"a":'),
    "nothing": (b"", [], b""),
    "less than a mark": (BOM[:2], [], BOM[:2]),
}


def run(parts: list[bytes]) -> tuple[list[bytes], bytes]:
    splitter = JsonLinesSplitter()
    lines = []
    for part in parts:
        for raw, data in splitter.feed(part):
            assert data is not None and raw == data + b"\n"
            lines.append(data)
    return lines, splitter.rest


@pytest.mark.parametrize("name", CASES)
def test_lines_come_out_whole(name: str) -> None:
    """Fed at once, byte by byte, and in two halves cut anywhere."""
    data, lines, rest = CASES[name]
    assert run([data]) == (lines, rest)
    assert run([data[at : at + 1] for at in range(len(data))]) == (lines, rest)
    for at in range(len(data)):
        assert run([data[:at], data[at:]]) == (lines, rest)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([b"\n", b"\r\n", b"{}", b'"x"', b" ", BOM, b"\xff"])), st.lists(st.integers(0, 60)))
def test_no_cut_changes_anything(pieces: list[bytes], cuts: list[int]) -> None:
    """However the bytes are cut, the same lines come out, and none of what is not blank is lost."""
    data = b"".join(pieces)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    assert run([data[start:end] for start, end in pairwise(edges)]) == run([data])


@pytest.mark.parametrize("size", [64, MAX_EVENT])
def test_a_line_without_an_end_is_not_kept_for_ever(size: int) -> None:
    """A line of the limit passes, one byte more does not, whether its end has come or not."""
    assert len(JsonLinesSplitter(size).feed(b"x" * size + b"\n")) == 1
    for late in (b"", b"\n"):
        with pytest.raises(LineOverflow):
            JsonLinesSplitter(size).feed(b"x" * (size + 1) + late)
    splitter = JsonLinesSplitter(size)
    with pytest.raises(SseOverflow):  # who reads streams catches both as one
        for _ in range(3):
            splitter.feed(b"x" * (size // 2))


def test_long_lines_in_small_pieces_are_looked_at_once() -> None:
    """A line that comes in many pieces costs what its bytes cost: what was searched is not searched again."""
    splitter = JsonLinesSplitter()
    for _ in range(MAX_EVENT // 8):
        assert splitter.feed(b"xxxxxxxx") == []
    assert splitter.feed(b"\n")[0][1] == b"x" * MAX_EVENT
