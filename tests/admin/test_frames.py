"""Messages on the keeper's socket."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.admin.frames import MAX_FRAME, Frame, FrameDecoder, FrameError, encode

payloads = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
frames = st.builds(Frame, st.text(), st.integers(0, 2**63 - 1), payloads)


@given(st.lists(frames, max_size=5), st.lists(st.integers(1, 40), min_size=1, max_size=20))
def test_any_cut(sent: list[Frame], sizes: list[int]) -> None:
    """Frames come out whole and in order, however the bytes are cut."""
    data = b"".join(encode(f.kind, f.id, f.payload) for f in sent)
    decoder = FrameDecoder()
    found: list[Frame] = []
    while data:
        size = sizes[len(data) % len(sizes)]
        found += decoder.feed(data[:size])
        data = data[size:]
    assert found == sent


def test_layout() -> None:
    """The layout is a little-endian length of four bytes and a msgpack array of three."""
    body = b"\x93\xa5reply\x07\x81\xa6result\xc0"
    assert encode("reply", 7, {"result": None}) == bytes([len(body), 0, 0, 0]) + body


def test_too_large() -> None:
    """A frame over 16 MiB is neither sent nor waited for; one of the limit passes."""
    with pytest.raises(FrameError, match="over the limit"):
        encode("x", 1, b"x" * MAX_FRAME)
    with pytest.raises(FrameError, match="over the limit"):
        FrameDecoder().feed((MAX_FRAME + 1).to_bytes(4, "little"))
    largest = b"x" * (MAX_FRAME - len(msgspec.msgpack.encode(["x", 1, b"x" * 70_000])) + 70_000)
    (frame,) = FrameDecoder().feed(encode("x", 1, largest))
    assert frame.payload == largest
    with pytest.raises(FrameError):
        encode("x", 1, largest + b"x")


@pytest.mark.parametrize(
    "body", [b"", b"\xc1", b"\x93\xa1a\x01", msgspec.msgpack.encode({"kind": "a"}), msgspec.msgpack.encode([1, 2, 3]),
             b"\x91" * 5000, b"\x93\xa1\xff\x01\xc0"]
)  # fmt: skip
def test_garbage(body: bytes) -> None:
    """Bytes that are no frame raise FrameError and nothing else."""
    with pytest.raises(FrameError, match="is not"):
        FrameDecoder().feed(len(body).to_bytes(4, "little") + body)
