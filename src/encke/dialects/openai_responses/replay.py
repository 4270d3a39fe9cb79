"""A whole answer as the deltas that a stream of it would have been."""

from __future__ import annotations

from collections.abc import Iterator

from encke.core.chat import Audio, ChatReply, Choice, File, Image, Part, Refusal, Text, Thinking, ToolCall
from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    CLOSE,
    FINISH,
    LOGPROBS,
    MEDIA,
    REDACTED,
    REFUSAL,
    SIGNATURE,
    START,
    TEXT,
    THINKING,
    TOOL,
    Delta,
)


def replay(reply: ChatReply) -> Iterator[Delta]:
    """All of it, choices one after the other."""
    yield Delta(START, id=reply.id, name=reply.model, data=reply.created)
    for index, choice in enumerate(reply.choices):
        yield from _choice(choice, index)


def _choice(choice: Choice, index: int) -> Iterator[Delta]:
    logprobs = choice.logprobs
    for key, part in enumerate(choice.parts):
        for delta in _part(part, key):
            delta.choice = index
            yield delta
            if logprobs and delta.kind == TEXT:
                yield Delta(LOGPROBS, index, key, data=logprobs)
                logprobs = ()
    if choice.finish is not None:
        yield Delta(FINISH, index, text=choice.stop_sequence, name=choice.finish, id=choice.finish_raw)


def _part(part: Part, key: int) -> Iterator[Delta]:
    if isinstance(part, Text):
        yield Delta(TEXT, key=key, text=part.text)
        for citation in part.citations:
            yield Delta(CITATION, key=key, data=citation)
        yield from _signed(part.signature, part.origin, key)
    elif isinstance(part, Thinking):
        if part.redacted:
            yield Delta(REDACTED, key=key, text=part.signature, name=part.origin, id=part.id)
            return
        yield Delta(THINKING, key=key, text=part.text, name="summary" if part.summary else "", id=part.id)
        yield from _signed(part.signature, part.origin, key)
    elif isinstance(part, Refusal):
        yield Delta(REFUSAL, key=key, text=part.text)
    elif isinstance(part, ToolCall):
        yield Delta(TOOL, key=key, name=part.name, id=part.id, data=part.custom)
        yield Delta(ARGUMENTS, key=key, text=part.arguments)
        yield from _signed(part.signature, part.origin, key)
    elif isinstance(part, (Image, Audio, File)):
        yield Delta(MEDIA, key=key, data=part)
        return
    else:
        return
    yield Delta(CLOSE, key=key)


def _signed(signature: str, origin: str, key: int) -> Iterator[Delta]:
    if signature:
        yield Delta(SIGNATURE, key=key, text=signature, name=origin)
