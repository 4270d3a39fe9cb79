"""A stream on its way through: whole events from upstream to the client, looked at on the way, never changed.

Two points of no return stand here. Until Content has come nothing is sent, so that a failure can still have its true
status or go to another target; `opened` happens with Content. The last event is held back: `ended` happens first, so
that the entry is settled before the client can see the end.
"""

from __future__ import annotations

from typing import Final

from encke.core.faults import Fault
from encke.dialects.openai_chat.stream import CONTENT, DROP, END, ERROR, ChatTap, is_whole
from encke.framing.sse import SseEvent, SseOverflow, SseSplitter
from encke.http.drive import Signal
from encke.http.server import ServerConnection

MAX_HELD: Final = 1 << 20
HELD_EACH: Final = 64  # what an event that is held takes beside its bytes
DONE: Final = b"data: [DONE]\n\n"


class StreamEnd:
    """How a stream ended: with `tail` to send as its last bytes, or with a fault."""

    __slots__ = ("fault", "tail")

    def __init__(self, tail: bytes, fault: Fault | None) -> None:
        self.tail = tail
        self.fault = fault


class StreamRelay:
    """One stream. It is fed by the attempt while the parser runs (`take`), and moves on after it (`flush`)."""

    __slots__ = ("_client", "_content", "_held_size", "_out", "_splitter", "ended", "finish", "opened", "tap")

    def __init__(self, wants_usage: bool, opened: Signal[None]) -> None:
        """`opened` is shared with whoever may have to fail it for other reasons."""
        self._splitter = SseSplitter()
        self._client: ServerConnection | None = None
        self._out: list[bytes] = []
        self._held_size = 0
        self._content = False
        self.tap = ChatTap(wants_usage)
        self.finish: StreamEnd | None = None  # known, not told yet
        self.opened = opened
        self.ended: Signal[StreamEnd] = Signal()

    def take(self, data: bytes) -> None:
        """Bytes of the body. Raises Fault when an event, or what is held before Content, grows too large."""
        if self.finish is not None:
            return  # what follows the end is not the stream's
        try:
            events = self._splitter.feed(data)
        except SseOverflow:
            raise Fault("upstream_too_large", "An event of the provider's stream is larger than 1 MiB.") from None
        for event in events:
            if self._see(event):
                return
        if self._client is None and not self._content and self._held_size > MAX_HELD:
            raise Fault("upstream_too_large", "The provider's stream sent 1 MiB without any content.")

    def _see(self, event: SseEvent) -> bool:
        """Look at an event and queue it; True when it is the last."""
        tap = self.tap
        raw, data = event
        flags = 0
        if data is not None:
            flags = tap.feed(data)
            if flags & END:
                self.finish = StreamEnd(raw, None)
                return True
            if flags & ERROR:
                self.finish = StreamEnd(b"", tap.fault)
                return True
            if flags & DROP:
                return False
        self._out.append(raw)
        if self._client is None:
            self._held_size += len(raw) + HELD_EACH
            if flags & CONTENT:
                self._content = True  # told in `flush`, when the parser has returned
        return False

    def flush(self) -> None:
        """Send what has come, or tell that there is something to send, and that the end is there."""
        client = self._client
        if client is not None:
            out = self._out
            if out:
                self._out = []
                client.write_stream(out[0] if len(out) == 1 else b"".join(out))
        elif self._content:
            self.opened.set(None)
        finish = self.finish
        if finish is None:
            return
        if not self.opened.ready:
            if finish.fault is not None:
                self.opened.fail(finish.fault)
                return
            self.opened.set(None)
        self.ended.set(finish)

    def close(self, clean: bool, fault: Fault) -> None:
        """The answer is over. `clean`: its end was marked. `fault` is what to say if the stream was not whole."""
        # A last event without its blank line counts if it is whole; half of one is not passed on.
        if clean and self._goes_on() and is_whole(self._splitter.rest):
            for event in self._splitter.feed(b"\n\n"):
                self._see(event)
        if clean and self._goes_on() and self.tap.finished:
            self.finish = StreamEnd(DONE, None)
        if self._goes_on():
            self.finish = StreamEnd(b"", fault)
        self.flush()

    def _goes_on(self) -> bool:
        """Whether no end has been seen. Asked by a method, since what happens in between is hidden from the types."""
        return self.finish is None

    def flow(self, client: ServerConnection) -> bytes:
        """From now on events go straight to the client; returns what was held until now."""
        self._client = client
        out, self._out = self._out, []
        return b"".join(out)

    @property
    def flowing(self) -> bool:
        """Whether the client gets events."""
        return self._client is not None
