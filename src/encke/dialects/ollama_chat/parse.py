"""Whole answers of Ollama's chat, and what lines of a stream have in common with them, read into the hub."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import ChatReply, Choice, Finish, Part, Text, Thinking, TokenLogprob, ToolCall
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.faults import fault_in_stream
from encke.dialects.mend import loosely
from encke.dialects.ollama_chat.wire import Call, Line, Logprob, Message
from encke.dialects.openai_chat.assistant import arguments_of

# More than six times the largest context window there is (10 million): whoever says so is not to be believed.
MOST_TOKENS: Final = 1 << 26
_SILENT: Final = (b"", b"null", b'""')

# Why an answer ended (`llm.DoneReason`). "load" and "unload" answer requests that have no messages.
_FINISHES: Final[dict[str, Finish]] = {"stop": "stop", "length": "length"}

_line: Final = msgspec.json.Decoder(Line)


def parse_reply(data: bytes, call_id: str) -> ChatReply:
    """A whole answer. Raises Fault upstream_bad_response, or what a failure in it is."""
    line = parse_line(data)
    if line is None or (line.message is None and not has_error(line)):
        raise Fault("upstream_bad_response", "The provider's answer is not one of Ollama's chat.", verdict="next")
    if has_error(line):
        raise fault_in_stream(line.error)
    message = line.message or Message()
    choice = Choice(
        parts=_parts(message, call_id),
        finish=finish_of(line.done_reason, bool(message.tool_calls)) if line.done and line.done_reason else None,
        finish_raw=line.done_reason or "",
        logprobs=tuple(logprob_of(one) for one in line.logprobs or ()),
    )
    return ChatReply(choices=(choice,), model=line.model or "", usage=usage_of(line))


def parse_line(data: bytes) -> Line | None:
    """A line, without what of it has a wrong type; None for what is no JSON object."""
    return loosely(data, _line, Line)


def has_error(line: Line) -> bool:
    """Whether the line is a failure: `{"error": "text"}`."""
    return bytes(line.error) not in _SILENT


def finish_of(reason: str | None, calls: bool) -> Finish:
    """Ollama says "stop" where tools are called, too."""
    finish = _FINISHES.get(reason or "", "other")
    return "tool_calls" if calls and finish == "stop" else finish


def usage_of(line: Line) -> Usage | None:
    """Tokens, None where none are told that can be believed. Thoughts are not told apart from what was said."""
    read, written = line.prompt_eval_count, line.eval_count
    if read is None and written is None:
        return None
    read, written = read or 0, written or 0
    if not (0 <= read < MOST_TOKENS and 0 <= written < MOST_TOKENS):
        return None
    return Usage(input=read, output=written)


def logprob_of(token: Logprob) -> TokenLogprob:
    """A token with the likeliest others."""
    top = tuple(TokenLogprob(one.token, one.logprob, _bytes(one.bytes)) for one in token.top_logprobs or ())
    return TokenLogprob(token.token, token.logprob, _bytes(token.bytes), top)


def call_of(call: Call, call_id: str, number: int) -> ToolCall:
    """A tool call; `number` makes the id of one that has none. Raises Fault for one without a name: nobody can run
    it."""
    function = call.function
    if function is None or not function.name:
        raise Fault("upstream_bad_response", "The provider's answer has a tool call without a name.", verdict="next")
    arguments = arguments_of(function.arguments)
    return ToolCall(
        call.id or f"call_{call_id.replace('-', '')}_{number}",
        function.name,
        "{}" if arguments in ("", "null") else arguments,
    )


def _parts(message: Message, call_id: str) -> tuple[Part, ...]:
    parts: list[Part] = []
    if message.thinking:
        parts.append(Thinking(message.thinking))
    if message.content:
        parts.append(Text(message.content))
    parts.extend(call_of(call, call_id, number) for number, call in enumerate(message.tool_calls or ()))
    return tuple(parts)


def _bytes(numbers: list[int] | None) -> tuple[int, ...] | None:
    return None if numbers is None else tuple(numbers)
