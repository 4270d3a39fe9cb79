"""Every case of the corpus, against a running gateway; and what the upstream was sent meanwhile."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from encke.testing.upstream import FakeUpstream
from tests.conftest import Count
from tests.hostile.corpus import Case, load
from tests.hostile.judge import check_calls, check_upstream_request, play
from tests.support.client import Response
from tests.support.gateway import Gateway

CASES = load()
PATIENT = [case for case in CASES if case.area == "time"]
QUICK = [case for case in CASES if case.area != "time"]


def test_the_corpus_is_large(count: Count) -> None:
    """At least 500 distinct bad requests in nine areas, 60 of them about framing."""
    bad = {case.data for case in CASES if any(answer.status >= 400 for answer in case.want) or not case.want}
    areas = Counter(case.area for case in CASES)
    assert len(bad) >= 500 and areas["framing"] >= 60 and len(areas) == 9
    told = ", ".join(f"{area} {number}" for area, number in sorted(areas.items()))
    count(f"hostile corpus: {len(CASES)} cases, {len(bad)} distinct bad requests ({told})")


@pytest.fixture(scope="module")
def patient(gateway: Gateway) -> Iterator[dict[str, Future[list[Response]]]]:
    """The cases that take their time, all at once."""
    with ThreadPoolExecutor(len(PATIENT)) as pool:
        yield {case.name: pool.submit(play, case, gateway.port) for case in PATIENT}


@pytest.mark.parametrize("case", QUICK, ids=str)
def test_case(case: Case, gateway: Gateway, upstream: FakeUpstream) -> None:
    """The right answers in the right order, the right fate of the connection, and what reached the upstream."""
    before = len(upstream.statement.calls())
    play(case, gateway.port)
    if case.calls:
        calls = upstream.statement.calls()[before:]
        assert len(calls) == case.calls
        if case.field is not None:
            name, value = case.field
            expected = f'"{name}":'.encode() + value
            assert expected in calls[0].body and json.loads(calls[0].body)["model"] == "m"


@pytest.mark.parametrize("case", PATIENT, ids=str)
def test_case_that_takes_its_time(case: Case, patient: dict[str, Future[list[Response]]]) -> None:
    """Who is slow, cut or half closed is answered or cut in time."""
    patient[case.name].result(60)


def test_bank_statement(gateway: Gateway, upstream: FakeUpstream, count: Count) -> None:
    """No hidden request was ever sent on; nothing of a client's headers was; what is no request was never sent."""
    assert upstream.statement.rejected() == []
    for case in CASES:
        check_calls(case, upstream.statement)
    calls = upstream.statement.calls()
    for call in calls:
        check_upstream_request(call)
    fields = Counter(name.lower() for call in calls for name, _ in call.headers)
    count(f"hostile corpus: {len(calls)} upstream calls, header fields {', '.join(sorted(fields))}")


def test_access_log_names_what_was_read(gateway: Gateway) -> None:
    """Every refused request has its line; one whose first line was read has method and path there."""
    lines = [json.loads(line) for line in gateway.log.splitlines() if line.startswith('{"time"')]
    refused = [line for line in lines if line.get("code")]
    assert len(refused) > 500
    named = [line for line in refused if line["method"] and line["path"]]
    unread = {line["code"] for line in refused if not line["method"]}
    assert unread <= {"bad_request", "request_timeout", "headers_too_large"}
    assert len(named) > 0.9 * len(refused)
    assert all(line["status"] < 500 for line in lines)
