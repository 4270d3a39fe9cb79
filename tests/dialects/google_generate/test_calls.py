"""Ids of calls: made where there are none, and found for results."""

from __future__ import annotations

from encke.dialects.google_generate.calls import Calls


def test_results_find_their_calls() -> None:
    """By id, else by name in order, else they keep what they have."""
    calls = Calls()
    assert [calls.call("", "f"), calls.call("mine", "f"), calls.call("", "g")] == ["call_1", "mine", "call_2"]
    assert calls.result("mine", "f") == "mine"
    assert calls.result("", "f") == "call_1"
    assert calls.result("unknown", "g") == "call_2"  # its name is known
    assert calls.result("unknown", "g") == "unknown"
    assert calls.result("", "g") == "call_3"


def test_ids_of_an_answer() -> None:
    """With the call's own id in them, so that no two answers share one."""
    assert Calls("abc").call("", "f") == "call_abc_1"


def test_many_calls_stay_linear() -> None:
    """Each result is found at once, whatever is open."""
    calls = Calls()
    ids = [calls.call(f"c{at}", "f") for at in range(50_000)]
    assert [calls.result(id, "f") for id in reversed(ids)] == ids[::-1]
    assert calls.result("", "f") == "call_1"
