"""What an answer's parts are called on this wire: for whole answers and streams alike."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import Audio, Citation, File, Finish, Image, Thinking
from encke.dialects import carrier
from encke.dialects.anthropic_messages.names import ORIGIN, STOP_REASONS
from encke.dialects.anthropic_messages.parse_blocks import OF_CALL, OF_TEXT
from encke.dialects.data_url import join
from encke.dialects.request import Request

_any: Final = msgspec.json.Decoder()


def message_id(call_id: str) -> str:
    """An answer's id, made of the call's."""
    return "msg_" + call_id.replace("-", "")


def shows_thoughts(request: Request) -> bool:
    """Whether the caller wants to read what was thought: `thinking.display` is not "omitted"."""
    raw = request.body.get("thinking")
    if raw is None:
        return True
    try:
        value: Any = _any.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return True
    return not (isinstance(value, dict) and value.get("display") == "omitted")


def stopped_by(request: Request, finish: str, told: str) -> str | None:
    """The stop sequence that ended an answer; where upstream does not say which, there has to be but one."""
    if finish != "stop_sequence" or told:
        return told or None
    raw = request.body.get("stop_sequences")
    try:
        given: Any = _any.decode(raw) if raw is not None else None
    except (msgspec.DecodeError, RecursionError):
        return None
    only = given[0] if isinstance(given, list) and len(given) == 1 else None
    return only if isinstance(only, str) else None


def signature_of(signature: str, origin: str, id: str = "") -> str:
    """A signature as it goes to a caller: another dialect's in a carrier."""
    if not signature or (origin == ORIGIN and not id):
        return signature
    return carrier.wrap(origin, signature, id)


def call_carrier(call_id: str, signature: str, origin: str) -> str:
    """What holds the signature of a call, beside it."""
    return carrier.wrap(origin, signature, OF_CALL + call_id)


def text_carrier(signature: str, origin: str) -> str:
    """What holds the signature of the text before it."""
    return carrier.wrap(origin, signature, OF_TEXT)


def thinking_block(part: Thinking, shown: bool) -> dict[str, Any] | None:
    """A thought; None for one of which nothing is left."""
    signature = signature_of(part.signature, part.origin, part.id)
    if part.redacted:
        return {"type": "redacted_thinking", "data": signature} if signature else None
    text = part.text if shown else ""
    return {"type": "thinking", "thinking": text, "signature": signature} if text or signature else None


def citation_json(citation: Citation) -> Any:
    """A citation: another dialect's as one of a page."""
    if citation.origin == ORIGIN and citation.raw:
        return msgspec.Raw(citation.raw)
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title or None,
        "cited_text": citation.quote,
        "encrypted_index": "",
    }


def media_text(media: Any) -> str:
    """What a caller reads in place of something that answers here cannot hold: where it is, or what was said."""
    if isinstance(media, Image):
        where = media.url or (join(media.media_type or "image/png", media.data) if media.data else "")
        return f"![image]({where})" if where else ""
    if isinstance(media, Audio):
        return media.transcript
    if isinstance(media, File):
        return media.text or (f"[{media.name or 'file'}]({media.url})" if media.url else "")
    return ""


def stop_reason(finish: Finish | str, called: bool, refused: bool) -> str:
    """Why an answer ended. Who has called tools waits for them, whatever else upstream says of it."""
    if finish == "stop" or (finish == "tool_calls" and not called):  # there are none to run
        return "tool_use" if called else "refusal" if refused else "end_turn"
    return STOP_REASONS.get(finish, "end_turn")
