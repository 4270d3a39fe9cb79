"""Frames in a loop of selectors: never blocking, in order, with an end."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Iterator

import pytest

from encke.admin.frames import Frame, FrameDecoder, encode
from encke.supervise.channel import Channel


class Ends:
    """A channel and the raw socket at its other end."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        ours, self.theirs = socket.socketpair()
        self.theirs.settimeout(5)
        self.frames: list[Frame] = []
        self.ended = 0
        self.channel = Channel(ours, self.selector, lambda _, frame: self.frames.append(frame), self._end)

    def _end(self, channel: Channel) -> None:
        self.ended += 1

    def turn(self, seconds: float = 0.2) -> None:
        """One turn of the loop."""
        for key, _ in self.selector.select(seconds):
            key.data()


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A pair."""
    made = Ends()
    yield made
    made.channel.close()
    made.theirs.close()
    made.selector.close()


def test_a_message_larger_than_any_buffer(ends: Ends) -> None:
    """It waits until the other end takes it, whole and in order, and the loop goes on meanwhile."""
    ends.channel.send("big", 1, "x" * (4 << 20))
    ends.channel.send("small", 2, None)
    assert not ends.channel.idle
    decoder = FrameDecoder()
    got: list[Frame] = []
    while len(got) < 2:
        ends.turn(0)
        got += decoder.feed(ends.theirs.recv(1 << 20))
    assert [(frame.kind, frame.id) for frame in got] == [("big", 1), ("small", 2)]
    ends.turn(0)
    assert ends.channel.idle


def test_frames_in_pieces(ends: Ends) -> None:
    """Each arrives when it is whole."""
    data = encode("a", 1, {}) + encode("b", 2, {})
    for byte in data:
        ends.theirs.send(bytes([byte]))
        ends.turn()
    assert [frame.kind for frame in ends.frames] == ["a", "b"]


@pytest.mark.parametrize("how", ["closed", "garbage"])
def test_the_end(ends: Ends, how: str) -> None:
    """A closed end, or bytes that are no frame, end it once; sending does nothing afterwards."""
    if how == "closed":
        ends.theirs.close()
    else:
        ends.theirs.send(b"\xff" * 100)
    ends.turn()
    ends.turn(0)
    ends.channel.send("a", 1, {})
    assert ends.ended == 1 and not ends.frames
