"""A stream on its way through: whole events from upstream to the client, looked at on the way, never changed.

Two points of no return stand here. Until Content has come nothing is sent, so that a failure can still have its true
status or go to another target; `opened` happens with Content. The last event is held back: `ended` happens first, so
that the entry is settled before the client can see the end.
"""

from __future__ import annotations

from typing import Final

from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.port import CONTENT, DROP, END, ERROR, Tap
from encke.dialects.service import served_service
from encke.framing.json_lines import JsonLinesSplitter
from encke.framing.sse import SseEvent, SseOverflow, SseSplitter
from encke.http.drive import Signal
from encke.http.server import ServerConnection

HELD_EACH: Final = 64  # what an event that is held takes beside its bytes
NO_MARK: Final = 1 << 62
MOST_LATE: Final = 16


class StreamEnd:
    """How a stream ended: with `tail` to send as its last bytes, or with a fault."""

    __slots__ = ("fault", "tail")

    def __init__(self, tail: bytes, fault: Fault | None) -> None:
        self.tail = tail
        self.fault = fault


class StreamRelay:
    """One stream. It is fed by the attempt while the parser runs (`take`), and moves on after it (`flush`).

    Where money is held for a part of it, it stops at a mark, of bytes of content or of events with content (each has a
    token at least): `stopped` says so, and what has come beyond is not looked at before `go_on`.
    """

    __slots__ = (
        "_client", "_closing", "_content", "_events", "_held_size", "_late", "_late_finish",
        "_mark_bytes", "_mark_events", "_out",
        "_rest", "_rewrites", "_splitter", "ended", "finish", "opened", "service",
        "stopped", "tap",
    )  # fmt: skip

    def __init__(self, tap: Tap, opened: Signal[None], splitter: SseSplitter | JsonLinesSplitter) -> None:
        """`tap` looks at the events, or writes others in their place; `opened` is shared with whoever may have to fail
        it for other reasons."""
        self._splitter = splitter
        self._client: ServerConnection | None = None
        self._late: list[bytes] | None = None  # events that are to be sent with the end; None: no such thing
        self._late_finish = False
        self.service: str | None = None  # the class of service that events with usage have named
        self._out: list[bytes] = []
        self._held_size = 0
        self._content = False
        self.tap = tap
        self._rewrites = tap.rewrites
        self.finish: StreamEnd | None = None  # known, not told yet
        self.stopped = False
        self._mark_bytes = NO_MARK
        self._mark_events = NO_MARK
        self._events = 0
        self._rest: list[SseEvent] | None = None
        self._closing: tuple[bool, Fault] | None = None
        self.opened = opened
        self.ended: Signal[StreamEnd] = Signal()

    def take(self, data: bytes) -> None:
        """Bytes of the body. Raises Fault when an event, or what is held before Content, grows too large."""
        if self.finish is not None:
            return  # what follows the end is not the stream's
        try:
            events = self._splitter.feed(data)
        except SseOverflow:
            size = self._splitter.limit >> 20
            raise Fault("upstream_too_large", f"An event of the provider's stream is larger than {size} MiB.") from None
        if self.stopped:
            assert self._rest is not None
            self._rest += events
            return
        self._see_all(events)
        if self._client is None and not self._content and self._held_size > self._splitter.limit:
            size = self._splitter.limit >> 20
            raise Fault("upstream_too_large", f"The provider's stream sent {size} MiB without any content.")

    def _see_all(self, events: list[SseEvent]) -> None:
        for at, event in enumerate(events):
            if self._see(event):
                if self.stopped:
                    self._rest = events[at + 1 :]
                return

    def stop_at(self, content_bytes: int, events: int) -> None:
        """The next mark: so many bytes of content, or so many events with content, from the beginning."""
        self._mark_bytes = content_bytes
        self._mark_events = events

    def go_on(self) -> None:
        """Look at what has come meanwhile; it may be stopped again."""
        rest, closing = self._rest, self._closing
        self.stopped = False
        self._rest = None
        if rest:
            self._see_all(rest)
        if closing is not None and not self._stands():
            self._closing = None
            self.close(closing[0], closing[1])

    def cut(self, fault: Fault) -> None:
        """It may not go on: what has come beyond the mark is nobody's."""
        self.stopped = False
        self._rest = None
        self._closing = None
        self.finish = StreamEnd(b"", fault)

    def _stands(self) -> bool:
        return self.stopped

    def _see(self, event: SseEvent) -> bool:
        """Look at an event and queue it; True when it is the last, or the last before a mark."""
        tap = self.tap
        raw, data = event
        flags = 0
        told, finished = tap.usage, tap.finished
        if data is not None:
            flags = tap.feed(data)
            if self._rewrites:
                raw = tap.take()
            if tap.usage is not told and (named := served_service(data)) is not None:
                self.service = named
            if flags & END:
                self.finish = StreamEnd(raw, None)
                return True
            if flags & ERROR:
                if self._rewrites and raw:
                    self._out.append(raw)
                self.finish = StreamEnd(b"", tap.fault)
                return True
            if flags & DROP:
                return False
        elif self._rewrites:
            return False
        if self._late is None or not self._keep_back(self._late, raw, self._tells(told, finished)):
            self._out.append(raw)
        if self._client is None:
            self._held_size += len(raw) + HELD_EACH
            if flags & CONTENT:
                self._content = True  # told in `flush`, when the parser has returned
        if flags & CONTENT:
            self._events = seen = self._events + 1
            if tap.content_bytes > self._mark_bytes or seen > self._mark_events:
                self.stopped = True
                return True
        return False

    def keep_usage(self, *, finish: bool) -> None:
        """Keep the event back that has the usage at the end, with what follows it, for `late`; with `finish` the event
        that finishes the answer too, where usage has no event of its own."""
        self.tap.keep_usage()
        self._late = []
        self._late_finish = finish

    def _tells(self, told: Usage | None, finished: bool) -> bool:
        """Whether the last event has usage, or comes instead of one that has. As it was before that event."""
        tap = self.tap
        return tap.usage is not told or (self._late_finish and tap.finished and not finished)

    def _keep_back(self, late: list[bytes], raw: bytes, told: bool) -> bool:
        """Whether an event is sent later. `told`: there is usage in it; before all choices have ended there may be more
        of it, and text with it, which does not wait."""
        goes_on = not self.tap.finished
        if late and (told or goes_on or len(late) >= MOST_LATE):
            self._out += late
            late.clear()
        if goes_on or not (told or late):
            return False
        late.append(raw)
        return True

    @property
    def late(self) -> bytes:
        """What was kept back; nothing if there was no usage at the end."""
        return b"".join(self._late) if self._late else b""

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
        if self.stopped and clean:
            self._closing = (clean, fault)
            return
        # A last event without its blank line counts if it is whole; half of one is not passed on.
        if clean and self._goes_on() and self.tap.is_whole(self._splitter.rest):
            for event in self._splitter.feed(b"\n\n"):
                self._see(event)
        if clean and self._goes_on() and self.tap.finished:
            tail = self.tap.close()
            self.finish = StreamEnd(tail, None) if self.tap.fault is None else StreamEnd(b"", self.tap.fault)
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
