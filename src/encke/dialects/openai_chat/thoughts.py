"""Thoughts and their signatures: OpenRouter's `reasoning_details`, and Google's `extra_content`, both ways.

An entry is {"type": "reasoning.text" | "reasoning.summary" | "reasoning.encrypted", "text" | "summary" | "data",
"signature", "id", "format", "index"}; `format` says whose the signature is. Towards callers the gateway writes such
entries for the signatures of any dialect. From providers of this dialect an entry is kept as a whole in the hub's
signature, since it has to go back as it came.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import Thinking
from encke.dialects import carrier
from encke.dialects.openai_chat.message_wire import Detail, ExtraContent
from encke.dialects.openai_chat.parts import ORIGIN

FORMATS: Final = {
    "anthropic_messages": "anthropic-claude-v1",
    "google_generate": "google-gemini-v1",
    "openai_responses": "openai-responses-v1",
}
_ORIGINS: Final = {format: origin for origin, format in FORMATS.items()}
_OURS: Final = "encke:"
TEXT: Final = "reasoning.text"
SUMMARY: Final = "reasoning.summary"
ENCRYPTED: Final = "reasoning.encrypted"
GOOGLE: Final = "google_generate"

_detail: Final = msgspec.json.Decoder(Detail)
_extra: Final = msgspec.json.Decoder(ExtraContent)
_encode: Final = msgspec.json.Encoder().encode


def format_of(origin: str) -> str:
    """The `format` of a signature of a dialect."""
    return FORMATS.get(origin) or _OURS + origin


def origin_of(format: str | None) -> str:
    """The dialect whose signature it is; "" if nobody knows."""
    if format is None:
        return ""
    return format.removeprefix(_OURS) if format.startswith(_OURS) else _ORIGINS.get(format, "")


def thoughts_of(details: list[Detail], text: str, *, packed: bool) -> list[Thinking]:
    """The thoughts of a message whose plain thought text is `text`. `packed`: entries are a provider's own."""
    found: list[Thinking] = []
    open_at: int | None = None  # of a summary that waits for what is encrypted of it
    for detail in details:
        if detail.type == SUMMARY:
            found.append(Thinking(detail.summary or "", summary=True, id=detail.id or ""))
            open_at = detail.index
        elif detail.type == ENCRYPTED and detail.data:
            last = found[-1] if found else None
            if last is not None and last.summary and not last.signature and _is_of(detail, open_at, last.id):
                found[-1] = _signed(last, detail, packed)
            else:
                found.append(_signed(Thinking(redacted=True), detail, packed))
        elif detail.type == TEXT and (detail.text or detail.signature):
            thought = Thinking(detail.text or "", id=detail.id or "")
            found.append(_signed(thought, detail, packed) if detail.signature else thought)
    if text and not any(thought.text for thought in found):
        if found and not found[0].redacted:
            found[0] = msgspec.structs.replace(found[0], text=text)
        else:
            found.insert(0, Thinking(text))
    return found


def _is_of(detail: Detail, index: int | None, id: str) -> bool:
    """Whether what is encrypted is that of the summary before it: providers give both one index, the gateway the one
    behind it, with the same id."""
    if detail.index == index:
        return True
    return index is not None and detail.index == index + 1 and (detail.id or "") == id


def _signed(thought: Thinking, detail: Detail, packed: bool) -> Thinking:
    if packed:
        return msgspec.structs.replace(thought, signature=pack(detail), origin=ORIGIN, id=detail.id or thought.id)
    signature = detail.signature or detail.data or ""
    origin = origin_of(detail.format)
    if not origin:
        return msgspec.structs.replace(thought, signature=pack(detail), origin=ORIGIN, id=detail.id or thought.id)
    return msgspec.structs.replace(thought, signature=signature, origin=origin, id=detail.id or thought.id)


def pack(detail: Detail) -> str:
    """An entry without its text, as a signature."""
    return _encode(msgspec.structs.replace(detail, text=None, summary=None)).decode()


def details_of(thought: Thinking, index: int) -> list[dict[str, Any]]:
    """The entries for one thought, towards a caller, or back to the provider that it is of. Those towards a caller are
    numbered from `index` on: clients that put the pieces of streams together make one of what has the same number."""
    made: list[dict[str, Any]] = []
    if thought.origin == ORIGIN and thought.signature:
        return _unpacked(thought, index)
    format = format_of(thought.origin) if thought.signature else "unknown"
    mark: dict[str, Any] = {"format": format, "id": thought.id} if thought.id else {"format": format}
    if thought.summary:
        made.append({"type": SUMMARY, "summary": thought.text, **mark, "index": index})
    if thought.redacted or (thought.summary and thought.signature):
        made.append({"type": ENCRYPTED, "data": thought.signature, **mark, "index": index + len(made)})
    elif not thought.summary:
        entry: dict[str, Any] = {"type": TEXT, "text": thought.text}
        if thought.signature:
            entry["signature"] = thought.signature
        made.append({**entry, **mark, "index": index})
    return made


def _unpacked(thought: Thinking, index: int) -> list[dict[str, Any]]:
    try:
        detail = _detail.decode(thought.signature)
    except (msgspec.DecodeError, UnicodeEncodeError):
        detail = Detail()
    if detail.type not in (TEXT, SUMMARY, ENCRYPTED):
        detail = Detail(TEXT, signature=thought.signature)
    entry: dict[str, Any] = msgspec.to_builtins(detail)
    if detail.type == ENCRYPTED and thought.summary and thought.text:
        lead = {"type": SUMMARY, "summary": thought.text, "format": detail.format, "index": entry.get("index", index)}
        return [lead, entry]
    if detail.type == TEXT and thought.text:
        entry["text"] = thought.text
    return [entry]


def signature_in(raw: msgspec.Raw) -> str:
    """Google's signature in an `extra_content`; "" if there is none."""
    if len(raw) < 5:
        return ""
    try:
        found = _extra.decode(raw).google
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return ""
    return (found.thought_signature or "") if found is not None else ""


def extra_content(signature: str, origin: str) -> dict[str, Any]:
    """An `extra_content` with a signature, Google's own or in a carrier."""
    held = signature if origin in (GOOGLE, ORIGIN, "") else carrier.wrap(origin, signature)
    return {"google": {"thought_signature": held}}
