"""Citations of Cohere's: which characters of an answer rest on which documents or results of tools."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import Citation
from encke.dialects.cohere_chat.wire import NOTHING, WireCitation
from encke.dialects.mend import loosely

ORIGIN: Final = "cohere_chat"
PLAN: Final = -1
# Where in a document its text may stand; documents are objects of the caller's choice.
_TEXTS: Final = ("snippet", "text", "content", "output")

_citation: Final = msgspec.json.Decoder(WireCitation)
_any: Final = msgspec.json.Decoder()


def read_citation(raw: msgspec.Raw) -> tuple[int | None, list[Citation]]:
    """The block of content that cites (None: not told; PLAN: the tool plan), and a citation for each source. The first
    holds the wire's. There is none for thoughts, which nobody shows citations of."""
    wire = loosely(raw, _citation, WireCitation)
    if wire is None:
        return None, []
    if wire.type == "THINKING_CONTENT":
        return None, []
    found: list[Citation] = []
    for source in wire.sources or ():
        document = _object(source.document if source.document is not NOTHING else source.tool_output)
        found.append(
            Citation(
                url=_text(document, "url"),
                title=_text(document, "title") or source.id or "",
                quote=next((text for name in _TEXTS if (text := _text(document, name))), ""),
                start=wire.start,
                end=wire.end,
                raw=b"" if found else bytes(raw),
                origin=ORIGIN,
            )
        )
    if not found:
        found.append(Citation(start=wire.start, end=wire.end, raw=bytes(raw), origin=ORIGIN))
    return PLAN if wire.type == "PLAN" else wire.content_index, found


def _object(raw: msgspec.Raw) -> dict[str, Any]:
    if raw is NOTHING:
        return {}
    try:
        value = _any.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    return value if isinstance(value, dict) else {}


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""
