"""Every recorded stream, through every caller's dialect that is not its own: the caller's stream obeys its grammar,
says what the provider said, and does not depend on how the bytes came."""

from __future__ import annotations

import zlib
from collections import Counter

import pytest

from encke.dialects.table import PROVIDERS
from tests.conftest import Count, Size
from tests.dialects.recorded import drive, tally
from tests.dialects.recorded.agree import NO_PLACE, differences
from tests.dialects.recorded.cases import ROUTES, Case, answers, grammar, read_stream
from tests.dialects.recorded.reasons import reason
from tests.dialects.recorded.tally import Tally
from tests.dialects.recorded.test_replies import aspects, is_failure
from tests.dialects.wires.facts import Facts

pytestmark = pytest.mark.recordings
TOLD = (*ROUTES, "array") if "generate" in ROUTES else tuple(ROUTES)
MOST_BYTEWISE = 60_000


def test_every_stream_says_the_same_in_every_dialect(size: Size, count: Count, pytestconfig: pytest.Config) -> None:
    """Whole, byte by byte and cut at random: the same bytes, which the grammar takes, and the same facts."""
    skipped: Counter[str] = Counter()
    found = Tally()
    for case, facts in answers(size(16, soak=1), skipped):
        if not case.exchange.stream or case.op not in PROVIDERS:
            continue
        for route in TOLD:
            if case.op != route and (case.op, route) != ("generate", "array"):
                _translate(case, facts, route, found)
    found.check()
    count(f"streams in other dialects: {found.line()}; left out: {dict(skipped)}")
    if pytestconfig.getoption("--write-compatibility"):
        tally.write("streams", found, skipped.items())
    tally.hold("streams", found)


def _translate(case: Case, facts: Facts, route: str, found: Tally) -> None:
    source = f"{case.exchange.provider} {case.exchange.api}"

    def note(feature: str, problem: str) -> None:
        found.note(source, route, feature, problem, case.name, reason(case, route, feature, facts) if problem else "")

    made = drive.stream(case, route)
    book = grammar(route, made.out)
    note("grammar", str(book) if book.breaches else "")
    note("cuts", "" if _same_when_cut(case, route, made.out) else "other bytes when it is cut")
    if (made.fault is not None) != is_failure(facts):
        note("end", f"ended with {made.fault}, upstream was {'cut' if is_failure(facts) else 'whole'}")
        return
    note("end", "" if book.end == ("whole" if made.fault is None else "error") else f"told as {book.end!r}")
    if made.fault is not None:
        return
    wrong = differences(facts, read_stream(route, made.out), route)
    for aspect in dict.fromkeys([*aspects(facts), *wrong]):
        note(aspect, wrong.get(aspect, "") or NO_PLACE.get((route, aspect), ""))


def _same_when_cut(case: Case, route: str, whole: bytes) -> bool:
    """Byte by byte for one dialect of each recording, at random for the others."""
    bytewise = list(TOLD)[zlib.crc32(case.id.encode()) % len(TOLD)] == route and len(case.exchange.body) < MOST_BYTEWISE
    sizes = [1] if bytewise else drive.cut_at_random(case)
    return drive.stream(case, route, sizes).out == whole
