"""Keys to grants."""

from __future__ import annotations

import time
from typing import Any

import pytest

from encke.core.clock import now_ms
from encke.core.faults import Fault
from encke.http.request import Request
from encke.keys.granting import KeyRow, LevelRow, pack
from encke.keys.secret import digest, mint
from encke.keys.snapshot import Part, Received
from encke.worker.admission import MAX_REMEMBERED, Admission

PEPPER = b"p" * 32
GOOD = mint().secret
OLD = mint().secret
LEVELS: dict[str, Any] = {"organisations": [(1, LevelRow("default"))], "projects": [(1, LevelRow("default", 1))]}


def rows(**keys: KeyRow | None) -> list[tuple[bytes, bytes | None]]:
    """Keys, by `good` and `old`, as they are sent."""
    secrets = {"good": GOOD, "old": OLD}
    return [(digest(PEPPER, secrets[name]), pack(row) if row is not None else None) for name, row in keys.items()]


def known(**keys: KeyRow | None) -> Received:
    """A snapshot that holds these."""
    made = Received()
    made.take(Part(1, None, PEPPER, keys=rows(**keys), **LEVELS))
    return made


def change(admission: Admission, received: Received, **keys: KeyRow | None) -> None:
    """The next snapshot."""
    received.take(Part(received.version + 1, received.version, PEPPER, keys=rows(**keys)))
    admission.renew()


@pytest.fixture
def received() -> Received:
    """A snapshot with a good key and an expired one."""
    return known(good=KeyRow("good", "good", 1, 1), old=KeyRow("old", "old", 1, 1, expires=now_ms() - 1))


@pytest.fixture
def admission(received: Received) -> Admission:
    """One that has a snapshot."""
    made = Admission(received)
    made.renew()
    return made


def request(query: bytes = b"", **headers: str) -> Request:
    """A request with those headers; underscores stand for dashes."""
    made = Request()
    made.query = query
    made.headers = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
    return made


def code(admission: Admission, asked: Request) -> str:
    """The code it is refused with."""
    with pytest.raises(Fault) as raised:
        admission.admit(asked)
    assert GOOD not in raised.value.message
    return raised.value.code


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {GOOD}"}, {"authorization": f"BEARER  {GOOD} "}, {"authorization": GOOD},
        {"x_api_key": GOOD}, {"api_key": GOOD}, {"x_goog_api_key": f" {GOOD} "},
        {"x_api_key": GOOD, "authorization": f"Bearer {GOOD}"}, {"x_api_key": "", "authorization": f"Bearer {GOOD}"},
    ],
)  # fmt: skip
def test_spellings(admission: Admission, headers: dict[str, str]) -> None:
    """Each place a key may stand in, the first time and again."""
    for _ in range(3):
        assert admission.admit(request(b"", **headers)).public_id == "good"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (request(), "missing_api_key"),
        (request(authorization="Bearer"), "missing_api_key"),
        (request(authorization="Bearer "), "missing_api_key"),
        (request(authorization=f"Bearer {OLD}"), "expired_api_key"),
        (request(authorization=f"Bearer {GOOD[:-1]}"), "invalid_api_key"),
        (request(authorization=f"Basic {GOOD}"), "invalid_api_key"),
        (request(authorization=f"Bearer {GOOD}", api_key=OLD), "invalid_value"),
        (request(b"key=" + GOOD.encode()), "invalid_value"),
        (request(b"x=1&API_KEY=" + GOOD.encode(), authorization=f"Bearer {GOOD}"), "invalid_value"),
    ],
)
def test_refusals(admission: Admission, asked: Request, expected: str) -> None:
    """Each way to be wrong, also when the same key was admitted just before."""
    admission.admit(request(authorization=f"Bearer {GOOD}"))
    assert code(admission, asked) == expected


@pytest.mark.parametrize(
    ("path", "headers", "in_query", "how"),
    [
        ("/v1/chat/completions", {}, False, "`Authorization: Bearer sk-…`."),
        ("/v1/messages", {}, False, "`x-api-key: sk-…` or"),
        ("/v1/v1/messages/count_tokens", {}, False, "`x-api-key: sk-…` or"),
        ("/v1/models", {"anthropic_version": "2023-06-01"}, False, "`x-api-key: sk-…` or"),
        ("/v1beta/models/m:generateContent", {}, True, "`x-goog-api-key: sk-…`."),
    ],
)
def test_how_a_key_is_sent(admission: Admission, path: str, headers: dict[str, str], in_query: bool, how: str) -> None:
    """In the header of the caller's own dialect."""
    asked = request(b"", **headers)
    asked.path = path
    with pytest.raises(Fault) as raised:
        admission.admit(asked, in_query)
    assert raised.value.code == "missing_api_key" and f"Send it as {how}" in raised.value.message


def test_a_remembered_key_does_not_hide_a_second_one(admission: Admission) -> None:
    """What is remembered for a header counts only while that header is all there is."""
    assert admission.admit(request(authorization=f"Bearer {GOOD}")).public_id == "good"
    assert code(admission, request(authorization=f"Bearer {GOOD}", x_api_key=OLD)) == "invalid_value"
    assert code(admission, request(b"key=" + GOOD.encode(), authorization=f"Bearer {GOOD}")) == "invalid_value"


@pytest.mark.parametrize("empty", ["", "Bearer", "Bearer  "])
def test_a_remembered_empty_header_opens_nothing(admission: Admission, empty: str) -> None:
    """An empty Authorization beside a good key in another header is let in; by itself, afterwards, it is not."""
    assert admission.admit(request(b"", authorization=empty, x_api_key=GOOD)).public_id == "good"
    assert code(admission, request(b"", authorization=empty)) == "missing_api_key"


def test_revoked_with_the_next_snapshot(admission: Admission, received: Received) -> None:
    """A key that is in no snapshot any more is refused at once, though it was remembered; back again, it serves."""
    asked = request(authorization=f"Bearer {GOOD}")
    admission.admit(asked)
    change(admission, received, good=None)
    assert code(admission, asked) == "invalid_api_key"
    change(admission, received, good=KeyRow("good", "good", 1, 1))
    assert admission.admit(asked).public_id == "good"


def test_expiry_is_looked_at_each_time(admission: Admission, received: Received) -> None:
    """A key that is remembered expires all the same."""
    change(admission, received, good=KeyRow("good", "good", 1, 1, expires=now_ms() + 80))
    asked = request(authorization=f"Bearer {GOOD}")
    assert admission.admit(asked).public_id == "good"
    time.sleep(0.1)
    with pytest.raises(Fault, match="has expired, or it was given another secret") as caught:
        admission.admit(asked)
    assert caught.value.code == "expired_api_key"


def test_no_snapshot_is_503_never_401() -> None:
    """Before the first snapshot nobody is told that their key is wrong."""
    assert code(Admission(Received()), request(authorization=f"Bearer {GOOD}")) == "unavailable"


def test_what_is_remembered_is_bounded(admission: Admission) -> None:
    """Spellings of one good key do not fill the memory; wrong keys are not remembered at all."""
    for number in range(MAX_REMEMBERED + 100):
        admission.admit(request(authorization="Bearer" + " " * (number + 1) + GOOD))
    for number in range(100):
        code(admission, request(authorization=f"Bearer sk-{number}"))
    assert len(admission._seen) <= MAX_REMEMBERED
