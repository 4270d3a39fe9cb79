"""What a request asks for, by name, with the places in the hub that hold it."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from encke.core.chat import Audio, ChatRequest, File, Foreign, Image, Text, Thinking, Tool, ToolCall, ToolResult

_SINGLE = {
    "format": "structured output",
    "reasoning": "reasoning",
    "logprobs": "logprobs",
    "top_k": "top_k",
    "seed": "seed",
    "stop": "stop sequences",
    "presence_penalty": "penalties",
    "frequency_penalty": "penalties",
}
FEATURES = (
    "images", "files", "audio", "tools", "strict tools", "provider's tools", "forced tools", "one call at a time",
    "tool results", "images in tool results", "structured output", "reasoning", "thoughts", "cache marks", "citations",
    "logprobs", "several answers", "stop sequences", "seed", "top_k", "penalties",
)  # fmt: skip


def features(request: ChatRequest) -> dict[str, list[str]]:
    """The names of `Rendered.dropped` that would tell of its loss, by feature."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, feature in _SINGLE.items():
        if getattr(request, name) not in (None, (), False):
            found[feature].append(name)
    if request.n is not None and request.n > 1:
        found["several answers"].append("n")
    if request.parallel_tools is False:
        found["one call at a time"].append("parallel_tools")
    if request.tool_choice is not None and request.tool_choice.mode in ("required", "function"):
        found["forced tools"].append("tool_choice")
    for at, tool in enumerate(request.tools):
        found["provider's tools" if isinstance(tool, Foreign) else "tools"].append(f"tools[{at}]")
        if isinstance(tool, Tool) and tool.strict:
            found["strict tools"] += [f"tools[{at}].strict", f"tools[{at}]"]
        if isinstance(tool, Tool) and tool.cache:
            found["cache marks"] += [f"tools[{at}].cache", f"tools[{at}]"]
    for at, message in enumerate(request.messages):
        for number, part in enumerate(message.parts):
            _part(part, f"messages[{at}].content[{number}]", found)
    return found


def _part(part: Any, place: str, found: dict[str, list[str]]) -> None:
    kinds: dict[type, str] = {Image: "images", File: "files", Audio: "audio", ToolResult: "tool results"}
    for kind, feature in kinds.items():
        if isinstance(part, kind):
            found[feature].append(place)
    if isinstance(part, Thinking):
        found["thoughts"] += ["thinking", place]
    if isinstance(part, Text) and part.citations:
        found["citations"] += [f"{place}.citations", place]
    if isinstance(part, Text | Image | File | ToolCall | ToolResult) and part.cache:
        found["cache marks"] += [f"{place}.cache", place]
    if isinstance(part, ToolResult):
        for number, inner in enumerate(part.parts):
            if isinstance(inner, Image):
                found["images in tool results"].append(f"{place}.content[{number}]")
