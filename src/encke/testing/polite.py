"""The honest answer to a chat completion, in parts, so that behaviours can spoil any of them.

The content starts with the nonce the caller put into its last user message (`token:abc123`), and every later piece
repeats it, so that an answer which reaches the wrong caller is seen. A piece of content counts as one output token,
unless `each` says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, ClassVar

import msgspec

from encke.testing import asked, wire
from encke.testing.options import Options, ToolCall
from encke.testing.request import Request
from encke.testing.script import Send, Sleep, Step

__all__ = [
    "CREATED",
    "STREAM_HEAD",
    "Answer",
    "Options",
    "delay",
    "envelope",
    "middle",
    "polite",
    "stream",
    "usage",
    "whole",
]

CREATED = 1_700_000_000


@dataclass
class Answer:
    """A chat completion: `pieces` of content, why it `finish`ed, and its `usage`; behaviours may change all three.

    Calls of functions are made as the options say, or where the request demands one, which then has the options'
    content as arguments; results of tools that came back are told instead ("Told: …"). Other wires are subclasses in
    `encke.testing.wires`; `finish` has OpenAI's words in all of them.
    """

    request: Request
    options: Options
    pieces: list[str] = field(default_factory=list)
    finish: str = "stop"
    usage: Any = None
    calls: list[ToolCall] = field(default_factory=list)
    prefix: ClassVar[str] = "call_fake"

    def __post_init__(self) -> None:
        request, options = self.request, self.options
        bound = options.chunks
        if options.honour_max and request.max_tokens is not None:
            bound = max(request.max_tokens, 0) // options.each
        count = min(options.chunks, bound)
        self.finish = "length" if count < options.chunks else "stop"
        told = request.wanted[1]
        first = f"Told: {' | '.join(told)}" if told else options.content
        first = first or (f"token:{request.nonce}" if request.nonce else "Hello")
        further = (options.piece or f" {request.nonce or 'word'}.{n}" for n in range(1, count))
        self.pieces = [first, *further][:count]
        self.calls = [] if told else self._calls()
        if self.calls:
            self.finish = "tool_calls"
            self.pieces = self.pieces if options.content and options.calls else []
        claimed = options.completion_tokens
        self.completion_tokens = self.tokens if claimed is None else claimed
        self.usage = options.usage or self.counted()

    def _calls(self) -> list[ToolCall]:
        """Those that the options name and the request offers, or the one that the request demands."""
        offered, demanded = asked.tools(self.request.json), asked.forced(self.request.json)
        made = [(one["name"], _json(one.get("arguments", {}))) for one in self.options.calls if one["name"] in offered]
        if not made and demanded is not None:
            made = [(demanded, self.options.content or "{}")]
        return [ToolCall(self._call_id(at), name, arguments) for at, (name, arguments) in enumerate(made)]

    def _call_id(self, index: int) -> str:
        return f"{self.prefix}_{self.request.number}_{index}"

    @property
    def prompt_tokens(self) -> int:
        """Claimed by the options, else one for every four bytes of the body."""
        given = self.options.prompt_tokens
        return max(len(self.request.body) // 4, 1) if given is None else given

    @property
    def tokens(self) -> int:
        """In all pieces; a call counts as one."""
        return (len(self.pieces) + len(self.calls)) * self.options.each

    @property
    def content(self) -> str:
        return "".join(self.pieces)

    def counted(self) -> dict[str, Any]:
        """The usage of this answer, as its wire says it."""
        found = usage(self.prompt_tokens, self.completion_tokens)
        if self.options.cached:
            found["prompt_tokens_details"] = {"cached_tokens": self.options.cached}
        if self.options.reasoning:
            found["completion_tokens_details"] = {"reasoning_tokens": self.options.reasoning}
        return found

    # the wire: another one overrides what follows

    @property
    def stream_head(self) -> bytes:
        """The head of a stream."""
        return STREAM_HEAD

    @property
    def done(self) -> list[tuple[bytes, int]]:
        """The stream's end mark, if the wire has one."""
        return [(wire.event("[DONE]", self.options.eol), 0)]

    @property
    def broken(self) -> bytes:
        """How a stream tells that it has failed."""
        return wire.event(envelope("server_error", None, "The server failed while generating."))

    def refusal(self, status: int, kind: str, code: str | None, message: str) -> Any:
        """The JSON of an error."""
        return envelope(kind, code, message)

    def _object(self, kind: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        base = {"id": f"chatcmpl-fake-{self.request.number}", "object": kind, "created": CREATED}
        return {**base, "model": self.request.model or "fake", "choices": choices, **more}

    def reply(self, **more: Any) -> Any:
        """The JSON of the answer that is not streamed."""
        content = self.content if self.pieces or not self.calls else None
        message: dict[str, Any] = {"role": "assistant", "content": content, "refusal": None}
        if self.options.thinking:
            message["reasoning_content"] = self.options.thinking
        if self.calls:
            message["tool_calls"] = [_function(call) for call in self.calls]
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": self.finish}
        return self._object("chat.completion", [choice], usage=self.usage, **more)

    def chunk(self, delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
        """The JSON of one chunk with one choice."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return self._object("chat.completion.chunk", [choice], **more)

    def opening(self) -> dict[str, Any]:
        """The chunk that only says the role."""
        return self.chunk({"role": "assistant", "content": ""})

    def contents(self) -> list[dict[str, Any]]:
        """One chunk a piece."""
        return [self.chunk({"content": piece}) for piece in self.pieces]

    def calling(self) -> list[dict[str, Any]]:
        """The calls of functions: a chunk that opens each, then their arguments."""
        opened = [{"index": at, **_function(call, "")} for at, call in enumerate(self.calls)]
        parts = [
            [{"index": at, "function": {"arguments": part}} for part in one.parts] for at, one in enumerate(self.calls)
        ]
        if self.options.interleave:
            mixed = [*opened, *(part for row in zip_longest(*parts) for part in row if part is not None)]
        else:
            mixed = [one for at, first in enumerate(opened) for one in (first, *parts[at])]
        return [self.chunk({"tool_calls": [one]}) for one in mixed]

    def closing(self) -> list[dict[str, Any]]:
        """The finish, and the usage if the caller asked for it."""
        end = [self.chunk({}, self.finish)]
        if self.request.include_usage:
            end.append(self._object("chat.completion.chunk", [], usage=self.usage))
        return end

    def events(self) -> list[tuple[bytes, int]]:
        """Every event of the stream with its output tokens, without the end mark."""
        thought = [self.chunk({"reasoning_content": self.options.thinking})] if self.options.thinking else []
        parts = [(one, 0) for one in (self.opening(), *thought)]
        parts += [(one, self.options.each) for one in self.contents()]
        parts += [(one, 0) for one in (*self.calling(), *self.closing())]
        return [(wire.event(one, self.options.eol), tokens) for one, tokens in parts]


def usage(prompt: int, completion: int) -> dict[str, Any]:
    """A usage object."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def envelope(kind: str, code: str | None, message: str) -> dict[str, Any]:
    """The error envelope of OpenAI's API."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def _function(call: ToolCall, arguments: str | None = None) -> dict[str, Any]:
    given = call.arguments if arguments is None else arguments
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": given}}


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


STREAM_HEAD = wire.head(200, [wire.EVENT_STREAM, wire.CHUNKED, ("x-request-id", "req-fake")])


def stream(answer: Answer, events: list[tuple[bytes, int]], end: bytes = wire.LAST_CHUNK) -> list[Step]:
    """Head, one chunk an event, then `end`; with the pauses that the options ask for."""
    interval = answer.options.interval
    steps: list[Step] = [*delay(answer.options), Send(answer.stream_head)]
    for data, tokens in events:
        steps.append(Send(wire.chunk(data) if data else b"", tokens))  # an empty chunk would be the last
        if interval and tokens:
            steps.append(Sleep(interval))
    return [*steps, Send(end)] if end else steps


def whole(answer: Answer, body: bytes, status: int = 200, headers: wire.Headers = ()) -> list[Step]:
    """An answer in one piece, with Content-Length."""
    tokens = answer.tokens if status == 200 else 0
    return [*delay(answer.options), Send(wire.http_response(status, [wire.JSON, *headers], body), tokens)]


def polite(answer: Answer) -> list[Step]:
    """What a good provider does."""
    if answer.request.stream:
        return stream(answer, [*answer.events(), *answer.done])
    return whole(answer, msgspec.json.encode(answer.reply()))


def delay(options: Options) -> list[Step]:
    """The pause before the head, if one was asked for."""
    return [Sleep(options.first_delay)] if options.first_delay else []


def middle(answer: Answer) -> list[Step]:
    """The polite answer up to its middle: `after` pieces of a stream, or half of the body."""
    if answer.request.stream:
        received = 1 + min(answer.options.after, len(answer.pieces))
        return stream(answer, answer.events()[:received], end=b"")
    steps = polite(answer)
    last = steps[-1]
    assert isinstance(last, Send)
    return [*steps[:-1], Send(last.data[: len(last.data) - len(answer.content) // 2 - 60])]
