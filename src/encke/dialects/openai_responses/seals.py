"""Requests of this dialect without sealed thoughts (see `encke.dialects.seals`)."""

from __future__ import annotations

from typing import Any, Final

from encke.dialects.request import Request
from encke.dialects.seals import is_carrier, opened

# Items whose ids bind them to a thought that is gone: "was provided without its required 'reasoning' item".
_BOUND: Final = ("message", "function_call", "custom_tool_call")


def without_seals(request: Request, all_: bool) -> Request | None:
    """None where there are none. A compacted conversation stays: without it nothing would be left of what was said."""
    return opened(request, "input", _open, all_)


def _open(items: list[Any], all_: bool) -> bool:
    kept = [item for item in items if not _is_sealed(item, all_)]
    if len(kept) == len(items):
        return False
    items[:] = kept
    for item in items:
        if isinstance(item, dict) and item.get("type") in _BOUND:
            item.pop("id", None)
    return True


def _is_sealed(item: object, all_: bool) -> bool:
    if not isinstance(item, dict) or item.get("type") != "reasoning":
        return False
    sealed = item.get("encrypted_content")
    return bool(sealed) and (all_ or is_carrier(sealed))
