"""The honest answer to a chat completion, in parts, so that behaviours can spoil any of them.

The content starts with the nonce the caller put into its last user message (`token:abc123`), and every later piece
repeats it, so that an answer which reaches the wrong caller is seen. A piece of content counts as one output token,
unless `each` says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from encke.testing import wire
from encke.testing.request import Request
from encke.testing.script import Send, Sleep, Step

CREATED = 1_700_000_000


class Options(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a request or a rule may say about its answer. `name` picks the behaviour; the others dial it."""

    name: str = "polite"
    chunks: int = 4  # pieces of content
    each: int = 1  # output tokens in each
    after: int = 2  # a fault in the middle comes after this many pieces
    interval: float = 0.0  # seconds between pieces of a stream
    first_delay: float = 0.0  # seconds before the head
    content: str | None = None  # the first piece, instead of the nonce
    piece: str | None = None  # every further piece, instead of the nonce and a number
    prompt_tokens: int | None = None  # usage claimed, instead of counted
    completion_tokens: int | None = None
    usage: dict[str, Any] | None = None  # the whole of it, instead of those two
    honour_max: bool = True  # false: write more than max_tokens allows
    seconds: int = 7  # for Retry-After
    megabytes: int = 64  # for big bodies
    location: str = "http://127.0.0.1:9/elsewhere"  # for redirects
    eol: str = "\n"


@dataclass
class Answer:
    """A chat completion: `pieces` of content, why it `finish`ed, and its `usage`; behaviours may change all three."""

    request: Request
    options: Options
    pieces: list[str] = field(default_factory=list)
    finish: str = "stop"
    usage: Any = None

    def __post_init__(self) -> None:
        request, options = self.request, self.options
        bound = options.chunks
        if options.honour_max and request.max_tokens is not None:
            bound = max(request.max_tokens, 0) // options.each
        count = min(options.chunks, bound)
        self.finish = "length" if count < options.chunks else "stop"
        first = options.content or (f"token:{request.nonce}" if request.nonce else "Hello")
        further = (options.piece or f" {request.nonce or 'word'}.{n}" for n in range(1, count))
        self.pieces = [first, *further][:count]
        claimed = options.completion_tokens
        self.usage = options.usage or usage(self.prompt_tokens, self.tokens if claimed is None else claimed)

    @property
    def prompt_tokens(self) -> int:
        """Claimed by the options, else one for every four bytes of the body."""
        given = self.options.prompt_tokens
        return max(len(self.request.body) // 4, 1) if given is None else given

    @property
    def tokens(self) -> int:
        """In all pieces."""
        return len(self.pieces) * self.options.each

    @property
    def content(self) -> str:
        return "".join(self.pieces)

    def _object(self, kind: str, choices: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
        base = {"id": f"chatcmpl-fake-{self.request.number}", "object": kind, "created": CREATED}
        return {**base, "model": self.request.model or "fake", "choices": choices, **more}

    def reply(self, **more: Any) -> dict[str, Any]:
        """The JSON of the answer that is not streamed."""
        message = {"role": "assistant", "content": self.content, "refusal": None}
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

    def closing(self) -> list[dict[str, Any]]:
        """The finish, and the usage if the caller asked for it."""
        end = [self.chunk({}, self.finish)]
        if self.request.include_usage:
            end.append(self._object("chat.completion.chunk", [], usage=self.usage))
        return end

    def events(self) -> list[tuple[bytes, int]]:
        """Every SSE event of the stream with its output tokens, without `[DONE]`."""
        eol = self.options.eol
        plain = [(wire.event(one, eol), 0) for one in (self.opening(), *self.closing())]
        return [plain[0], *((wire.event(one, eol), self.options.each) for one in self.contents()), *plain[1:]]


def usage(prompt: int, completion: int) -> dict[str, Any]:
    """A usage object."""
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


STREAM_HEAD = wire.head(200, [wire.EVENT_STREAM, wire.CHUNKED, ("x-request-id", "req-fake")])


def stream(answer: Answer, events: list[tuple[bytes, int]], end: bytes = wire.LAST_CHUNK) -> list[Step]:
    """Head, one chunk an event, then `end`; with the pauses that the options ask for."""
    interval = answer.options.interval
    steps: list[Step] = [*delay(answer.options), Send(STREAM_HEAD)]
    for data, tokens in events:
        steps.append(Send(wire.chunk(data), tokens))
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
        return stream(answer, [*answer.events(), (wire.event("[DONE]", answer.options.eol), 0)])
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
