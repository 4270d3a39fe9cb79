"""A provider's whole answer into the hub."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import (
    ChatReply,
    ChatRequest,
    Choice,
    CountReply,
    Part,
    Refusal,
    Text,
    TokenLogprob,
    Tool,
    ToolCall,
)
from encke.core.faults import Fault
from encke.dialects.body import not_utf8
from encke.dialects.google_generate.calls import Calls
from encke.dialects.google_generate.events import Event, EventCandidate, LogResult
from encke.dialects.google_generate.faults import fault_of_event
from encke.dialects.google_generate.fields import Fields
from encke.dialects.google_generate.grounding import cite, read_spans
from encke.dialects.google_generate.parse_parts import read_parts
from encke.dialects.google_generate.usage import parse_usage
from encke.dialects.google_generate.wire import NOTHING, NULL, WireFeedback
from encke.dialects.google_generate.words import block_word, finish_of, finish_word
from encke.dialects.mend import mend, readable, relax
from encke.dialects.pieces import whole

_event: Final = msgspec.json.Decoder(Event)
_logs: Final = msgspec.json.Decoder(LogResult)
_any: Final = msgspec.json.Decoder()
_TIERS: Final = {"standard": "default"}


def read_chat_reply(data: bytes, request: ChatRequest, call_id: str) -> ChatReply:
    """The answer. Raises Fault upstream_bad_response, or what an error inside says."""
    reply = read_event(data)
    contents = _contents(readable(data))
    customs = custom_tools(request)
    calls = Calls(call_id.replace("-", ""))
    choices: list[tuple[int, Choice]] = []
    for at, candidate in enumerate(reply.candidates or ()):
        index = at if candidate.index is None else candidate.index
        choices.append((index, _choice(candidate, contents[at], calls, customs)))
    if not choices:
        choices.append((0, _blocked(reply.promptFeedback)))
    choices.sort(key=lambda pair: pair[0])
    return ChatReply(
        choices=tuple(choice for _, choice in choices),
        id=reply.responseId or "",
        model=reply.modelVersion or "",
        usage=parse_usage(reply.usageMetadata),
        service_tier=_tier(reply.usageMetadata),
    )


def read_event(data: bytes) -> Event:
    """A whole answer, as far as its shape goes."""
    if not_utf8(data) >= 0:
        raise Fault("upstream_bad_response", "The provider's answer is not UTF-8.", verdict="next")
    try:
        reply = _event.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        mended = relax(data, Event)
        if mended is None:
            raise bad_reply(str(error)) from None
        reply = mended
    if reply.error not in (NOTHING, NULL):
        raise fault_of_event(reply.error)
    return reply


def bad_reply(why: str) -> Fault:
    """The Fault of an answer that makes no sense."""
    return Fault("upstream_bad_response", f"The provider's answer cannot be read: {why}.", verdict="next")


def custom_tools(request: ChatRequest) -> frozenset[str]:
    """The names of tools that take free text, which this wire wraps."""
    return frozenset(tool.name for tool in request.tools if isinstance(tool, Tool) and tool.custom)


def unwrapped(arguments: str) -> str:
    """The free text of a call of such a tool."""
    try:
        value: Any = _any.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return arguments
    said = value.get("input") if isinstance(value, dict) else None
    return said if isinstance(said, str) else arguments


def _contents(data: bytes) -> list[Fields | None]:
    try:
        items = Fields(data, "").items("candidates")
        found: list[Fields | None] = []
        for raw, path in items:
            found.append(Fields(raw, path).inner("content"))
        return found
    except Fault as fault:
        raise bad_reply(fault.message.rstrip(".")) from None


def _choice(candidate: EventCandidate, content: Fields | None, calls: Calls, customs: frozenset[str]) -> Choice:
    try:
        parts = [] if content is None else read_parts(content, calls, model=True, asked=False)
    except Fault as fault:
        raise bad_reply(fault.message.rstrip(".")) from None
    parts = _cited(whole(parts), candidate)
    has_calls = False
    for at, part in enumerate(parts):
        if isinstance(part, ToolCall):
            has_calls = True
            if part.name in customs:
                parts[at] = msgspec.structs.replace(part, arguments=unwrapped(part.arguments), custom=True)
    word = finish_word(candidate.finishReason)
    finish = finish_of(word, has_calls) if word else None
    if not parts and finish in ("content_filter", "error") and candidate.finishMessage:
        parts.append(Refusal(candidate.finishMessage))
    return Choice(tuple(parts), finish, word, logprobs=read_logs(candidate.logprobsResult))


def _cited(parts: list[Part], candidate: EventCandidate) -> list[Part]:
    spans = read_spans(candidate.groundingMetadata, candidate.citationMetadata)
    if not spans:
        return parts
    cited = iter(cite([part for part in parts if isinstance(part, Text)], spans))
    return [next(cited) if isinstance(part, Text) else part for part in parts]


def _blocked(feedback: WireFeedback | None) -> Choice:
    """The answer to a prompt that Google has refused."""
    word = block_word(feedback.blockReason) if feedback is not None else ""
    said = feedback.blockReasonMessage if feedback is not None else None
    if not word and not said:
        raise Fault("upstream_bad_response", "The provider's answer has no candidates.", verdict="again")
    return Choice((Refusal(refusal(word, said)),), "content_filter", word or "OTHER")


def refusal(word: str, said: str | None) -> str:
    """What the caller is told of a prompt that was refused."""
    return said or f"The provider has blocked the prompt: {word}."


def read_logs(raw: msgspec.Raw) -> tuple[TokenLogprob, ...]:
    """Tokens with how likely they were; none where that cannot be read."""
    if len(raw) <= 4:
        return ()
    try:
        found = _logs.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        found = mend(raw, LogResult) or LogResult()
    tops = found.topCandidates or []
    logs = []
    for at, one in enumerate(found.chosenCandidates or ()):
        top = tops[at].candidates or [] if at < len(tops) else []
        others = tuple(TokenLogprob(other.token or "", other.logProbability or 0.0) for other in top)
        logs.append(TokenLogprob(one.token or "", one.logProbability or 0.0, top=others))
    return tuple(logs)


def _tier(raw: msgspec.Raw) -> str:
    """`usageMetadata.serviceTier`, as OpenAI calls it."""
    try:
        told: Any = _any.decode(raw) if raw else None
    except (msgspec.DecodeError, RecursionError):
        return ""
    said = told.get("serviceTier") if isinstance(told, dict) else None
    return _TIERS.get(said.lower(), said.lower()) if isinstance(said, str) else ""


def read_count_reply(data: bytes) -> CountReply:
    """How many tokens a request has; what is nothing is not told. Raises Fault upstream_bad_response."""
    read_event(data)
    fields = Fields(data, "")
    try:
        return CountReply(fields.whole("totalTokens", 0) or 0, fields.whole("cachedContentTokenCount", 0) or 0)
    except Fault as fault:
        raise bad_reply(fault.message.rstrip(".")) from None
