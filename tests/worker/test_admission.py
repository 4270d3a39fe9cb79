"""Whose key it is, wherever it stands."""

from __future__ import annotations

import pytest

from encke.core.faults import Fault
from encke.http.server import Request
from encke.keys.grant import Grant
from encke.keys.secret import digest, mint
from encke.worker.admission import MAX_REMEMBERED, Admission

PEPPER = b"p" * 32
MADE = mint()
OWN = "sk-of-my-own-0123456789abcdefghijkl"
GRANT = Grant(MADE.public_id, "app", 1)
OTHER = Grant("other", "own", 1)
EXPIRED = Grant("old", "old", 1, expires=2)
OLD = mint()


@pytest.fixture
def admission() -> Admission:
    """With a snapshot of a key that Encke made, an operator's own, and an expired one."""
    made = Admission()
    keys = {MADE.secret: GRANT, OWN: OTHER, OLD.secret: EXPIRED}
    made.update(1, PEPPER, {digest(PEPPER, key): grant for key, grant in keys.items()})
    return made


def request(query: bytes = b"", /, **headers: str) -> Request:
    """A request with these headers, `_` for `-`."""
    made = Request()
    made.query = query
    made.headers = {name.replace("_", "-").encode(): value.encode("latin-1") for name, value in headers.items()}
    return made


def refusal(admission: Admission, asked: Request) -> Fault:
    """The fault that a request gives."""
    with pytest.raises(Fault) as caught:
        admission.admit(asked)
    return caught.value


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {MADE.secret}"},
        {"authorization": f"bearer   {MADE.secret} "},
        {"authorization": MADE.secret},
        {"x_api_key": MADE.secret},
        {"api_key": MADE.secret},
        {"x_goog_api_key": f" {MADE.secret}"},
        {"authorization": f"Bearer {MADE.secret}", "x_api_key": MADE.secret},
    ],
)
def test_the_key_may_stand_in_several_places(admission: Admission, headers: dict[str, str]) -> None:
    """Wherever a client puts it, twice too if it is the same; and again, when it is remembered."""
    assert admission.admit(request(**headers)) is GRANT
    assert admission.admit(request(**headers)) is GRANT


def test_two_different_keys_are_refused(admission: Admission) -> None:
    """Also when the first has been seen before."""
    admission.admit(request(authorization=f"Bearer {MADE.secret}"))
    fault = refusal(admission, request(authorization=f"Bearer {MADE.secret}", x_api_key=OWN))
    assert (fault.code, fault.status) == ("invalid_value", 400)


@pytest.mark.parametrize("query", [b"key=sk-abc", b"a=1&api_key=sk-abc", b"TOKEN=sk-abc"])
def test_a_key_in_the_query_is_refused(admission: Admission, query: bytes) -> None:
    """It would end up in logs; a good key beside it does not help."""
    fault = refusal(admission, request(query, authorization=f"Bearer {MADE.secret}"))
    assert fault.code == "invalid_value" and "query" in fault.message and "sk-abc" not in fault.message


@pytest.mark.parametrize(
    ("headers", "code", "words"),
    [
        ({}, "missing_api_key", "did not provide"),
        ({"authorization": ""}, "missing_api_key", "did not provide"),
        ({"authorization": f"Bearer {MADE.secret[:-1]}"}, "invalid_api_key", "cut"),
        ({"authorization": f"Bearer {MADE.secret[:-1]}!"}, "invalid_api_key", "does not read"),
        ({"authorization": "Bearer hello"}, "invalid_api_key", "begins with sk-"),
        ({"authorization": f"Bearer {mint().secret}"}, "invalid_api_key", "unknown here"),
        ({"authorization": f"Bearer {OLD.secret}"}, "expired_api_key", "encke keys create"),
    ],
)
def test_why_a_key_is_refused(admission: Admission, headers: dict[str, str], code: str, words: str) -> None:
    """Each reason has its code, 401, and says what to do without quoting the key."""
    fault = refusal(admission, request(**headers))
    assert (fault.code, fault.status) == (code, 401)
    assert words in fault.message
    assert not any(len(value) > 8 and value.split()[-1] in fault.message for value in headers.values())


def test_a_new_snapshot_forgets_the_old(admission: Admission) -> None:
    """A key that is gone with it is refused at once, however often it was seen before."""
    admission.admit(request(authorization=f"Bearer {MADE.secret}"))
    admission.update(2, PEPPER, {digest(PEPPER, OWN): OTHER})
    assert refusal(admission, request(authorization=f"Bearer {MADE.secret}")).code == "invalid_api_key"
    assert admission.admit(request(authorization=f"Bearer {OWN}")) is OTHER


def test_without_a_snapshot_nobody_is_refused_for_good() -> None:
    """A valid key must not get a 401 because the gateway is just starting."""
    admission = Admission()
    fault = refusal(admission, request(authorization=f"Bearer {MADE.secret}"))
    assert not admission.ready and (fault.code, fault.status, fault.retry_after) == ("unavailable", 503, 1.0)


def test_odd_spellings_do_not_fill_the_memory(admission: Admission) -> None:
    """What is remembered of callers' headers is bounded."""
    for n in range(MAX_REMEMBERED + 100):
        assert admission.admit(request(authorization="Bearer" + " " * (n + 1) + OWN)) is OTHER
    assert len(admission._seen) <= MAX_REMEMBERED
