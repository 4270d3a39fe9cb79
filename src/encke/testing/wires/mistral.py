"""Mistral's chat: OpenAI's but for thoughts, which are content, ids of nine characters, usage unasked, and errors."""

from __future__ import annotations

from typing import Any

from encke.testing import wire
from encke.testing.polite import Answer

Event = tuple[bytes, int]


class MistralAnswer(Answer):
    """See the module."""

    def _call_id(self, index: int) -> str:
        return f"fk{self.request.number % 100_000:05}{index % 100:02}"

    def refusal(self, status: int, kind: str, code: str | None, message: str) -> Any:
        if status == 401:
            return {"detail": "Unauthorized"}
        if status == 422:
            return {"detail": [{"type": "missing", "loc": ["body", "messages"], "msg": message, "input": None}]}
        return {"object": "error", "message": message, "type": kind, "param": None, "code": "3051"}

    def _thoughts(self) -> list[dict[str, Any]]:
        return [{"type": "thinking", "thinking": [{"type": "text", "text": self.options.thinking}]}]

    def reply(self, **more: Any) -> Any:
        found = super().reply(**more)
        message = found["choices"][0]["message"]
        if message.pop("reasoning_content", None):
            message["content"] = [*self._thoughts(), {"type": "text", "text": self.content}]
        return found

    def calling(self) -> list[dict[str, Any]]:
        """Every call whole, in the same chunk."""
        calls = [
            {"id": one.id, "function": {"name": one.name, "arguments": one.arguments}, "index": at}
            for at, one in enumerate(self.calls)
        ]
        return [self.chunk({"tool_calls": calls})] if calls else []

    def events(self) -> list[Event]:
        parts = [(self.opening(), 0)]
        if self.options.thinking:
            parts.append((self.chunk({"content": self._thoughts()}), 0))
        parts += [(one, self.options.each) for one in self.contents()]
        parts += [(one, 0) for one in (*self.calling(), self.chunk({"content": ""}, self.finish, usage=self.usage))]
        return [(wire.event(one), tokens) for one, tokens in parts]
