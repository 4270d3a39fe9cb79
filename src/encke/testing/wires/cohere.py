"""Cohere's chat, version 2: named events, thoughts as content, errors that are a message."""

from __future__ import annotations

from typing import Any

from encke.testing import wire
from encke.testing.polite import Answer

_FINISHES = {"stop": "COMPLETE", "length": "MAX_TOKENS", "tool_calls": "TOOL_CALL"}
Event = tuple[bytes, int]


class CohereAnswer(Answer):
    """See the module."""

    def counted(self) -> dict[str, Any]:
        """Its usage: what is billed, what was counted."""
        tokens = {"input_tokens": self.prompt_tokens, "output_tokens": self.completion_tokens}
        found: dict[str, Any] = {"billed_units": tokens, "tokens": tokens}
        return {**found, "cached_tokens": self.options.cached} if self.options.cached else found

    def refusal(self, status: int, kind: str, code: str | None, message: str) -> Any:
        return {"id": f"fake-{self.request.number}", "message": message}

    @property
    def broken(self) -> bytes:
        delta = {"finish_reason": "ERROR", "error": "The server failed while generating."}
        return wire.named_event({"type": "message-end", "delta": delta})

    def _calls_json(self) -> list[dict[str, Any]]:
        return [
            {"id": one.id, "type": "function", "function": {"name": one.name, "arguments": one.arguments}}
            for one in self.calls
        ]

    def reply(self, **more: Any) -> Any:
        message: dict[str, Any] = {"role": "assistant"}
        content: list[dict[str, Any]] = []
        if self.options.thinking:
            content.append({"type": "thinking", "thinking": self.options.thinking})
        if self.pieces:
            content.append({"type": "text", "text": self.content})
        if content:
            message["content"] = content
        if self.calls:
            message["tool_calls"] = self._calls_json()
        found = {"id": f"fake-{self.request.number}", "message": message, "finish_reason": _FINISHES[self.finish]}
        return {**found, "usage": self.usage, **more}

    def events(self) -> list[Event]:
        opened = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        begun = {"id": f"fake-{self.request.number}", "type": "message-start", "delta": {"message": opened}}
        sent = [(wire.named_event(begun), 0)]
        contents = [("thinking", [self.options.thinking], 0)] if self.options.thinking else []
        contents += [("text", self.pieces, self.options.each)] if self.pieces else []
        for index, (kind, pieces, tokens) in enumerate(contents):
            start = _event("content-start", index, {"content": {"type": kind, kind: ""}})
            for piece in pieces:
                sent.append((start + _event("content-delta", index, {"content": {kind: piece}}), tokens))
                start = b""
            sent[-1] = (sent[-1][0] + _event("content-end", index), tokens)
        for index, (call, one) in enumerate(zip(self.calls, self._calls_json(), strict=True)):
            empty = {**one, "function": {**one["function"], "arguments": ""}}
            sent.append((_event("tool-call-start", index, {"tool_calls": empty}), 0))
            for part in call.parts:
                sent.append((_event("tool-call-delta", index, {"tool_calls": {"function": {"arguments": part}}}), 0))
            sent.append((_event("tool-call-end", index), 0))
        delta = {"finish_reason": _FINISHES[self.finish], "usage": self.usage}
        return [*sent, (wire.named_event({"type": "message-end", "delta": delta}), 0)]


def _event(kind: str, index: int, message: dict[str, Any] | None = None) -> bytes:
    found: dict[str, Any] = {"type": kind, "index": index}
    return wire.named_event(found if message is None else {**found, "delta": {"message": message}})
