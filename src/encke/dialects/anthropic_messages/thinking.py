"""How much to think, as this wire is told, and what does not go with thinking.

platform.claude.com/docs/en/build-with-claude/extended-thinking and adaptive-thinking: a budget is 1024 or more and less
than `max_tokens`; with thinking the temperature is 1, `top_p` 0.95 or more, there is no `top_k`, and no tool can be
forced; with a budget, a turn of the model's that calls tools begins with its thought until the tools have answered.
"""

from __future__ import annotations

from typing import Final

from encke.core.chat import ChatRequest, Reasoning, Thinking, ToolCall
from encke.core.traits import Capabilities
from encke.dialects.anthropic_messages.names import ORIGIN
from encke.dialects.effort import budget_of, effort_of, nearest

LEAST_BUDGET: Final = 1024
USUAL_BUDGET: Final = 8192
USUAL_OUTPUT: Final = 8192
ANSWER_ROOM: Final = 4096  # what is added to a budget where nobody bounds the answer
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")


class Thought:
    """What goes out: `config` for `thinking`, None for nothing; `effort` for `output_config`; `max_tokens`. `on`: there
    will be thinking. `lost`: it was asked for and cannot be."""

    __slots__ = ("config", "effort", "lost", "max_tokens", "on")

    def __init__(self, max_tokens: int) -> None:
        self.config: dict[str, object] | None = None
        self.effort = ""
        self.max_tokens = max_tokens
        self.on = False
        self.lost = False


def thought(request: ChatRequest, capabilities: Capabilities, forced: bool) -> Thought:
    """How much a request is to think. `forced`: it has to call a tool, which goes before thinking."""
    most = capabilities.max_output
    limit = request.max_tokens if request.max_tokens is not None else (most or USUAL_OUTPUT)
    made = Thought(min(limit, most) if most else limit)
    wish = request.reasoning
    if wish is None:
        return made
    how = _way(wish, capabilities)
    if _is_off(wish):
        _turn_off(made, capabilities, how)
        return made
    if not how or (forced and (how != "adaptive" or _may_be_off(capabilities))):
        made.lost = True
        if how == "adaptive":
            made.config = {"type": "disabled"}
        return made
    if how == "adaptive":
        made.config = {"type": "adaptive"}
        word = wish.effort or ("" if wish.budget is None else effort_of(wish.budget))
        made.effort = nearest(word, tuple(one for one in _EFFORTS if one in capabilities.efforts))
        made.lost = bool(wish.effort) and not made.effort
    elif not _set_budget(made, wish, request, most):
        made.lost = True
        return made
    made.on = True
    if wish.summary and made.config is not None:
        made.config["display"] = "summarized"
    return made


def _way(wish: Reasoning, capabilities: Capabilities) -> str:
    """Either "adaptive" or "budget", "" for a model that cannot. Where nobody knows, as the caller puts it: models that
    take words take no budgets, and the other way round."""
    how = capabilities.thinking
    if how in ("", "adaptive", "budget"):
        return how
    return "budget" if wish.budget is not None and wish.budget >= 0 else "adaptive"


def _is_off(wish: Reasoning) -> bool:
    return wish.enabled is False or wish.budget == 0 or wish.effort == "none"


def _may_be_off(capabilities: Capabilities) -> bool:
    return "none" in capabilities.efforts


def _turn_off(made: Thought, capabilities: Capabilities, how: str) -> None:
    if not how:
        return
    if how == "adaptive" and not _may_be_off(capabilities):
        made.lost = True
    else:
        made.config = {"type": "disabled"}


def _set_budget(made: Thought, wish: Reasoning, request: ChatRequest, most: int) -> bool:
    """A budget that goes with the bound on the answer: that is raised if it is ours, else the budget has to be less."""
    if _began_without(request):
        return False
    budget = wish.budget if wish.budget is not None and wish.budget > 0 else budget_of(wish.effort)
    budget = max(budget or USUAL_BUDGET, LEAST_BUDGET)
    if request.max_tokens is None and budget + ANSWER_ROOM > made.max_tokens:
        made.max_tokens = min(budget + ANSWER_ROOM, most) if most else budget + ANSWER_ROOM
    if budget >= made.max_tokens:
        budget = max(made.max_tokens * 3 // 4, LEAST_BUDGET)
    if budget >= made.max_tokens:
        return False
    made.config = {"type": "enabled", "budget_tokens": budget}
    return True


def _began_without(request: ChatRequest) -> bool:
    """Whether the model's last turn calls tools and does not begin with a thought of this dialect."""
    for message in reversed(request.messages):
        if message.role == "assistant":
            first = next(iter(message.parts), None)
            thinks = isinstance(first, Thinking) and first.origin == ORIGIN and bool(first.signature)
            return not thinks and any(isinstance(part, ToolCall) for part in message.parts)
        if message.role == "user":
            return False
    return False
