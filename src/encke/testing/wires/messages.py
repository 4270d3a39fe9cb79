"""Anthropic's Messages: thoughts with signatures, blocks one after the other, errors under their own types."""

from __future__ import annotations

from typing import Any, ClassVar

from encke.testing import wire
from encke.testing.polite import Answer

_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_STOPS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
_EMPTY: dict[str, dict[str, Any]] = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
}

Event = tuple[bytes, int]


class MessagesAnswer(Answer):
    """See the module."""

    prefix: ClassVar[str] = "toolu_fake"

    def counted(self) -> dict[str, Any]:
        """Its usage: what was read from a cache is not among the input's tokens."""
        cached = self.options.cached
        found = {"input_tokens": self.prompt_tokens - cached, "output_tokens": self.completion_tokens}
        return {**found, "cache_read_input_tokens": cached, "cache_creation_input_tokens": 0}

    def refusal(self, status: int, kind: str, code: str | None, message: str) -> Any:
        error = {"type": _KINDS.get(status, "api_error"), "message": message}
        return {"type": "error", "error": error, "request_id": f"req_fake_{self.request.number}"}

    @property
    def done(self) -> list[Event]:
        return [(wire.named_event({"type": "message_stop"}), 0)]

    @property
    def broken(self) -> bytes:
        error = {"type": "overloaded_error", "message": "The server failed while generating."}
        return wire.named_event({"type": "error", "error": error})

    def _message(self, content: list[Any], stop: str | None, usage: Any) -> dict[str, Any]:
        found = {"id": f"msg_fake_{self.request.number}", "type": "message", "role": "assistant", "content": content}
        return {**found, "model": self.request.model, "stop_reason": stop, "stop_sequence": None, "usage": usage}

    def blocks(self) -> list[dict[str, Any]]:
        """The content: thoughts, text, calls."""
        found: list[dict[str, Any]] = []
        if self.options.thinking:
            signature = self.options.signature or "signed-by-fake"
            found.append({"type": "thinking", "thinking": self.options.thinking, "signature": signature})
        if self.pieces:
            found.append({"type": "text", "text": self.content})
        calls = [(call, wire.parsed(call.arguments)) for call in self.calls]
        return found + [{"type": "tool_use", "id": one.id, "name": one.name, "input": given} for one, given in calls]

    def reply(self, **more: Any) -> Any:
        return self._message(self.blocks(), _STOPS[self.finish], self.usage) | more

    def _parts(self, block: dict[str, Any], arguments: str) -> list[tuple[dict[str, str], int]]:
        """The deltas of a block, with their output tokens."""
        if block["type"] == "text":
            return [({"type": "text_delta", "text": piece}, self.options.each) for piece in self.pieces]
        if block["type"] == "thinking":
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return [({"type": "thinking_delta", "thinking": block["thinking"]}, 0), (signed, 0)]
        cut = len(arguments) // 2
        parts = ("", arguments[:cut], arguments[cut:])
        return [({"type": "input_json_delta", "partial_json": part}, 0) for part in parts]

    def events(self) -> list[Event]:
        """As the real one: the first delta of a block comes with its start here, so that a piece is an event."""
        usage = {**self.usage, "output_tokens": 1}
        sent = [(wire.named_event({"type": "message_start", "message": self._message([], None, usage)}), 0)]
        arguments = iter([call.arguments for call in self.calls])
        for index, block in enumerate(self.blocks()):
            opened = {**block, **_EMPTY[block["type"]]}
            start = wire.named_event({"type": "content_block_start", "index": index, "content_block": opened})
            for delta, tokens in self._parts(block, next(arguments) if block["type"] == "tool_use" else ""):
                data = wire.named_event({"type": "content_block_delta", "index": index, "delta": delta})
                sent.append((start + data, tokens))
                start = b""
            data, tokens = sent[-1]
            sent[-1] = (data + wire.named_event({"type": "content_block_stop", "index": index}), tokens)
        end = {"stop_reason": _STOPS[self.finish], "stop_sequence": None}
        last = {"type": "message_delta", "delta": end, "usage": self.usage}
        return [*sent, (wire.named_event(last), 0)]
