"""Traits: how a provider, and a model of it, wants to be talked to. Data, from `provider.toml` and the settings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, get_args

import msgspec

# What becomes of a call whose target cannot be asked in full: it is refused; the rest is asked, and the answer says
# what was left out, and the access log too; or the rest is asked, and the answer alone says it. The strictest first.
Unsupported = Literal["reject", "warn", "drop"]
POLICIES: tuple[Unsupported, ...] = get_args(Unsupported)


def strictest(policies: Iterable[Unsupported | None]) -> Unsupported | None:
    """The first of POLICIES among them; None if nobody says anything."""
    found = [POLICIES.index(policy) for policy in policies if policy is not None]
    return POLICIES[min(found)] if found else None


class Capabilities(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a model can do. What is not known is taken for granted: the provider will say no itself.

    `ops` are the operations (`encke.dialects.table`) it is reached by, in order of preference, () for all that its
    provider has. `efforts` are the words it takes for reasoning effort, () if it takes none. `thinking` says how it is
    told how much to think: "effort" by a word, "budget" in tokens, "adaptive" (Anthropic's newer models), "level"
    (Gemini 3), "flag" on or off, "" not at all. `sampling`: temperature, top_p, top_k; `sampling_thinking`: also while
    it thinks. `schema_by_tool`: a schema that it does not know goes by a tool that it has to call. `system_turns`: a
    system message may stand in the middle of a conversation where its wire otherwise has one place for it (Anthropic's
    newer models). `context` and `max_output` in tokens, 0 if unknown.
    """

    ops: tuple[str, ...] = ()
    images: bool = True
    image_urls: bool = True
    files: bool = True
    audio: bool = True
    tools: bool = True
    forced_tools: bool = True
    parallel_tools: bool = True
    strict_tools: bool = True
    json_object: bool = True
    json_schema: bool = True
    schema_by_tool: bool = False
    system: bool = True
    developer: bool = True
    system_turns: bool = False
    sampling: bool = True
    sampling_thinking: bool = True
    penalties: bool = True
    stop: bool = True
    n: bool = True
    seed: bool = True
    logprobs: bool = True
    prefill: bool = True
    cache_marks: bool = True
    thinking: str = "effort"
    efforts: tuple[str, ...] = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
    context: int = 0
    max_output: int = 0


ANYTHING = Capabilities()
THINKING = ("effort", "budget", "adaptive", "level", "flag", "")


class Traits(msgspec.Struct, frozen=True, omit_defaults=True):
    """What rendering a request has to know of its target. `stream_usage` and `limit_field` as in `provider.toml`.

    `extensions` are what it takes beyond what its dialect's owner has, by name. For openai_chat: "top_k";
    "cache_control" (OpenRouter's and LiteLLM's marks) or "prompt_cache_breakpoint" (OpenAI's own, of newer models);
    "reasoning_content", "reasoning" or "reasoning_details": how thoughts go back to it; "file_url"; "tool_images":
    images in tools' results. For embeddings: "output_dimension", its name for the length of vectors.
    """

    capabilities: Capabilities = ANYTHING
    stream_usage: str = "option"
    limit_field: str = "max_tokens"
    extensions: tuple[str, ...] = ()


PLAIN = Traits()
