"""What a wire has no words for: named once, and only if leaving it out changes anything."""

from __future__ import annotations

import pytest

from encke.core.chat import ChatRequest, Message, Reasoning, Text, Thinking, ToolChoice
from encke.dialects.losses import Losses, is_idle

IDLE = ChatRequest(
    model="m",
    messages=(Message("user", (Text("hi"),)),),
    reasoning=Reasoning(summary="auto"),
    tool_choice=ToolChoice("auto"),
    logprobs=False,
    top_logprobs=0,
    n=1,
    presence_penalty=0.0,
    extra={"service_tier": b'"auto"', "store": b"false", "metadata": b"{}", "made_up": b"null"},
)
ASKING = ChatRequest(
    model="m",
    messages=(),
    reasoning=Reasoning(summary="detailed"),
    tool_choice=ToolChoice("auto", ("f",)),
    logprobs=True,
    top_logprobs=2,
    n=2,
    presence_penalty=0.5,
    seed=1,
    extra={"service_tier": b'"flex"', "store": b"true", "metadata": b'{"a":"b"}', "made_up": b"0"},
)
NAMES = ("reasoning.summary", "tool_choice", "logprobs", "top_logprobs", "n", "presence_penalty", *IDLE.extra)


@pytest.mark.parametrize("name", NAMES)
def test_what_asks_for_nothing_is_no_loss(name: str) -> None:
    """A value that is the default by another name may be left out unseen; any other is a loss."""
    assert is_idle(IDLE, name) and not is_idle(ASKING, name)


def test_everything_else_is_a_loss() -> None:
    """Whatever stands in no table."""
    assert not any(is_idle(ASKING, name) for name in ("seed", "messages[0].content[0]", "stop"))


def test_a_name_is_told_once() -> None:
    """In the order in which they came."""
    losses = Losses()
    for name in ("b", "a", "b"):
        losses.add(name)
    assert losses.all() == ("b", "a")


def test_a_thought_without_a_seal_is_no_loss() -> None:
    """No model has to have the text again; what only its maker can read is lost to anybody else."""
    plain = ChatRequest(model="m", messages=(Message("assistant", (Thinking("Hm."), Text("a"))),))
    sealed = ChatRequest(model="m", messages=(Message("assistant", (Thinking("Hm.", "s", "google_generate"),)),))
    assert is_idle(plain, "thinking") and is_idle(plain, "reasoning_content", "google_generate")
    assert is_idle(sealed, "thinking", "google_generate") and not is_idle(sealed, "thinking", "anthropic_messages")
