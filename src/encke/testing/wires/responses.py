"""OpenAI's Responses: items that open and close, numbered events, thoughts as an item that is sealed."""

from __future__ import annotations

from itertools import zip_longest
from typing import Any

from encke.testing import wire
from encke.testing.options import ToolCall
from encke.testing.polite import CREATED, Answer

Event = tuple[bytes, int]
Facts = list[tuple[dict[str, Any], int]]


class ResponsesAnswer(Answer):
    """See the module."""

    def counted(self) -> dict[str, Any]:
        """Its usage."""
        prompt, completion = self.prompt_tokens, self.completion_tokens
        found: dict[str, Any] = {"input_tokens": prompt, "output_tokens": completion}
        found["input_tokens_details"] = {"cached_tokens": self.options.cached}
        found["output_tokens_details"] = {"reasoning_tokens": self.options.reasoning}
        return {**found, "total_tokens": prompt + completion}

    @property
    def done(self) -> list[Event]:
        return []

    @property
    def broken(self) -> bytes:
        error = {"code": "server_error", "message": "The server failed while generating.", "param": None}
        return wire.named_event({"type": "error", **error, "sequence_number": 99})

    def _response(self, status: str, output: list[Any], usage: Any) -> dict[str, Any]:
        found: dict[str, Any] = {"id": f"resp_fake_{self.request.number}", "object": "response", "created_at": CREATED}
        cut = {"reason": "max_output_tokens"} if status == "incomplete" else None
        found |= {"status": status, "error": None, "incomplete_details": cut, "instructions": None, "metadata": {}}
        found |= {"model": self.request.model, "output": output, "parallel_tool_calls": True, "tool_choice": "auto"}
        return found | {"temperature": 1.0, "tools": [], "top_p": 1.0, "usage": usage}

    def _text(self, text: str) -> dict[str, Any]:
        return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}

    def _thoughts(self, text: str) -> dict[str, Any]:
        summary = [{"type": "summary_text", "text": text}] if text else []
        sealed = self.options.signature or "sealed-by-fake"
        return {"id": "rs_fake", "type": "reasoning", "summary": summary, "encrypted_content": sealed}

    def _message(self, status: str, content: list[Any]) -> dict[str, Any]:
        return {"id": "msg_fake", "type": "message", "status": status, "role": "assistant", "content": content}

    def _call(self, call: ToolCall, status: str, arguments: str) -> dict[str, Any]:
        found = {"id": f"fc_{call.id}", "type": "function_call", "status": status, "arguments": arguments}
        return {**found, "call_id": call.id, "name": call.name}

    def items(self) -> list[dict[str, Any]]:
        """The whole output."""
        found = [self._thoughts(self.options.thinking)] if self.options.thinking else []
        if self.pieces:
            found.append(self._message("completed", [self._text(self.content)]))
        return found + [self._call(one, "completed", one.arguments) for one in self.calls]

    @property
    def _status(self) -> str:
        return "incomplete" if self.finish == "length" else "completed"

    def reply(self, **more: Any) -> Any:
        return self._response(self._status, self.items(), self.usage) | more

    def _thinking(self, index: int) -> Facts:
        base = {"item_id": "rs_fake", "output_index": index, "summary_index": 0}
        text, kind = self.options.thinking, "response.reasoning_summary"
        facts = [
            {"type": "response.output_item.added", "output_index": index, "item": self._thoughts("")},
            {"type": f"{kind}_part.added", **base, "part": {"type": "summary_text", "text": ""}},
            {"type": f"{kind}_text.delta", **base, "delta": text},
            {"type": f"{kind}_text.done", **base, "text": text},
            {"type": f"{kind}_part.done", **base, "part": {"type": "summary_text", "text": text}},
            {"type": "response.output_item.done", "output_index": index, "item": self._thoughts(text)},
        ]
        return [(one, 0) for one in facts]

    def _saying(self, index: int) -> Facts:
        base = {"item_id": "msg_fake", "output_index": index, "content_index": 0}
        opened = {"output_index": index, "item": self._message("in_progress", [])}
        facts: Facts = [({"type": "response.output_item.added", **opened}, 0)]
        facts.append(({"type": "response.content_part.added", **base, "part": self._text("")}, 0))
        for piece in self.pieces:
            delta = {"type": "response.output_text.delta", **base, "delta": piece, "logprobs": []}
            facts.append((delta, self.options.each))
        facts.append(({"type": "response.output_text.done", **base, "text": self.content, "logprobs": []}, 0))
        facts.append(({"type": "response.content_part.done", **base, "part": self._text(self.content)}, 0))
        whole = self._message("completed", [self._text(self.content)])
        return [*facts, ({"type": "response.output_item.done", "output_index": index, "item": whole}, 0)]

    def _calling(self, index: int, call: ToolCall) -> Facts:
        base = {"item_id": f"fc_{call.id}", "output_index": index}
        kind = "response.function_call_arguments"
        opened = {"output_index": index, "item": self._call(call, "in_progress", "")}
        facts = [{"type": "response.output_item.added", **opened}]
        facts += [{"type": f"{kind}.delta", **base, "delta": part} for part in call.parts]
        facts.append({"type": f"{kind}.done", **base, "arguments": call.arguments})
        done = {"output_index": index, "item": self._call(call, "completed", call.arguments)}
        return [(one, 0) for one in (*facts, {"type": "response.output_item.done", **done})]

    def events(self) -> list[Event]:
        facts: Facts = [({"type": "response.created", "response": self._response("in_progress", [], None)}, 0)]
        facts.append(({"type": "response.in_progress", "response": self._response("in_progress", [], None)}, 0))
        index = 0
        if self.options.thinking:
            facts += self._thinking(index)
            index += 1
        if self.pieces:
            facts += self._saying(index)
            index += 1
        calls = [self._calling(index + at, call) for at, call in enumerate(self.calls)]
        if self.options.interleave:
            facts += [one for row in zip_longest(*calls) for one in row if one is not None]
        else:
            facts += [one for call in calls for one in call]
        facts.append(({"type": f"response.{self._status}", "response": self.reply()}, 0))
        return _joined([{**one, "sequence_number": at} for at, (one, _) in enumerate(facts)], [n for _, n in facts])


def _joined(facts: list[dict[str, Any]], tokens: list[int]) -> list[Event]:
    """Events, with what comes before the first piece in one, as in the other wires."""
    first = next((at for at, count in enumerate(tokens) if count), 1)
    sent = [(wire.named_event(one), count) for one, count in zip(facts, tokens, strict=True)]
    return [(b"".join(data for data, _ in sent[:first]), 0), *sent[first:]]
