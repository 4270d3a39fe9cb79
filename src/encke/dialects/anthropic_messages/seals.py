"""Requests of this dialect without sealed thoughts (see `encke.dialects.seals`)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.dialects.request import Request
from encke.dialects.seals import is_carrier, opened

_SEALS: Final = {"thinking": "signature", "redacted_thinking": "data"}
_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def without_seals(request: Request, all_: bool) -> Request | None:
    """None where there are none. Where the last turn's thought is gone and its tools have not been heard, a budget for
    thinking is refused: there will be none."""
    made = opened(request, "messages", _open, all_)
    if made is None:
        return None
    config = made.body.get("thinking")
    if config is not None and _is_budget(config) and b'"tool_result"' in bytes(made.body["messages"]):
        body = {name: raw for name, raw in made.body.items() if name != "thinking"}
        bare = Request(msgspec.json.encode(body), body, made.model, made.stream, made.include_usage)
        bare.output_limit, bare.form, bare.fields = made.output_limit, made.form, made.fields
        return bare
    return made


def _is_budget(config: msgspec.Raw) -> bool:
    try:
        return bytes(_map.decode(config).get("type", b"")) == b'"enabled"'
    except (msgspec.DecodeError, RecursionError):
        return False


def _open(messages: list[Any], all_: bool) -> bool:
    found = False
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            kept = [block for block in content if not _is_sealed(block, all_)]
            if len(kept) < len(content):
                found = True
                message["content"] = kept
    # An answer of which nothing is left is none.
    if found:
        messages[:] = [one for one in messages if not isinstance(one, dict) or one.get("content") != []]
    return found


def _is_sealed(block: object, all_: bool) -> bool:
    kind = block.get("type") if isinstance(block, dict) else None
    if not isinstance(block, dict) or not isinstance(kind, str) or kind not in _SEALS:
        return False
    return all_ or is_carrier(block.get(_SEALS[kind]))
