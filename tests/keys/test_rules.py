"""What rules allow."""

from __future__ import annotations

import ipaddress
import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.addresses import address, network
from encke.keys.grant import Rules
from encke.keys.rules import Verdicts, address_allowed, covers, glob, model_allowed, verdicts

PATTERN = st.text("ab*?/", max_size=6)
NAME = st.text("ab/", max_size=6)


@pytest.mark.parametrize(
    ("pattern", "name", "matches"),
    [
        ("gpt-*", "gpt-5-mini", True), ("gpt-*", "gpt-", True), ("gpt-*", "openai/gpt-5", False),
        ("*", "openai/gpt-5", True), ("openai/*", "openai/a/b", True), ("gpt-?", "gpt-5", True),
        ("gpt-?", "gpt-55", False), ("gpt-[45]", "gpt-4", False), ("gpt-[45]", "gpt-[45]", True),
        ("a.b", "axb", False), ("GPT-*", "gpt-5", False), ("a*", "a\nb", True), ("", "", True),
        ("local", "locals", False), ("*a*b*", "xaxbx", True), ("*a*b*", "xbxax", False), ("a**b", "ab", True),
        ("a*a", "a", False), ("*ab*ab", "abab", True), ("*ab*ab", "ab", False), ("*b", "abab", True),
    ],
)  # fmt: skip
def test_globs(pattern: str, name: str, matches: bool) -> None:
    """A star is any text, slashes too; a question mark one character; everything else is itself, case too."""
    assert (glob(pattern).fullmatch(name) is not None) == matches


@given(PATTERN, PATTERN, NAME)
def test_what_is_covered_is_matched(wide: str, narrow: str, name: str) -> None:
    """If one glob covers another, it matches whatever that matches."""
    if covers(wide, narrow) and glob(narrow).fullmatch(name):
        assert glob(wide).fullmatch(name)


@given(PATTERN, NAME)
def test_as_the_slow_way(pattern: str, name: str) -> None:
    """The same verdict as an expression that tries everything."""
    slow = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    assert (glob(pattern).fullmatch(name) is None) == (re.fullmatch(slow, name, re.DOTALL) is None)


def test_many_stars_cost_little() -> None:
    """A pattern that no simple matcher ends with before the sun does."""
    assert glob("*a" * 100 + "b").fullmatch("a" * 20_000) is None


def test_covers_what_is_plain() -> None:
    """It finds what anybody would write."""
    assert all(covers(wide, narrow) for wide, narrow in (("*", "a*"), ("gpt-*", "gpt-5*"), ("a?", "a?"), ("a", "a")))
    assert not any(covers(wide, narrow) for wide, narrow in (("gpt-*", "*"), ("a?", "a*"), ("gpt-*", "g*"), ("a", "b")))


LEVEL = st.builds(
    Rules,
    models=st.none() | st.lists(PATTERN, max_size=3).map(tuple),
    routes=st.none() | st.lists(st.sampled_from(("chat", "embeddings")), max_size=2).map(tuple),
    addresses=st.none() | st.lists(st.sampled_from(("10.0.0.0/8", "10.1.0.0/16", "::/0")), max_size=2).map(tuple),
)


@given(
    st.lists(LEVEL, max_size=3),
    NAME,
    st.sampled_from(("chat", "embeddings")),
    st.sampled_from(("10.1.2.3", "::1", "9.9.9.9")),
)
def test_rights_only_narrow(levels: list[Rules], name: str, route: str, where: str) -> None:
    """Whatever all levels together allow, each of them allows by itself; and what each allows, all of them allow."""
    whole = Verdicts(tuple(levels))
    each = [Verdicts((level,)) for level in levels]
    for _ in range(2):  # the second time it is remembered
        assert whole.model(name) == all(one.model(name) for one in each)
        assert whole.route(route) == all(one.route(route) for one in each)
        assert whole.address(where) == all(one.address(where) for one in each)


@given(st.lists(LEVEL, max_size=2), LEVEL, NAME, st.sampled_from(("10.1.2.3", "::1", "9.9.9.9")))
def test_a_minted_key_has_no_more_rights_than_its_levels(above: list[Rules], own: Rules, name: str, where: str) -> None:
    """Whatever a key's own rules say: what it may do, its project and its organisation may do."""
    levels, key = Verdicts(tuple(above)), Verdicts((*above, own))
    assert levels.model(name) or not key.model(name)
    assert levels.address(where) or not key.address(where)
    for route in ("chat", "embeddings", "completions", "moderations"):
        assert levels.route(route) or not key.route(route)


def test_addresses() -> None:
    """IPv4 within IPv6 is IPv4, on both sides; what is no address is inside nothing."""
    rules = Verdicts((Rules(addresses=("10.0.0.0/8", "::ffff:192.168.0.0/112", "2001:db8::/32")),))
    inside = ("10.1.2.3", "::ffff:10.1.2.3", "192.168.9.9", "2001:db8::5", "2001:db8::5%eth0")
    outside = (
        "11.0.0.1",
        "::ffff:11.0.0.1",
        "2001:db9::1",
        "",
        "unix",
        "10.1.2.3.4",
        "10.1.2",
        "0xa.1.2.3",
    )
    for text, _ in product(inside, range(2)):
        assert rules.address(text), text
    for text, _ in product(outside, range(2)):
        assert not rules.address(text), text
    assert all(Verdicts(()).address(text) for text in (*inside, *outside))
    assert network("::ffff:10.0.0.0/104") == ipaddress.ip_network("10.0.0.0/8") and address("x") is None
    assert Verdicts(()).any_address and Verdicts(()).any_model and not rules.any_address


def test_routes_that_call_no_model_are_free() -> None:
    """Lists of models are answered whatever the rules say of routes; an empty list allows nothing."""
    rules = Verdicts((Rules(routes=("chat",)), Rules(routes=())))
    assert [rules.route(name) for name in ("models", "model", "chat", "embeddings")] == [True, True, False, False]


def test_what_is_remembered() -> None:
    """The verdicts are the same the first time and later, for short names and for very long ones."""
    rules = (Rules(models=("a*", "b"), addresses=("::/0",)),)
    for name, _ in product(("a", "b", "bb", "a" * 100_000, "b" * 100_000), range(2)):
        assert model_allowed(rules, (name,)) == Verdicts(rules).model(name)
        assert address_allowed(rules, name) is False and address_allowed(rules, "::1") is True
    assert model_allowed((), ("x",)) and address_allowed((), "x")


def test_a_model_goes_by_several_names() -> None:
    """Each level must allow one of them, not all the same one."""
    rules = (Rules(models=("lab/*",)), Rules(models=("m*",)))
    assert model_allowed(rules, ("lab/m1", "m1"))
    assert not model_allowed(rules, ("lab/m1",)) and not model_allowed(rules, ("lab/x", "x"))


def test_one_for_the_same_rules() -> None:
    """They are made ready once."""
    assert verdicts((Rules(models=("a",)),)) is verdicts((Rules(models=("a",)),))
