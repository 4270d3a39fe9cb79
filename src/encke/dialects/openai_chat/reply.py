"""A provider's whole answer into the hub."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import Audio, ChatReply, ChatRequest, Choice, Citation, Part, Refusal, Text, Thinking, ToolCall
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.body import not_utf8, opener
from encke.dialects.faults import fault_in_stream
from encke.dialects.mend import loosely
from encke.dialects.openai_chat import message_wire as wire
from encke.dialects.openai_chat.assistant import said_in, texts_in
from encke.dialects.openai_chat.finish import read_finish
from encke.dialects.openai_chat.logprobs import read_logprobs
from encke.dialects.openai_chat.parse import parse_usage
from encke.dialects.openai_chat.stream_wire import AudioField, HubChoice, HubChunk, SearchResult
from encke.dialects.pieces import whole

_chunk: Final = msgspec.json.Decoder(HubChunk)
_string: Final = msgspec.json.Decoder(str)
_strings: Final = msgspec.json.Decoder(list[str])
_results: Final = msgspec.json.Decoder(list[SearchResult])
_parts: Final = msgspec.json.Decoder(list[wire.Part])
_format: Final = msgspec.json.Decoder(AudioField)
MISTRAL: Final = "mistral_chat"  # who signs thoughts that are parts of the content
ERROR: Final = "error"  # `object` of an error that has no envelope (vLLM's older ones, Mistral)
MAX_CHOICES: Final = 256  # as in a stream
_EMPTY: Final = (b"", b"null", b'""', b"[]", b"{}")


class Names:
    """Makes ids for tool calls that came without one."""

    __slots__ = ("_call_id", "_made")

    def __init__(self, call_id: str) -> None:
        self._call_id = call_id.replace("-", "")
        self._made = 0

    def __call__(self) -> str:
        self._made += 1
        return f"call_{self._call_id}_{self._made}"


def read_chunk(data: bytes) -> HubChunk | None:
    """A whole answer or an event; None if it is no JSON object."""
    return loosely(data, _chunk, HubChunk)


def read_reply(data: bytes, request: ChatRequest, call_id: str) -> ChatReply:
    """The answer. Raises Fault upstream_bad_response, and the provider's own for an error that came with status 200."""
    reply = read_chunk(data) if not_utf8(data) < 0 else None
    if reply is None:
        raise _bad("is not a JSON object of the expected shape")
    if bytes(reply.error) not in _EMPTY:
        raise fault_in_stream(reply.error)
    if reply.choices is None:
        if reply.object == ERROR:
            raise fault_in_stream(msgspec.Raw(data))
        raise _bad("has no `choices`")
    if not reply.choices:
        raise _bad("has no choice")
    if len(reply.choices) > MAX_CHOICES:
        raise _bad(f"has more than {MAX_CHOICES} choices")
    names = Names(call_id)
    found = beside(reply)
    choices = [_read_choice(choice, names, found, request) for choice in sorted(reply.choices, key=_index)]
    return ChatReply(
        choices=tuple(choices),
        id=reply.id or "",
        model=reply.model or "",
        created=reply.created or 0,
        usage=usage_in(reply),
        service_tier=reply.service_tier or "",
        fingerprint=reply.system_fingerprint or "",
    )


def usage_in(reply: HubChunk) -> Usage | None:
    """What is told of usage: in its own place, or in Groq's."""
    if len(reply.usage) > 4 or reply.x_groq is None:
        return parse_usage(reply.usage)
    return parse_usage(reply.x_groq.usage)


def _read_choice(choice: HubChoice, names: Names, found: tuple[Citation, ...], request: ChatRequest) -> Choice:
    if bytes(choice.error) not in _EMPTY:
        raise fault_in_stream(choice.error)
    message = choice.message or choice.delta or wire.Message()
    parts = said_in(message, content_in(message.content), names, packed=True)
    if found:
        parts = _cited(parts, found)
    parts = [_sound_as(part, request) if isinstance(part, Audio) else part for part in parts]
    if any(isinstance(part, ToolCall) and not part.name for part in parts):
        raise _bad("has a tool call without a name")
    stop = stop_in(choice)
    word = choice.finish_reason or ""
    calls = any(isinstance(part, ToolCall) for part in parts)
    finish = read_finish(word, stop, calls) if word else None
    return Choice(tuple(parts), finish, word, stop if finish == "stop_sequence" else "", read_logprobs(choice.logprobs))


def content_in(raw: msgspec.Raw) -> list[Part]:
    """Content of an answer: a string, or a list of parts, in which thoughts may stand (Mistral)."""
    first = opener(raw)
    if first == b'"':
        try:
            text = _string.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return []
        return [Text(text)] if text else []
    if first != b"[":
        return []
    parts: list[Part] = []
    for part in texts_in(raw):
        if part.type == "thinking":
            thought, signature = thought_in(part.thinking), part.signature or ""
            if thought or signature:
                parts.append(Thinking(thought, signature, MISTRAL if signature else ""))
        elif part.type == "refusal" and part.refusal:
            parts.append(Refusal(part.refusal))
        elif part.text:
            parts.append(Text(part.text))
    return whole(parts)


def thought_in(raw: msgspec.Raw) -> str:
    """The text of a thought: a string, or a list of texts."""
    try:
        if opener(raw) == b'"':
            return _string.decode(raw)
        return "".join(part.text or "" for part in _parts.decode(raw)) if len(raw) > 4 else ""
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""


def stop_in(choice: HubChoice) -> str:
    """The stop sequence that was met, where it is told and is a text."""
    for raw in (choice.stop_reason, choice.matched_stop):
        if opener(raw) == b'"':
            try:
                return _string.decode(raw)
            except (msgspec.DecodeError, UnicodeDecodeError):
                return ""
    return ""


def beside(reply: HubChunk) -> tuple[Citation, ...]:
    """Perplexity's sources, which stand beside the choices: of the answer as a whole."""
    return sources(reply.search_results, reply.citations)


def sources(results: msgspec.Raw, addresses: msgspec.Raw) -> tuple[Citation, ...]:
    """See `beside`."""
    try:
        if len(results) > 4:
            found = loosely(results, _results, list[SearchResult]) or []
            return tuple(Citation(one.url, one.title or "", one.snippet or "") for one in found if one.url)
        if len(addresses) > 4:
            return tuple(Citation(url) for url in _strings.decode(addresses) if url)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    return ()


def _cited(parts: list[Part], found: tuple[Citation, ...]) -> list[Part]:
    """With the sources at the last text, if nothing in it says where it is from."""
    if any(isinstance(part, Text) and part.citations for part in parts):
        return parts
    for at in range(len(parts) - 1, -1, -1):
        part = parts[at]
        if isinstance(part, Text):
            return [*parts[:at], msgspec.structs.replace(part, citations=found), *parts[at + 1 :]]
    return parts


def _sound_as(sound: Audio, request: ChatRequest) -> Audio:
    return msgspec.structs.replace(sound, format=sound_format(request))


def sound_format(request: ChatRequest) -> str:
    """The form of sound that was asked for, which an answer does not repeat."""
    raw = request.extra.get("audio", b"")
    try:
        return _format.decode(raw).format if raw else ""
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""


def _index(choice: HubChoice) -> int:
    return choice.index


def _bad(what: str) -> Fault:
    return Fault("upstream_bad_response", f"The provider's answer {what}.", verdict="next")
