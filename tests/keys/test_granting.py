"""Grants, composed of what the levels say."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from encke.keys.grant import Grant, Limit, Rules
from encke.keys.granting import Changes, Grants, KeyRow, LevelRow, pack
from encke.keys.rules import Verdicts

A, B, C = (bytes([number]) * 32 for number in (1, 2, 3))
ORGANISATION = LevelRow("acme", expires=900, limits=(Limit(1, "budget", 50, "", "month"),))
PROJECT = LevelRow("web", 7, None, (Limit(2, "requests", 60, ""),), Rules(models=("gpt-*",)))


def grants(*keys: tuple[bytes, KeyRow]) -> Grants:
    """Two levels, and these keys below."""
    made = Grants()
    made.apply(Changes(1, [(7, ORGANISATION)], [(9, PROJECT)], [(digest, pack(row)) for digest, row in keys]))
    return made


def test_a_key_has_what_all_levels_say() -> None:
    """Limits of all levels, the organisation's first, with whose they are; every level's rules; the earliest end."""
    row = KeyRow("KEY", "app", 5, 9, 1_000, None, (Limit(3, "concurrency", 8, ""),), Rules(routes=("chat",)))
    limits = (
        Limit(1, "budget", 50, 'organisation "acme"', "month"),
        Limit(2, "requests", 60, 'project "web"'),
        Limit(3, "concurrency", 8, 'key "app"'),
    )
    rules = (Rules(models=("gpt-*",)), Rules(routes=("chat",)))
    assert grants((A, row)).find(A) == Grant("KEY", "app", 5, 900, 9, limits, rules)


def test_the_strictest_policy_of_the_levels_holds() -> None:
    """Of what no model can be asked; a level that says nothing leaves it to the others."""
    for said, expected in (
        (("drop", None, "warn"), "warn"),
        (("reject", "drop", None), "reject"),
        ((None, None, "drop"), "drop"),
        ((None, None, None), None),
    ):
        upper, lower, own = (Rules(on_unsupported=one) for one in said)  # type: ignore[arg-type]
        made = grants((A, KeyRow("A", "a", 5, 9, rules=own)))
        made.apply(Changes(2, [(7, LevelRow("acme", rules=upper))], [(9, LevelRow("site", 7, rules=lower))], []))
        found = made.find(A)
        assert found is not None and found.on_unsupported == expected


def test_keys_share_what_stands_above_them() -> None:
    """Keys without limits of their own have one and the same tuple, also after another key has changed."""
    made = grants((A, KeyRow("A", "a", 5, 9)), (B, KeyRow("B", "b", 5, 9)))
    first, second = made.find(A), made.find(B)
    assert first is not None and second is not None and first.limits is second.limits
    made.apply(Changes(2, [], [], [(C, pack(KeyRow("C", "c", 6, 9))), (B, None)]))
    third = made.find(C)
    assert third is not None and third.limits is first.limits and made.find(A) is first and made.find(B) is None


def test_a_change_above_reaches_the_keys() -> None:
    """What a project or an organisation says anew holds for its keys at once; without it they are no more."""
    made = grants((A, KeyRow("A", "a", 5, 9)))
    assert made.find(A) is not None
    made.apply(Changes(2, [(7, LevelRow("acme"))], [(9, LevelRow("site", 7))], []))
    assert made.find(A) == Grant("A", "a", 5, None, 9)
    made.apply(Changes(3, [(7, None)], [], []))
    assert made.find(A) is None and made.everything() == {}
    made.apply(Changes(4, [(7, LevelRow("acme"))], [(9, None)], []))
    assert made.find(A) is None and len(made) == 1


def test_an_earlier_secret_ends() -> None:
    """The time of grace counts beside the other ends."""
    made = grants((A, KeyRow("A", "a", 5, 9, until=300)), (B, KeyRow("A", "a", 5, 9, until=3_000)))
    ends = [found.expires for digest in (A, B) if (found := made.find(digest)) is not None]
    assert ends == [300, 900]


WHEN = st.none() | st.integers(1, 99)
LIMITS = st.lists(st.builds(Limit, st.integers(1, 9), st.just("requests"), st.integers(1, 99), st.just(""))).map(tuple)
RULES = st.builds(Rules, models=st.none() | st.lists(st.sampled_from(("a*", "b", "*"))).map(tuple))
LEVEL = st.tuples(WHEN, LIMITS, RULES)


@given(LEVEL, LEVEL, LEVEL)
def test_a_key_has_no_more_than_its_levels(
    above: tuple[int | None, tuple[Limit, ...], Rules],
    between: tuple[int | None, tuple[Limit, ...], Rules],
    own: tuple[int | None, tuple[Limit, ...], Rules],
) -> None:
    """Whatever a key says: it does not outlive its levels, every limit of theirs is its own as well, and what it may
    ask for each of them allows."""
    made = Grants()
    organisation, project = LevelRow("o", 0, *above), LevelRow("p", 1, *between)
    expires, limits, rules = own
    row = KeyRow("K", "k", 0, 1, expires, None, limits, rules)
    made.apply(Changes(1, [(1, organisation)], [(1, project)], [(A, pack(row))]))
    grant = made.find(A)
    assert grant is not None
    found = Verdicts(grant.rules)
    for end, theirs, allowed in (above, between, own):
        assert end is None or (grant.expires is not None and grant.expires <= end)
        assert {(limit.id, limit.amount) for limit in theirs} <= {(limit.id, limit.amount) for limit in grant.limits}
        assert all(Verdicts((allowed,)).model(name) or not found.model(name) for name in ("a", "ab", "b", "c"))
    assert len(grant.limits) == sum(len(theirs) for _, theirs, _ in (above, between, own))
