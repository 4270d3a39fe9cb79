"""Words and numbers for how much to think."""

from __future__ import annotations

from encke.dialects.effort import BUDGETS, LEVELS, budget_of, effort_of, nearest


def test_a_word_has_a_number_and_the_number_a_word() -> None:
    """There and back, but that two words have one number."""
    assert set(BUDGETS) == set(LEVELS)
    assert [effort_of(BUDGETS[word]) for word in LEVELS] == ["none", "low", "low", "medium", "high", "xhigh", "max"]
    assert (effort_of(-1), effort_of(5000), effort_of(10**9), budget_of("loud")) == ("medium", "medium", "max", None)


def test_the_nearest_word_that_is_known() -> None:
    """Itself, else the nearest, of two the lesser; nothing for a word of somebody else's."""
    known = ("low", "high")
    assert [nearest(word, known) for word in LEVELS] == ["low", "low", "low", "low", "high", "high", "high"]
    assert (nearest("medium", ()), nearest("loud", known), nearest("loud", ("loud",))) == ("", "", "loud")
