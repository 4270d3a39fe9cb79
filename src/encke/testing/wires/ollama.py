"""Ollama's own chat: JSON lines, arguments as an object, the reason "stop" even where a function is called."""

from __future__ import annotations

from typing import Any

import msgspec

from encke.testing import wire
from encke.testing.polite import Answer

_HEAD = wire.head(200, [("content-type", "application/x-ndjson"), wire.CHUNKED])
Event = tuple[bytes, int]


class OllamaAnswer(Answer):
    """See the module."""

    @property
    def stream_head(self) -> bytes:
        return _HEAD

    @property
    def done(self) -> list[Event]:
        return []

    def counted(self) -> dict[str, Any]:
        """Its usage, which stands among the answer's own fields."""
        return {"prompt_eval_count": self.prompt_tokens, "eval_count": self.completion_tokens}

    @property
    def broken(self) -> bytes:
        return _line({"error": "an error was encountered while running the model"})

    def refusal(self, status: int, kind: str, code: str | None, message: str) -> Any:
        return {"error": message}

    def _answer(self, message: dict[str, Any], done: bool) -> dict[str, Any]:
        found: dict[str, Any] = {"model": self.request.model, "created_at": "2026-01-01T00:00:00.5Z"}
        found |= {"message": {"role": "assistant", "content": "", **message}, "done": done}
        if done:
            found |= {"done_reason": "length" if self.finish == "length" else "stop", **self.usage}
        return found

    def _calls_json(self) -> list[dict[str, Any]]:
        return [
            {"function": {"index": at, "name": one.name, "arguments": wire.parsed(one.arguments)}}
            for at, one in enumerate(self.calls)
        ]

    def reply(self, **more: Any) -> Any:
        message: dict[str, Any] = {"content": self.content}
        if self.options.thinking:
            message["thinking"] = self.options.thinking
        if self.calls:
            message["tool_calls"] = self._calls_json()
        return self._answer(message, True) | more

    def events(self) -> list[Event]:
        opening = {"thinking": self.options.thinking} if self.options.thinking else {}
        sent = [(_line(self._answer(opening, False)), 0)]
        sent += [(_line(self._answer({"content": piece}, False)), self.options.each) for piece in self.pieces]
        sent += [(_line(self._answer({"tool_calls": [one]}, False)), 0) for one in self._calls_json()]
        return [*sent, (_line(self._answer({}, True)), 0)]


def _line(value: object) -> bytes:
    return msgspec.json.encode(value) + b"\n"
