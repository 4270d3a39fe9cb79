"""What a level says beyond those above it."""

from __future__ import annotations

from encke.admin.narrowing import notes
from encke.admin.view import Said
from encke.keys.grant import Limit, Rules

DAY = 1_798_761_600_000
UPPER = Said(
    'project "web"',
    (Limit(1, "budget", 10**10, "", "month"), Limit(2, "requests", 60, "")),
    Rules(("gpt-*", "local"), ("chat",), ("10.0.0.0/8", "2001:db8::/32")),
    DAY,
)


def told(limits: tuple[Limit, ...] = (), rules: Rules = Rules(), expires: int | None = 1) -> list[str]:  # noqa: B008
    """Of a key below it."""
    return notes(Said('key "app"', limits, rules, expires), [UPPER])


def test_what_is_within_is_not_told() -> None:
    """Narrower, the same, or nothing said: nothing to tell."""
    inside = Rules(("gpt-5*", "gpt-?", "local"), ("chat",), ("10.1.0.0/16", "2001:db8:1::/48"), ("team=x",))
    within = (Limit(3, "budget", 10**10, "", "month"), Limit(4, "requests", 60, ""), Limit(5, "tokens", 10**9, ""))
    assert told(within, inside) == told() == told((Limit(3, "budget", 10**12, "", "day"),)) == []


def test_what_is_beyond_is_told() -> None:
    """Each of them in a sentence that says what really holds."""
    assert told(expires=DAY + 1) == ['it ends with the project "web" already, at 2027-01-01T00:00:00Z']
    assert told(expires=None) == ['it ends with the project "web", at 2027-01-01T00:00:00Z']
    beyond = Rules(("gp*", "claude-*", "local"), ("embeddings", "chat"), ("10.0.0.0/7", "::/0", "10.9.0.0/16"))
    assert told((), beyond) == [
        'of gp*, claude-* only models that the project "web" allows are allowed: gpt-*, local',
        'embeddings stays forbidden: the project "web" allows only the routes chat',
        'of 10.0.0.0/7, ::/0 only what the project "web" allows is allowed: 10.0.0.0/8, 2001:db8::/32',
    ]
    upper = Said('organisation "acme"', (), Rules(on_unsupported="warn"), None)
    looser, stricter = (Said("k", (), Rules(on_unsupported=one), None) for one in ("drop", "reject"))
    assert notes(looser, [upper]) == [
        'what cannot be asked in full meets warn, not drop: the organisation "acme" is stricter'
    ]
    assert notes(stricter, [upper]) == []
    more = (Limit(3, "budget", 10**10 + 1, "", "month"), Limit(4, "requests", 61, ""))
    assert told(more) == [
        'the project "web" has a smaller budget, $10.00 a month, which counts as well',
        'the project "web" has a smaller limit, 60 requests a minute, which counts as well',
    ]
