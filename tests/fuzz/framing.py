"""Bytes to frames: server-sent events and the keeper's messages. Any cut gives the same frames."""

from __future__ import annotations

import re

from encke.admin.frames import FrameDecoder, FrameError, encode
from encke.framing.sse import BOM, SseEvent, SseOverflow, SseSplitter
from tests.fuzz.bits import Bits, cut

SMALL = 48  # bytes; so that inputs of a few dozen bytes meet the limit


def _split(data: bytes, seed: int, limit: int) -> list[SseEvent] | None:
    """Events; None for an overflow."""
    splitter = SseSplitter(limit)
    events: list[SseEvent] = []
    try:
        for piece in cut(data, seed):
            events += splitter.feed(piece)
    except SseOverflow:
        return None
    return events


def _lines(data: bytes) -> list[bytes]:
    """The text's lines by the standard's grammar, without a byte order mark."""
    return re.split(rb"\r\n|\r|\n", data.removeprefix(BOM))


def _oracle(data: bytes) -> list[tuple[bytes, bytes | None]]:
    """Events as the standard's grammar has them, line by line: the lines of each, and its data."""
    found: list[tuple[bytes, bytes | None]] = []
    block: list[bytes] = []
    for line in _lines(data)[:-1]:
        if line:
            block.append(line)
        elif block:
            values = [one[5:].removeprefix(b" ") for one in block if one == b"data" or one.startswith(b"data:")]
            found.append((b"\n".join(block) + b"\n\n", b"\n".join(values) if values else None))
            block = []
    return found


def sse(data: bytes) -> None:
    """Whole, byte by byte and in pieces of chance the events are the grammar's, and overflow comes or does not."""
    bits = Bits(data)
    seed, small = bits.number(256), bits.number(2)
    text = bits.rest
    results = [_split(text, one, SMALL if small else 1 << 20) for one in (0, 1, seed)]
    if not small:
        wanted = _oracle(text)
        for result in results:
            assert result == wanted, (result, wanted)
        return
    # The limit is looked at where reads end, so events of nearly its size may pass or not.
    longest = max(map(len, re.split(rb"\n\n+", b"\n".join(_lines(text)))))
    if longest <= SMALL - 4:
        assert all(result is not None for result in results), longest
    if longest > SMALL + 4:
        assert all(result is None for result in results), longest


def _frames(data: bytes, seed: int) -> list[tuple[str, int, object]] | None:
    decoder = FrameDecoder()
    frames: list[tuple[str, int, object]] = []
    try:
        for piece in cut(data, seed):
            frames += [(frame.kind, frame.id, frame.payload) for frame in decoder.feed(piece)]
    except FrameError:
        return None
    return frames


def frames(data: bytes) -> None:
    """Messages are the same for any cut, and what was read can be written and read again."""
    bits = Bits(data)
    seed = bits.number(256)
    results = [_frames(bits.rest, one) for one in (0, 1, seed)]
    assert _shown(results[0]) == _shown(results[1]) == _shown(results[2])
    for kind, number, payload in results[0] or ():
        assert _shown(_frames(encode(kind, number, payload), 0)) == _shown([(kind, number, payload)])


def _shown(frames: list[tuple[str, int, object]] | None) -> str:
    """As text, since NaN is not itself; without the addresses of objects (msgpack's extension types)."""
    return re.sub(r" at 0x[0-9a-f]+", "", repr(frames))
