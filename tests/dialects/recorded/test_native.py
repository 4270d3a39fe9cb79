"""Where a caller and a provider speak the same dialect, nothing is changed: recorded requests and answers pass as they
are, and what the gateway reads of them is what they say.

Chat completions go through the whole gateway in tests/relay/test_exchanges.py.
"""

from __future__ import annotations

import json
from collections import Counter

import msgspec
import pytest

from encke.core.faults import Fault
from encke.core.traits import Traits
from encke.core.usage import Usage
from encke.dialects.table import CLIENTS
from tests.conftest import Count, Size
from tests.dialects.recorded import drive
from tests.dialects.recorded.cases import MODEL, Case, answers, sampled, streamed
from tests.dialects.wires.facts import Facts, events

pytestmark = pytest.mark.recordings
NATIVE = frozenset({"chat", "responses", "messages", "generate"})
# Usage is asked for by nobody here: of chat requests, too, only the model is changed.
SILENT = Traits(stream_usage="always")


def requests(step: int) -> list[tuple[Case, str, bytes]]:
    """Recorded requests of callers' dialects that were good: the path after the route's, and the body."""
    found = []
    for case in sampled(step):
        body, record = case.exchange.request_body, case.exchange.record["request"]
        if case.op in NATIVE and body is not None and record.get("method") == "POST" and case.exchange.status == 200:
            target = ""
            if case.op != "generate":
                body = body | {"model": body.get("model") or "any"}  # who runs one model only needs no name
            else:
                target = f"{record['path'].rpartition('/')[2]}?{record.get('query') or ''}".removesuffix("?")
            if str(record["path"]).endswith("/compact"):
                continue
            found.append((case, target, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()))
    return found


def test_a_request_goes_on_to_the_byte(size: Size, count: Count) -> None:
    """Of every request only the model is another; with the same model it is the same bytes."""
    passed: Counter[str] = Counter()
    refused = []
    for case, target, data in requests(size(3, soak=1)):
        side = CLIENTS[case.op]
        try:
            request = side.read(data, target, {})
        except Fault as fault:
            refused.append(f"{case.name}: {fault}")
            continue
        assert b"".join(side.render(request, request.model, SILENT)) == data, case.name
        told, sent = msgspec.json.decode(data), msgspec.json.decode(b"".join(side.render(request, MODEL, SILENT)))
        assert list(told) == list(sent), case.name
        if "model" in told:  # Google's SDKs repeat the path's in the body
            assert sent.pop("model").removeprefix("models/") == MODEL
            assert told.pop("model").removeprefix("models/") == request.model
        assert told == sent, case.name
        passed[case.op] += 1
    assert len(refused) * 500 <= passed.total(), "\n".join(refused)
    count(f"native requests, to the byte: {dict(passed)}, refused {len(refused)}")


def test_an_answer_is_read_and_passes(size: Size, count: Count) -> None:
    """Streams pass to the byte, with LF for CRLF (or as Gemini's array); usage, reason and end are the answer's."""
    skipped: Counter[str] = Counter()
    passed: Counter[str] = Counter()
    problems = []
    for case, facts in answers(size(3, soak=1), skipped):
        if case.op not in NATIVE:
            continue
        found = _stream(case, facts) if case.exchange.stream else _whole(case, facts)
        problems += [f"{case.name}: {one}" for one in found]
        passed[case.op] += not found
    assert not problems, f"{len(problems)} differ; the first:\n" + "\n".join(problems[:20])
    count(f"native answers: {dict(passed)}; left out: {dict(skipped)}")


def _whole(case: Case, facts: Facts) -> list[str]:
    try:
        reply = CLIENTS[case.op].read_reply(case.exchange.body)
    except Fault as fault:
        return [] if not facts.whole else [f"{fault}"]
    return _usage(reply.usage, facts) + _reason(reply.finish_reason, facts)


def _stream(case: Case, facts: Facts) -> list[str]:
    body = streamed(case)
    side = CLIENTS[case.op]
    made = drive.play(body, side.tap(drive.asked(case.op, stream=True)), side)
    found = _usage(made.tap.usage, facts) + _reason(made.tap.finish_reason, facts)
    ended = b"[DONE]" in body if case.op == "chat" else False  # an end mark of upstream's is believed
    if (made.fault is None) != facts.whole and not ended:
        return [f"ends with {made.fault}"]
    if made.fault is None and case.op != "chat":
        plain = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        # What follows the end is nobody's: a few recordings have two answers, or a mark of another dialect's.
        if not plain.strip().startswith(made.out.strip()):
            found.append("other bytes")
    return found + (_array(body, facts) if case.op == "generate" else [])


def _array(body: bytes, facts: Facts) -> list[str]:
    """Gemini's other form: the same objects as one array, which is closed even when the stream breaks off."""
    side = CLIENTS["generate"]
    made = drive.play(body, side.tap(drive.asked("array", stream=True)), side)
    told, values = json.loads(made.out), [value for value in events(body) if isinstance(value, dict)]
    if facts.whole:
        return [] if told == values else ["another array"]
    return [] if told[:-1] == values[: len(told) - 1] and "error" in told[-1] else ["a broken array"]


def _usage(usage: Usage | None, facts: Facts) -> list[str]:
    told = (0, 0) if usage is None else (usage.total_input, usage.total_output)
    return [] if told == (facts.usage or (0, 0)) else [f"usage {told}, not {facts.usage}"]


def _reason(reason: str, facts: Facts) -> list[str]:
    told = any(answer.finish for answer in facts.answers)
    return [] if bool(reason) == told or not facts.whole else [f"reason {reason!r}"]
