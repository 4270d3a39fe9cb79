"""Headers of an error: whether to try again, and when."""

from __future__ import annotations

import pytest

from encke.calls.call import retry_fields
from encke.core.faults import FAULTS, Fault


@pytest.mark.parametrize(
    ("after", "fields"),
    [
        (None, "x-should-retry: true\r\n"),
        (0.0, "retry-after: 1\r\nretry-after-ms: 1000\r\nx-should-retry: true\r\n"),
        (1.5, "retry-after: 2\r\nretry-after-ms: 1500\r\nx-should-retry: true\r\n"),
        (60.0, "retry-after: 60\r\nretry-after-ms: 60000\r\nx-should-retry: true\r\n"),
        (61.0, "retry-after: 61\r\nretry-after-ms: 61000\r\nx-should-retry: false\r\n"),
        (1e9, "retry-after: 600\r\nretry-after-ms: 600000\r\nx-should-retry: false\r\n"),
    ],
)
def test_when_to_try_again(after: float | None, fields: str) -> None:
    """1 to 600 s; beyond a minute a client need not wait."""
    code = "x-encke-error-code: upstream_rate_limited\r\n"
    assert retry_fields(Fault("upstream_rate_limited", "Slow down.", retry_after=after)) == code + fields


@pytest.mark.parametrize("code", sorted(code for code, kind in FAULTS.items() if kind.status == 503))
def test_503_always_says_when(code: str) -> None:
    """Also where nobody has given a time."""
    assert "\r\nretry-after: 1\r\n" in retry_fields(Fault(code, "Not now."))


@pytest.mark.parametrize("code", sorted(FAULTS))
def test_every_error_says_whether(code: str) -> None:
    """As its row of the table has it; what it brings of its own goes out with it. The code is said to callers of all
    dialects alike."""
    fields = retry_fields(Fault(code, "No.", headers=(("allow", "GET"),)))
    assert f"x-should-retry: {'true' if FAULTS[code].retry else 'false'}\r\nallow: GET\r\n" in fields
    assert fields.startswith(f"x-encke-error-code: {code}\r\n")
