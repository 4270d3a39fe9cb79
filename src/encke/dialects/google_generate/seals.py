"""Requests of this dialect without sealed thoughts (see `encke.dialects.seals`)."""

from __future__ import annotations

from typing import Any, Final

from encke.dialects.google_generate.signature import MARK, ORIGIN, SENTINEL, unpack
from encke.dialects.request import Request
from encke.dialects.seals import opened

_NAMES: Final = ("thoughtSignature", "thought_signature")
_MARK: Final = b'"' + MARK.encode()
_CALLS: Final = ("functionCall", "function_call")


def without_seals(request: Request, all_: bool) -> Request | None:
    """None where there are none. Calls get what Google documents for those that its model has not made."""
    return opened(request, "contents", _open, all_, _MARK)


def _open(contents: list[Any], all_: bool) -> bool:
    found = False
    for content in contents:
        parts = content.get("parts") if isinstance(content, dict) else None
        if isinstance(parts, list):
            kept = []
            for part in parts:
                if not isinstance(part, dict) or not _is_sealed(part, all_):
                    kept.append(part)
                    continue
                found = True
                names = [name for name in _NAMES if name in part]
                for name in names:
                    del part[name]
                if any(call in part for call in _CALLS):
                    part[names[0]] = SENTINEL
                # A part that held nothing else is none: it would be refused.
                if part and not part.get("thought"):
                    kept.append(part)
            content["parts"] = kept
    if found:
        contents[:] = [one for one in contents if not isinstance(one, dict) or one.get("parts") != []]
    return found


def _is_sealed(part: dict[str, Any], all_: bool) -> bool:
    for name in _NAMES:
        told = part.get(name)
        if isinstance(told, str) and told:
            origin, signature, id = unpack(told)
            if (signature or id) and (all_ or origin != ORIGIN):
                return True
    return False
