"""What the hub's words are called on this wire, and back."""

from __future__ import annotations

from typing import Final

from encke.core.chat import Finish

ORIGIN: Final = "anthropic_messages"

# Why an answer ended. (`compaction` pauses one, so that the caller may look at it.)
FINISHES: Final[dict[str, Finish]] = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "pause_turn": "pause",
    "compaction": "pause",
    "refusal": "refusal",
}
STOP_REASONS: Final[dict[str, str]] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
}

# Fields of the hub, as this wire calls them.
FIELDS: Final[dict[str, str]] = {
    "stop": "stop_sequences",
    "format": "output_config.format",
    "format.schema": "output_config.format.schema",
    "reasoning": "thinking",
    "user": "metadata.user_id",
    "parallel_tools": "tool_choice.disable_parallel_tool_use",
}

TIERS: Final = {"auto": "auto", "standard_only": "default"}
TIERS_BACK: Final = {"auto": "auto", "priority": "auto", "default": "standard_only"}
SERVED_TIERS: Final = {"standard": "default"}


def finish_of(reason: str) -> Finish:
    """A `stop_reason` in the hub's words."""
    return FINISHES.get(reason, "other")
