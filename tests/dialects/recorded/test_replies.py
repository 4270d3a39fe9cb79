"""Every recorded answer that is no stream, through every caller's dialect that is not its own: what the caller reads is
what the provider said."""

from __future__ import annotations

from collections import Counter

import pytest

from encke.core.faults import Fault
from encke.dialects.table import PROVIDERS
from tests.conftest import Count, Size
from tests.dialects.recorded import drive, tally
from tests.dialects.recorded.agree import ASPECTS, NO_PLACE, differences
from tests.dialects.recorded.cases import ROUTES, Case, answers
from tests.dialects.recorded.reasons import reason
from tests.dialects.recorded.tally import Tally
from tests.dialects.wires.facts import Answer, Facts

pytestmark = pytest.mark.recordings


def test_every_answer_says_the_same_in_every_dialect(size: Size, count: Count, pytestconfig: pytest.Config) -> None:
    """Text, thoughts, refusals, tools with their arguments, the reason of the end, and usage."""
    skipped: Counter[str] = Counter()
    found = Tally()
    for case, facts in answers(size(6, soak=1), skipped):
        if case.exchange.stream or case.op not in PROVIDERS:
            continue
        for route in ROUTES:
            if case.op != route:
                _translate(case, facts, route, found)
    found.check()
    count(f"answers in other dialects: {found.line()}; left out: {dict(skipped)}")
    if pytestconfig.getoption("--write-compatibility"):
        tally.write("replies", found, skipped.items())
    tally.hold("replies", found)


def _translate(case: Case, facts: Facts, route: str, found: Tally) -> None:
    source = f"{case.exchange.provider} {case.exchange.api}"
    try:
        _, body = drive.reply(case, route)
    except Fault as fault:
        # What is no answer is told as a failure, and nothing that is one.
        found.note(
            source,
            route,
            "failures",
            "" if is_failure(facts) else str(fault),
            case.name,
            reason(case, route, "failures", facts),
        )
        return
    if is_failure(facts):
        found.note(
            source,
            route,
            "failures",
            "a failure is told as an answer",
            case.name,
            reason(case, route, "failures", facts),
        )
        return
    told = ROUTES[route].whole(body)
    wrong = differences(facts, told, route)
    for aspect in aspects(facts):
        problem = wrong.pop(aspect, "") or NO_PLACE.get((route, aspect), "")
        found.note(source, route, aspect, problem, case.name, reason(case, route, aspect, facts))
    for aspect, what in wrong.items():
        found.note(source, route, aspect, what, case.name, reason(case, route, aspect, facts))


def is_failure(facts: Facts) -> bool:
    """Whether there is nothing that could be told as an answer."""
    return facts.failed or not facts.whole or not facts.answers


def aspects(facts: Facts) -> list[str]:
    """What there is to be compared."""
    empty = Answer()
    said = [
        name
        for name in ("text", "refusal", "calls", "signed", "cited", "logprobs")
        if any(getattr(one, name) for one in facts.answers)
    ]
    said += ["reasoning"] if any(one.thinking for one in facts.answers) else []
    said += ["stop"] if any(one.finish != empty.finish for one in facts.answers) else []
    said += ["answers"] if len(facts.answers) > 1 else []
    return [name for name in ASPECTS if name in said or (name == "usage" and facts.usage is not None)]
