"""Gemini's generateContent: parts, no end mark, calls without ids whose thoughts are signed."""

from __future__ import annotations

from typing import Any

from encke.testing import wire
from encke.testing.polite import Answer

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
Event = tuple[bytes, int]


class GeminiAnswer(Answer):
    """See the module. A signature stands at the first call, or else at the last text, as the real one has it."""

    def counted(self) -> dict[str, Any]:
        """Its usage: thoughts are not among the candidates' tokens."""
        prompt, thoughts = self.prompt_tokens, self.options.reasoning
        found = {"promptTokenCount": prompt, "candidatesTokenCount": self.completion_tokens - thoughts}
        if thoughts:
            found["thoughtsTokenCount"] = thoughts
        if self.options.cached:
            found["cachedContentTokenCount"] = self.options.cached
        return {**found, "totalTokenCount": prompt + self.completion_tokens}

    def refusal(self, status: int, kind: str, code: str | None, message: str) -> Any:
        return {"error": {"code": status, "message": message, "status": _STATUSES.get(status, "UNKNOWN")}}

    @property
    def done(self) -> list[Event]:
        return []

    @property
    def broken(self) -> bytes:
        return wire.event(self.refusal(503, "", None, "The server failed while generating."))

    def _answer(self, parts: list[Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
        candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
        if finish:
            candidate["finishReason"] = finish
        found = {"candidates": [candidate], "modelVersion": self.request.model}
        return {**found, "responseId": f"fake-{self.request.number}", **more}

    def parts(self) -> list[dict[str, Any]]:
        """Thoughts, every piece of the text, calls."""
        found: list[dict[str, Any]] = [{"text": piece} for piece in self.pieces]
        for call in self.calls:
            found.append({"functionCall": {"name": call.name, "args": wire.parsed(call.arguments)}})
        if self.options.signature and found:
            at = len(self.pieces) if self.calls else -1
            found[at]["thoughtSignature"] = self.options.signature
        if self.options.thinking:
            found.insert(0, {"text": self.options.thinking, "thought": True})
        return found

    @property
    def _finish(self) -> str:
        return "MAX_TOKENS" if self.finish == "length" else "STOP"

    def reply(self, **more: Any) -> Any:
        return self._answer(self.parts(), self._finish, usageMetadata=self.usage, **more)

    def events(self) -> list[Event]:
        begun = {"promptTokenCount": self.prompt_tokens, "totalTokenCount": self.prompt_tokens}
        sent = []
        for part in self.parts():
            piece = "text" in part and not part.get("thought")
            sent.append((self._event(self._answer([part], usageMetadata=begun)), self.options.each if piece else 0))
        last = self._answer([{"text": ""}], self._finish, usageMetadata=self.usage)
        # The real one has no event before the first part; the others' have, so that faults come after as many pieces.
        return [(b"", 0), *sent, (self._event(last), 0)]

    def _event(self, value: Any) -> bytes:
        return wire.event(value, "\r\n")
