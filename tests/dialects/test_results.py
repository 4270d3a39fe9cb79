"""Results of tools, put together."""

from __future__ import annotations

from encke.core.chat import Message, Text, ToolCall, ToolResult
from encke.dialects.results import joined, moved_up


def test_neighbours_are_one_message() -> None:
    """In their order; whatever stands between parts them."""
    one, two, three = (Message("tool", (ToolResult(id, (Text(id),)),)) for id in "abc")
    said = Message("user", (Text("hi"),))
    assert joined([one, two, said, three]) == [Message("tool", (*one.parts, *two.parts)), said, three]
    assert joined([]) == [] and joined([said, said]) == [said, said]


def calls(*ids: str) -> Message:
    return Message("assistant", tuple(ToolCall(id, "f", "{}") for id in ids))


def results(*ids: str) -> Message:
    return Message("tool", tuple(ToolResult(id, (Text(id),)) for id in ids))


def test_results_stand_behind_their_calls() -> None:
    """Whatever was said in between comes after them; what nobody asked for stays where it is."""
    said = Message("user", (Text("hi"),))
    assert moved_up((calls("a", "b"), said, results("a", "b"))) == (calls("a", "b"), results("a", "b"), said)
    assert moved_up((calls("a", "b"), results("a"), said, results("b"))) == (calls("a", "b"), results("a", "b"), said)
    assert moved_up((said, results("x"))) == (said, results("x"))
    usual = (said, calls("a"), results("a"), said, calls("b"), results("b"))
    assert moved_up(usual) is usual
