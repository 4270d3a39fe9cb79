"""What may be said of a key, a project or an organisation."""

from __future__ import annotations

from typing import Any

import pytest

from encke.admin.context import AdminError
from encke.admin.terms import Terms, edit, expires, new_limits, rules
from encke.keys.grant import Limit, Rules
from encke.store.levels import LimitEdit
from tests.admin.conftest import NOW

DOLLAR = 10**9


def test_new_limits() -> None:
    """Budgets with their periods, zones and anchors, and rates."""
    terms = Terms(
        budget=("25/month", "5.5/week", "1/day", "100", "7/credit"), strict=True, zone="Europe/Berlin",
        anchor=("15", "Sun"), rpm="60", tpm="100_000", concurrency="8",
    )  # fmt: skip
    assert new_limits(terms) == [
        Limit(0, "budget", 25 * DOLLAR, "", "month", "Europe/Berlin", 15, True),
        Limit(0, "budget", 5_500_000_000, "", "week", "Europe/Berlin", 7, True),
        Limit(0, "budget", DOLLAR, "", "day", "Europe/Berlin", 1, True),
        Limit(0, "budget", 100 * DOLLAR, "", "total", "UTC", 1, True),
        Limit(0, "budget", 7 * DOLLAR, "", "credit", "UTC", 1, True),
        Limit(0, "requests", 60, ""),
        Limit(0, "tokens", 100_000, ""),
        Limit(0, "concurrency", 8, ""),
    ]
    assert new_limits(Terms()) == [] and new_limits(Terms(rpm="off")) == []


def test_rules() -> None:
    """Lists with commas; what is not given stays; `any` and an empty tag take away."""
    terms = Terms(models="gpt-*, local,gpt-*", routes="chat,embeddings", addresses="10.0.0.0/8,::ffff:1.2.3.4,::1")
    before = rules(Terms(tag=("team=x", "y")))
    assert before == Rules(tags=("team=x", "y"))
    after = Rules(("gpt-*", "local"), ("chat", "embeddings"), ("10.0.0.0/8", "1.2.3.4/32", "::1/128"), ("team=x", "y"))
    assert rules(terms, before) == after
    assert rules(Terms(models="any", routes="any", addresses="any", tag=("",)), after) == Rules()


def test_on_unsupported() -> None:
    """One of three words; not given it stays, `any` takes it away."""
    before = rules(Terms(on_unsupported="Reject"))
    assert before == Rules(on_unsupported="reject") and rules(Terms(routes="chat"), before).on_unsupported == "reject"
    assert rules(Terms(on_unsupported="any"), before) == Rules()


def test_expires() -> None:
    """A span counts from now; `never` takes it away; not given, it stays."""
    assert expires(Terms(expires="1h"), NOW) == NOW + 3_600_000
    assert expires(Terms(expires="never"), NOW, 5) is None and expires(Terms(), NOW, 5) == 5


def test_edit() -> None:
    """A budget for a period that has one gets the amount, and only what was said with it; others are added; `off`
    takes a rate away."""
    month = Limit(4, "budget", 25 * DOLLAR, "", "month", "Europe/Berlin", 15, True)
    rate, tokens = Limit(5, "requests", 60, ""), Limit(6, "tokens", 9, "")
    terms = Terms(budget=("30/month", "2/day"), rpm="70", tpm="off", concurrency="off")
    assert edit(terms, [month, rate, tokens]) == LimitEdit(
        [Limit(0, "budget", 2 * DOLLAR, "", "day")],
        [
            Limit(4, "budget", 30 * DOLLAR, "", "month", "Europe/Berlin", 15, True),
            Limit(5, "requests", 70, ""),
        ],
        [6],
    )
    again = Terms(budget=("30/month",), strict=False, zone="UTC", anchor=("1",))
    assert edit(again, [month]).put == [Limit(4, "budget", 30 * DOLLAR, "", "month")]
    assert edit(Terms(rpm="1"), []).add == [Limit(0, "requests", 1, "")]


BAD: tuple[tuple[dict[str, Any], str], ...] = (
    ({"budget": ("25/moon",)}, 'the budget "25/moon" has no period "moon"; did you mean month'),
    ({"budget": ("25/",)}, 'has no period ""; use one of total, credit, day, week, month'),
    ({"budget": ("x/day",)}, 'the budget "x" is not an amount'),
    ({"budget": ("1e9/day",)}, 'the budget "1e9" is not an amount'),
    ({"budget": ("1/day", "2/day")}, "two budgets for each day are given"),
    ({"budget": ("1", "2/total")}, "two budgets for all time are given"),
    ({"strict": True}, "give the budget with them"),
    ({"zone": "UTC"}, "give the budget with them"),
    ({"budget": ("1/total",), "zone": "UTC"}, "a zone says when a day, week or month begins, and no budget has one"),
    ({"budget": ("1/day",), "zone": "europe/berlin"}, 'no time zone "europe/berlin"; did you mean Europe/Berlin'),
    ({"budget": ("1/day",), "zone": "../../etc/passwd"}, "there is no time zone"),
    ({"budget": ("1/day",), "zone": "localtime"}, "there is no time zone"),
    ({"budget": ("1/day",), "anchor": ("1",)}, "is a day of a month, and no budget for a month is given"),
    ({"budget": ("1/week",), "anchor": ("15",)}, "is a day of a month, and no budget for a month is given"),
    ({"budget": ("1/month",), "anchor": ("0",)}, 'the anchor "0" is no day of a month; use 1 to 31'),
    ({"budget": ("1/month",), "anchor": ("32",)}, 'the anchor "32" is no day of a month'),
    ({"budget": ("1/month",), "anchor": ("1", "2")}, "two anchors for a month"),
    ({"budget": ("1/week",), "anchor": ("someday",)}, 'the anchor "someday" is no day; use 1 to 31'),
    ({"rpm": "0"}, 'rpm "0" is out of bounds'),
    ({"tpm": "many"}, 'tpm "many" is not a whole number'),
    ({"concurrency": "1000001"}, 'concurrency "1000001" is out of bounds'),
    ({"models": ""}, "has an empty part; separate by single commas, or say any for all"),
    ({"models": "a,,b"}, "has an empty part"),
    ({"models": "x" * 257}, "is longer than 256 characters"),
    ({"models": "a\x1bb"}, "has control characters"),
    ({"models": ",".join(map(str, range(201)))}, "models has 201 parts; 200 are the most"),
    ({"routes": "chta"}, 'there is no route "chta"; did you mean chat'),
    ({"routes": "chat;embeddings"}, "there is no route"),
    ({"addresses": "10.0.0.1/8"}, 'the address "10.0.0.1/8" has bits set behind its length'),
    ({"on_unsupported": "rejct"}, 'on-unsupported cannot be "rejct"; did you mean reject?'),
    ({"addresses": "here"}, 'the address "here" is neither an address nor a network'),
    ({"addresses": "10.0.0.0/33"}, "is neither an address nor a network"),
    ({"tag": ("a b=",)}, 'the tag "a b=" cannot be used'),
    ({"tag": ("x" * 65,)}, "cannot be used"),
    ({"expires": "yesterday"}, 'expires "yesterday" is not a time'),
    ({"expires": "1999-01-01"}, "is not in the future"),
)


@pytest.mark.parametrize(("said", "message"), BAD, ids=[str(said)[:60] for said, _ in BAD])
def test_bad_values(said: dict[str, Any], message: str) -> None:
    """Every option: what is wrong with which value, and what to do, on one line."""
    terms = Terms(**said)
    with pytest.raises(AdminError) as refused:
        new_limits(terms)
        rules(terms)
        expires(terms, NOW)
    assert message in str(refused.value) and str(refused.value).isprintable()
    with pytest.raises(AdminError):
        edit(terms, [])
        rules(terms)
        expires(terms, NOW)
