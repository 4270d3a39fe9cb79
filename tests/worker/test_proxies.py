"""Where a call comes from."""

from __future__ import annotations

import pytest

from encke.core.addresses import address
from encke.worker.proxies import MOST_HOPS, Proxies

TRUSTED = Proxies(("10.0.0.0/8", "2001:db8::/32"))
HEADER = b"x-forwarded-for"


@pytest.mark.parametrize(
    ("peer", "forwarded", "caller"),
    [
        ("10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("::ffff:10.0.0.1", "1.2.3.4", "1.2.3.4"),
        ("10.0.0.1", "6.6.6.6, 1.2.3.4", "1.2.3.4"),  # the caller wrote the first
        ("10.0.0.1", "10.9.9.9, 1.2.3.4", "1.2.3.4"),  # also when it is one that is trusted
        ("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.2, 2001:db8::7", "1.2.3.4"),
        ("10.0.0.1", "10.0.0.3,10.0.0.2", "10.0.0.3"),  # all are ours: a caller from within
        ("10.0.0.1", "1.2.3.4:5678", "1.2.3.4"), ("10.0.0.1", "[2001:db9::1]:80, [2001:db8::1]", "2001:db9::1"),
        ("10.0.0.1", "1.2.3.4, unknown", "unknown"), ("10.0.0.1", "1.2.3.4,", ""), ("10.0.0.1", "", ""),
        ("11.0.0.1", "10.0.0.2", "11.0.0.1"), ("11.0.0.1", "1.2.3.4", "11.0.0.1"), ("", "1.2.3.4", ""),
    ],
)  # fmt: skip
def test_the_first_from_the_right_that_is_not_trusted(peer: str, forwarded: str, caller: str) -> None:
    """Only what trusted proxies wrote counts; who is not trusted is the caller, whatever they say."""
    assert TRUSTED.caller(peer, {HEADER: forwarded.encode()}) == caller


def test_without_proxies_nobody_is_believed() -> None:
    """Nor is a header missed where there is none."""
    for peer in ("10.0.0.1", "127.0.0.1", ""):
        assert Proxies(()).caller(peer, {HEADER: b"1.2.3.4"}) == peer == TRUSTED.caller(peer, {})


def test_a_long_list_is_read_no_further_than_proxies_reach() -> None:
    """Thousands of trusted addresses, which the caller wrote, are nobody's address, and take no time."""
    many = ",".join(["1.2.3.4", *["10.0.0.2"] * MOST_HOPS])
    assert TRUSTED.caller("10.0.0.1", {HEADER: many.encode()}) == "1.2.3.4"
    assert address(TRUSTED.caller("10.0.0.1", {HEADER: b"10.0.0.3,10.0.0.3," + many.encode()})) is None
