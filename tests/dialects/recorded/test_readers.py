"""Every recorded answer, read into the hub by its provider's side: it says there what it says on the wire."""

from __future__ import annotations

from collections import Counter

import pytest

from encke.core.chat import ChatReply, ChatRequest, Message, Text
from encke.core.delta import Delta
from encke.core.faults import Fault
from encke.dialects.table import PROVIDERS
from tests.conftest import Count, Size
from tests.dialects.recorded import drive, hub
from tests.dialects.recorded.agree import differences
from tests.dialects.recorded.cases import Case, answers, streamed
from tests.dialects.recorded.reasons import reason
from tests.dialects.recorded.tally import Tally
from tests.dialects.recorded.test_replies import is_failure
from tests.dialects.wires.facts import Facts, events, json_lines

pytestmark = pytest.mark.recordings
ASKED = ChatRequest(model="any", messages=(Message("user", (Text("Hello"),)),))


def test_every_answer_is_read(size: Size, count: Count) -> None:
    """Whole ones and streams; what has no end is none, and a failure is one."""
    skipped: Counter[str] = Counter()
    found = Tally()
    for case, facts in answers(size(4, soak=1), skipped):
        if case.op not in PROVIDERS:
            continue
        read, fault = _stream(case) if case.exchange.stream else _whole(case)
        source = f"{case.exchange.provider} {case.exchange.api}"
        if (fault is not None) != is_failure(facts):
            problem = f"{fault or 'no failure'}, upstream was {'cut' if is_failure(facts) else 'whole'}"
            found.note(source, "hub", "end", problem, case.name, reason(case, "hub", "end", facts))
            continue
        if fault is not None:
            continue
        wrong = differences(facts, read, "hub")
        for aspect, what in wrong.items():
            found.note(source, "hub", aspect, what, case.name, reason(case, "hub", aspect, facts))
        if not wrong:
            found.note(source, "hub", "all")
    found.check()
    count(f"answers read into the hub: {found.line()}; left out: {dict(skipped)}")


def _whole(case: Case) -> tuple[Facts, Fault | None]:
    try:
        reply = PROVIDERS[case.op].read_reply(case.exchange.body, ASKED, drive.CALL_ID)
    except Fault as fault:
        return Facts(), fault
    assert isinstance(reply, ChatReply)
    return hub.of_reply(reply), None


def _stream(case: Case) -> tuple[Facts, Fault | None]:
    side = PROVIDERS[case.op]
    reader = side.reader(ASKED, drive.CALL_ID)
    deltas: list[Delta] = []
    for data in (json_lines if side.framing == "json_lines" else events)(streamed(case)):
        deltas += reader.feed(drive.encoded(data))
        if reader.fault is not None:
            return Facts(), reader.fault
        if reader.ended:
            break
    deltas += reader.finish()
    facts = hub.of_deltas(deltas, reader.usage)
    return facts, reader.fault or (None if facts.whole else drive.CUT_SHORT)
