"""What Google and its callers have really sent: passed as it is, read into the hub, and written again, with values that
agree with what this file reads by itself.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.structs import replace

from encke.core.chat import ChatRequest, Message, Text, Thinking, ToolCall
from encke.core.faults import Fault
from encke.core.traits import Capabilities, Traits
from encke.dialects.google_generate.client import GoogleClient
from encke.dialects.google_generate.provider import GoogleChat
from encke.dialects.google_generate.tap import ArrayTap, GenerateTap
from encke.dialects.translate import Translator
from encke.framing.sse import SseSplitter
from encke.testing import replay
from encke.testing.replay import Exchange
from tests.conftest import Count, Size
from tests.dialects.grammar.generate import check, check_array
from tests.support import recordings

pytestmark = pytest.mark.recordings
CLIENT, PROVIDER = GoogleClient("generate"), GoogleChat()
ASKED = ChatRequest(model="m", messages=(Message("user", (Text("Hi"),)),))
CALL = "0190-ab"
OLD = Traits(Capabilities(thinking="budget", efforts=("none", "low", "medium", "high")))
MAY_BE_LOST = ("thinking", "reasoning", "tool_choice", "messages[", "google_generate.contents[")


def exchanges(every: int) -> Iterator[Exchange]:
    """Every n-th of those of this dialect."""
    found = (one for one in replay.recorded(recordings.folder(), api="google.generateContent"))
    return (one for at, one in enumerate(found) if at % every == 0)


def good(every: int, *, stream: bool) -> Iterator[Exchange]:
    """Answers with status 200, as events or whole."""
    for one in exchanges(every):
        if one.status == 200 and one.stream is stream and one.body.lstrip().startswith(b"data:" if stream else b"{"):
            yield one


def events(body: bytes) -> list[dict[str, Any]]:
    """A stream's events, read by hand."""
    found = []
    for line in body.replace(b"\r\n", b"\n").split(b"\n"):
        if line.startswith(b"data:"):
            found.append(json.loads(line[5:]))
    return found


def said(chunks: list[dict[str, Any]]) -> tuple[str, str, list[tuple[str, Any]]]:
    """Text, thoughts and whole calls of the first candidate, read by hand."""
    text, thoughts, calls = "", "", []
    for chunk in chunks:
        for candidate in (chunk.get("candidates") or [])[:1]:
            for part in (candidate.get("content") or {}).get("parts") or []:
                if part.get("thought"):
                    thoughts += part.get("text") or ""
                else:
                    text += part.get("text") or ""
                if "functionCall" in part:
                    calls.append((part["functionCall"].get("name"), part["functionCall"].get("args") or {}))
    return text, thoughts, calls


def last_usage(chunks: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The last usage that tells anything of tokens."""
    told = [chunk.get("usageMetadata") or {} for chunk in chunks]
    return next((one for one in reversed(told) if "promptTokenCount" in one or "candidatesTokenCount" in one), None)


def cuts(body: bytes, rng: random.Random) -> list[list[bytes]]:
    """A stream whole, cut at random, and, if it is short, byte by byte."""
    at, pieces = 0, []
    while at < len(body):
        size = rng.randint(1, 900)
        pieces.append(body[at : at + size])
        at += size
    single = [body[at : at + 1] for at in range(len(body))] if len(body) < 3000 else []
    return [[body], pieces, *([single] if single else [])]


def play(tap: Any, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """What a tap lets pass, and what it writes in place of it."""
    splitter, passed, written = SseSplitter(1 << 24), b"", b""
    for piece in [*pieces, b"\n\n"]:
        for raw, data in splitter.feed(piece):
            passed += raw
            if data is not None:
                tap.feed(data)
                written += tap.take()
    return passed, written


def test_requests_pass_and_are_asked_again(size: Size, count: Count) -> None:
    """To the byte on their own wire; and through the hub all comes back that is not named as lost."""
    passed = same = 0
    for one in exchanges(size(5, soak=1)):
        body, path = one.request_body, one.record["request"]["path"] or ""
        if body is None or "contents" not in body or "/models/" not in path:
            continue
        data, target = json.dumps(body).encode(), path.rpartition("/models/")[2]
        request = CLIENT.read(data, target, {})
        assert b"".join(CLIENT.render(request, target.partition(":")[0], OLD)) == data, one.id
        passed += 1
        try:
            hub = CLIENT.to_hub(request)
        except Fault:
            assert one.status == 400, one.id
            continue
        assert isinstance(hub, ChatRequest)
        rendered = PROVIDER.render(hub, "m", OLD)
        again = CLIENT.to_hub(CLIENT.read(rendered.body, target, {}))
        assert isinstance(again, ChatRequest)
        if hub.reasoning is None or "reasoning" not in rendered.dropped:
            assert bool(hub.reasoning) == bool(again.reasoning), one.id
        assert all(name.startswith(MAY_BE_LOST) for name in rendered.dropped), rendered.dropped
        if not rendered.dropped and "functionResponse" not in str(body):
            assert replace(again, reasoning=None) == replace(hub, reasoning=None), one.id
            same += 1
    assert passed > 100 and same > 80
    count(f"Gemini requests: {passed} passed to the byte, {same} the same through the hub")


def test_streams_pass_as_they_came(size: Size, count: Count) -> None:
    """To the byte but for line ends; usage, and the end, as the last events say; as an array, the same objects."""
    seen = 0
    rng = random.Random(7)
    for one in good(size(4, soak=1), stream=True):
        chunks = events(one.body)
        for pieces in cuts(one.body, rng):
            tap = GenerateTap()
            passed, _ = play(tap, pieces)
            assert events(passed) == chunks, one.id
            assert passed.rstrip() == one.body.replace(b"\r\n", b"\n").rstrip(), one.id
            usage = last_usage(chunks)
            assert (tap.usage is None) == (usage is None), one.id
            if tap.usage is not None and usage is not None and "totalTokenCount" in usage:
                assert tap.usage.total_input + tap.usage.total_output == usage["totalTokenCount"], one.id
            reasons = [c.get("finishReason") for chunk in chunks for c in chunk.get("candidates") or ()]
            blocked = any((chunk.get("promptFeedback") or {}).get("blockReason") for chunk in chunks)
            assert tap.finished == (any(reasons) or blocked), one.id
            array = ArrayTap()
            written = play(array, pieces)[1]
            assert json.loads(written + array.close()) == chunks, one.id
        seen += 1
    assert seen > 40
    count(f"Gemini streams passed: {seen}")


def test_streams_through_the_hub(size: Size, count: Count) -> None:
    """However they are cut: what was said comes out, in this dialect's grammar, as events and as an array."""
    seen = 0
    rng = random.Random(8)
    for one in good(size(4, soak=1), stream=True):
        chunks = events(one.body)
        text, thoughts, calls = said(chunks)
        for array in (False, True):
            request = CLIENT.read(b'{"contents":[]}', "m:streamGenerateContent" + ("" if array else "?alt=sse"), {})
            for pieces in cuts(one.body, rng):
                tap = Translator(PROVIDER.reader(ASKED, CALL), CLIENT.writer(request, CALL, 0))
                written = play(tap, pieces)[1]
                assert tap.fault is None, one.id
                if not tap.finished:
                    assert not any(c.get("finishReason") for chunk in chunks for c in chunk.get("candidates") or ())
                    continue
                written += tap.close()
                book = check_array(written) if array else check(written)
                assert not book.breaches and book.end == "whole", f"{one.id} {book}"
                found = said(json.loads(written) if array else events(written))
                if b"promptFeedback" not in one.body or calls or text:
                    assert found[0] == text, one.id
                assert found[1] == thoughts, one.id
                if b"partialArgs" not in one.body and b"willContinue" not in one.body:
                    assert found[2] == calls, one.id
        seen += 1
    assert seen > 40
    count(f"Gemini streams through the hub: {seen}")


def test_whole_answers_through_the_hub(size: Size, count: Count) -> None:
    """What was said is in the hub, and comes out again."""
    seen = 0
    request = CLIENT.read(b'{"contents":[]}', "m:generateContent", {})
    for one in good(size(4, soak=1), stream=False):
        wire = json.loads(one.body)
        if not wire.get("candidates"):
            continue
        reply = PROVIDER.read_reply(one.body, ASKED, CALL)
        text, thoughts, calls = said([wire])
        parts = reply.choices[0].parts
        finish = wire["candidates"][0].get("finishReason")
        assert "".join(part.text for part in parts if isinstance(part, Text)) == text, one.id
        assert "".join(part.text for part in parts if isinstance(part, Thinking)) == thoughts, one.id
        found = [(part.name, json.loads(part.arguments)) for part in parts if isinstance(part, ToolCall)]
        assert found == calls, one.id
        assert (reply.choices[0].finish is None) == (not finish), one.id
        if finish == "STOP":
            assert reply.choices[0].finish == ("tool_calls" if calls else "stop"), one.id
        again = said([json.loads(CLIENT.render_reply(reply, request, CALL, 0))])
        assert again[1:] == (thoughts, calls) and (again[0] == text or not text), one.id
        seen += 1
    assert seen > 100
    count(f"Gemini answers through the hub: {seen}")


def test_errors(count: Count) -> None:
    """Each is a Fault whose owner is known: the caller's keep their status, a bad key is the gateway's."""
    seen = 0
    for one in exchanges(1):
        if one.status == 200:
            continue
        fault = PROVIDER.read_fault(one.status, one.body, None)
        if b"API_KEY_INVALID" in one.body or one.status in (401, 403):
            assert fault.code == "upstream_auth", one.id
        elif one.status == 429:
            assert fault.code == "upstream_rate_limited", one.id
        else:
            assert fault.status == one.status, one.id
        seen += 1
    assert seen > 20
    count(f"Gemini errors: {seen}")
