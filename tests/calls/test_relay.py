"""A stream on its way through: the same whichever way it is cut, and its end told before the last bytes."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.calls.relay import StreamEnd, StreamRelay
from encke.core.faults import Fault
from encke.core.usage import NO_USAGE
from encke.dialects.cost import CHAT_PLACE, end_with_cost
from encke.dialects.openai_chat.stream import DONE, ChatTap
from encke.framing.sse import MAX_EVENT, SseSplitter
from encke.http.drive import Signal
from encke.http.server import ServerConnection
from tests.relay import oracle

CUT = Fault("upstream_reset", "cut")


class Client:
    """What a relay needs of a client."""

    def __init__(self) -> None:
        self.got = b""

    def write_stream(self, data: bytes) -> None:
        self.got += data


class Watched:
    """A relay with its client, driven as an attempt and a call would."""

    def __init__(self, wants_usage: bool = False) -> None:
        self.relay = StreamRelay(ChatTap(wants_usage), Signal(), SseSplitter())
        self.client = Client()

    def read(self, data: bytes) -> None:
        """One read from upstream's socket. Raises Fault."""
        self.relay.take(data)
        self.relay.flush()
        self._open()

    def close(self, clean: bool = True) -> None:
        self.relay.close(clean, CUT)
        self._open()

    def _open(self) -> None:
        if self.relay.opened.ready and self.failed is None and not self.relay.flowing:
            self.client.got += self.relay.flow(cast(ServerConnection, self.client))

    @property
    def failed(self) -> Fault | None:
        """What it failed with before content."""
        return cast("Fault | None", self.relay.opened._error)

    @property
    def end(self) -> StreamEnd | None:
        return self.relay.ended._value


def event(delta: dict[str, Any] | None = None, finish: str | None = None, index: int = 0, **more: Any) -> str:
    choice = {"index": index, "delta": delta or {}, "finish_reason": finish}
    return f"data: {json.dumps({'choices': [choice], **more}, ensure_ascii=False)}"


USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
MENU = [
    event({"role": "assistant", "content": ""}),
    event({"content": "Hé 漢 🙂"}),
    event({"content": " "}),
    event({"content": "b"}, index=1),
    event({"tool_calls": [{"index": 0}]}),
    event(finish="stop"),
    event(finish="stop", index=1),
    event(finish="stop", usage=USAGE),
    f"data: {json.dumps({'choices': [], 'usage': USAGE})}",
    'data: {"choices":[],"prompt_filter_results":[]}',
    'data: {"choices":[],"usage":null}',
    'data: {"error":{"message":"boom","code":503}}',
    "data: {not json",
    ": comment",
    "event: ping",
    'event: x\ndata: {"choices":\ndata: []}',
    "data: [DONE]",
    "data:[DONE]",
]
EVENTS = st.lists(st.sampled_from(MENU), max_size=10)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])


@settings(max_examples=500, deadline=None)
@given(
    EVENTS, ENDS, st.booleans(), st.booleans(), st.booleans(), st.booleans(), st.lists(st.integers(0, 900), max_size=20)
)
def test_what_comes_out_is_what_the_rules_say(
    events: list[str], eol: str, bom: bool, whole_end: bool, clean: bool, wants_usage: bool, cuts: list[int]
) -> None:
    """Any events, any line ends, cut anywhere, ended in order or not: held against the rules written down apart."""
    text = ("\n\n".join(events) + ("\n\n" if whole_end else "")).replace("\n", eol)
    data = (b"\xef\xbb\xbf" if bom else b"") + text.encode()
    watched = Watched(wants_usage)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        watched.read(data[start:end])
    watched.close(clean)
    expected = oracle.expect(True, wants_usage, 200, data, clean=clean)
    if expected.status != 200:
        assert watched.failed is not None and watched.failed.status in (expected.status, CUT.status)
        assert watched.client.got == b""
        return
    assert watched.failed is None and watched.end is not None
    if expected.broken:
        assert watched.end.fault is not None and watched.end.tail == b""
        assert watched.client.got == expected.events
    else:
        assert watched.end.fault is None
        assert watched.client.got + watched.end.tail == expected.body


@settings(max_examples=500, deadline=None)
@given(EVENTS, ENDS, st.booleans(), st.booleans(), st.lists(st.integers(0, 900), max_size=20))
def test_with_its_cost_a_stream_is_the_same_stream(
    events: list[str], eol: str, whole_end: bool, clean: bool, cuts: list[int]
) -> None:
    """What is kept back for the cost goes out with the end: every event, in its order, and nothing else changed."""
    data = ("\n\n".join(events) + ("\n\n" if whole_end else "")).replace("\n", eol).encode()
    watched = Watched(True)
    watched.relay.keep_usage(finish=False)
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(edges):
        watched.read(data[start:end])
    watched.close(clean)
    expected = oracle.expect(True, True, 200, data, clean=clean)
    if expected.status != 200:
        assert watched.client.got == b""
        return
    assert watched.end is not None
    late = watched.relay.late
    got = watched.client.got + late
    made = end_with_cost(late, b"0.5", NO_USAGE, CHAT_PLACE) or b""
    assert made.count(b',"cost":0.5}') == (late != b"") and made.replace(b',"cost":0.5', b"") == late
    if expected.broken:
        assert got == expected.events
    else:
        assert got + watched.end.tail == expected.body


def test_only_the_usage_at_the_end_waits() -> None:
    """Usage with every piece of text (some servers do that) delays none of it; what follows the usage waits with it."""
    watched = Watched(True)
    watched.relay.keep_usage(finish=False)
    texts = [f"{event({'content': 'a'}, usage=USAGE)}\n\n".encode() for _ in range(3)]
    for number, text in enumerate(texts):
        watched.read(text)
        assert watched.client.got == b"".join(texts[: number + 1])
    finish, usage = f"{event(finish='stop')}\n\n".encode(), f"{MENU[8]}\n\n".encode()
    watched.read(finish + usage + b": comment\n\n")
    assert watched.client.got == b"".join(texts) + finish
    watched.read(usage)
    assert watched.client.got == b"".join(texts) + finish + usage + b": comment\n\n"
    watched.read(b"data: [DONE]\n\n")
    assert watched.relay.late == usage
    assert watched.end is not None and watched.end.tail == DONE


def test_not_much_waits() -> None:
    """A stream that goes on without end after its usage is not held."""
    watched = Watched(True)
    watched.relay.keep_usage(finish=False)
    watched.read(f"{MENU[1]}\n\n{MENU[5]}\n\n{MENU[8]}\n\n".encode())
    for _ in range(100):
        watched.read(b": comment\n\n")
    assert len(watched.client.got) > 80 * len(": comment\n\n") and watched.relay.late == b""


def test_nothing_is_sent_before_content() -> None:
    """Roles, comments and white space wait, and go out with the first content."""
    watched = Watched()
    held = f": hello\n\n{MENU[0]}\n\n{MENU[2]}\n\n".encode()
    watched.read(held)
    assert not watched.relay.opened.ready and watched.client.got == b""
    content = f"{MENU[1]}\n\n".encode()
    watched.read(content)
    assert watched.client.got == held + content


def test_the_last_event_is_held_back() -> None:
    """The end mark is not written by the relay: the call settles first."""
    watched = Watched()
    watched.read(f"{MENU[1]}\n\n{MENU[5]}\n\ndata: [DONE]\n\n".encode())
    assert b"[DONE]" not in watched.client.got
    assert watched.end is not None and (watched.end.tail, watched.end.fault) == (DONE, None)


def test_what_follows_the_end_is_dropped() -> None:
    """Late events and a second end mark."""
    watched = Watched()
    watched.read(f"{MENU[1]}\n\ndata: [DONE]\n\n{MENU[1]}\n\n".encode())
    got = watched.client.got
    watched.read(f"{MENU[1]}\n\ndata: [DONE]\n\n".encode())
    watched.close(clean=False)
    assert watched.client.got == got and watched.end is not None
    assert (watched.end.tail, watched.end.fault) == (DONE, None)


def test_a_failure_before_content_fails_the_opening() -> None:
    """So that it keeps its status and the call may move on."""
    watched = Watched()
    watched.read(f"{MENU[0]}\n\n{MENU[11]}\n\n".encode())
    assert watched.failed is not None and watched.failed.code == "overloaded"
    assert watched.end is None and watched.client.got == b""


@pytest.mark.parametrize("opened", [False, True])
def test_an_endless_line_is_too_large(opened: bool) -> None:
    """An event of more than 1 MiB is refused, whether content has come or not."""
    watched = Watched()
    if opened:
        watched.read(f"{MENU[1]}\n\n".encode())
    with pytest.raises(Fault) as caught:
        for _ in range(MAX_EVENT // 65536 + 1):
            watched.read(b"data: " + b"x" * 65536)
    assert caught.value.code == "upstream_too_large"


def test_events_with_pictures_may_be_larger() -> None:
    """A dialect whose events hold pictures says how large they may be: then as much is held, and no more."""
    tap = ChatTap(False)
    relay = StreamRelay(tap, Signal(), SseSplitter(4 * MAX_EVENT))
    relay.take(b'data: {"choices":[],"x":"' + b"x" * (2 * MAX_EVENT) + b'"}\n\n')
    with pytest.raises(Fault, match="4 MiB"):
        relay.take(b'data: {"choices":[],"x":"' + b"x" * (2 * MAX_EVENT) + b'"}\n\n')


def test_endless_events_without_content_are_too_much() -> None:
    """No more than 1 MiB is held while there is no content."""
    watched = Watched()
    comment = b": " + b"x" * 1000 + b"\n\n"
    with pytest.raises(Fault) as caught:
        for _ in range(MAX_EVENT // len(comment) + 2):
            watched.read(comment)
    assert caught.value.code == "upstream_too_large"
    assert watched.client.got == b""


def test_small_events_without_content_are_counted_with_what_they_cost() -> None:
    """An empty comment of three bytes takes twenty times as much while it is held."""
    watched = Watched()
    with pytest.raises(Fault) as caught:
        for _ in range(10):
            watched.read(b":\n\n" * 3000)
    assert caught.value.code == "upstream_too_large"
    assert watched.client.got == b""


def metered(pieces: list[bytes], every: int, grant: bool) -> tuple[Watched, int]:
    """A stream that stops after so many events with content, again and again, and goes on, or is cut; its stops."""
    watched, stops = Watched(), 0
    relay = watched.relay
    relay.stop_at(1 << 40, every)

    def pay() -> None:
        nonlocal stops
        while relay.stopped:
            stops += 1
            if not grant:
                relay.cut(CUT)
                return
            relay.stop_at(1 << 40, (stops + 1) * every)
            relay.go_on()

    for piece in pieces:
        if relay.finish is None:
            watched.read(piece)
            pay()
            relay.flush()
            watched._open()
    if relay.finish is None:
        watched.close()
    return watched, stops


TEN = ["".join([event({"content": f"{n} "}) + "\n\n"]) for n in range(10)]
STREAM = ("".join(TEN) + event({}, "stop") + "\n\ndata: [DONE]\n\n").encode()


@given(st.integers(1, 12), st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_a_metered_stream_is_the_same_stream(every: int, cuts: list[int]) -> None:
    """However often it stops to be paid for, and however it is cut into reads: the same bytes and the same end."""
    places = [0, *sorted(cuts), len(STREAM)]
    watched, stops = metered([STREAM[a:b] for a, b in pairwise(places)], every, True)
    assert watched.end is not None and watched.end.fault is None
    assert watched.client.got + watched.end.tail == STREAM
    assert stops == 10 // every


@pytest.mark.parametrize("every", [1, 4, 10])
def test_a_stream_that_is_not_paid_on_is_cut_at_its_mark(every: int) -> None:
    """One event beyond the mark has come and is shown; the rest, though it lies here, is neither counted nor sent."""
    watched, stops = metered([STREAM], every, False)
    assert stops == 1 and watched.end is not None and watched.end.fault is CUT
    shown = TEN[: every + 1] if every < 10 else [*TEN, event({}, "stop") + "\n\n"]
    assert watched.client.got.decode() == "".join(shown)
    if every < 10:
        assert watched.relay.tap.content_bytes == 2 * (every + 1)


def test_the_end_waits_with_the_rest() -> None:
    """A connection that ends while a stream stands ends it only when the rest has been looked at."""
    watched = Watched()
    watched.relay.stop_at(1 << 40, 1)
    watched.read(STREAM[: -len(DONE)])
    watched.close()
    assert watched.relay.stopped and watched.end is None
    watched.relay.stop_at(1 << 40, 1 << 40)
    watched.relay.go_on()
    watched.relay.flush()
    assert cast(Any, watched.end).tail == DONE


def test_bytes_are_a_mark_too() -> None:
    """One large event is as much as many small ones."""
    watched = Watched()
    watched.relay.stop_at(100, 1 << 40)
    watched.read((event({"content": "x" * 99}) + "\n\n").encode())
    assert not watched.relay.stopped
    watched.read((event({"content": "xx"}) + "\n\n").encode())
    assert watched.relay.stopped
