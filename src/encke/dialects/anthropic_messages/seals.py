"""Requests of this dialect without sealed thoughts (see `encke.dialects.seals`)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.dialects.request import Request
from encke.dialects.seals import is_carrier, opened

_SEALS: Final = {"thinking": "signature", "redacted_thinking": "data"}
_CLEARING: Final = b'"clear_thinking_'  # kinds of edits that are refused where there is no thinking
_list: Final = msgspec.json.Decoder(list[msgspec.Raw])
_map: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


def without_seals(request: Request, all_: bool) -> Request | None:
    """None where there are none. Where the answer that is to go on has lost the thought that it began with, a budget
    for thinking is refused: there will be none, and nothing that clears it."""
    opening = _Opening()
    made = opened(request, "messages", opening.open, all_)
    if made is None or not opening.bare or not _is_budget(made.body.get("thinking")):
        return made
    body = {name: raw for name, raw in made.body.items() if name != "thinking"}
    managed = body.pop("context_management", None)
    if managed is not None and (left := _not_clearing(managed)) is not None:
        body["context_management"] = left
    return made.with_body(body)


def _is_budget(config: msgspec.Raw | None) -> bool:
    try:
        return config is not None and bytes(_map.decode(config).get("type", b"")) == b'"enabled"'
    except (msgspec.DecodeError, RecursionError):
        return False


def _not_clearing(managed: msgspec.Raw) -> msgspec.Raw | None:
    """`context_management` without edits that clear thoughts; None if nothing is left of it. What cannot be read
    stays."""
    try:
        fields = _map.decode(managed)
        edits = _list.decode(fields["edits"])
        kept = [edit for edit in edits if not bytes(_map.decode(edit).get("type", b"")).startswith(_CLEARING)]
    except (msgspec.DecodeError, RecursionError, KeyError):
        return managed
    if len(kept) == len(edits):
        return managed
    del fields["edits"]
    if kept:
        fields["edits"] = msgspec.Raw(msgspec.json.encode(kept))
    return msgspec.Raw(msgspec.json.encode(fields)) if fields else None


class _Opening:
    """Takes the seals out of messages."""

    __slots__ = ("bare",)

    def __init__(self) -> None:
        # Whether an answer that is to go on has lost the thought that it began with: "When `thinking` is enabled, a
        # final `assistant` message must start with a thinking block (preceeding the lastmost set of `tool_use` and
        # `tool_result` blocks)".
        self.bare = False

    def open(self, messages: list[Any], all_: bool) -> bool:
        """True if there were any."""
        found = False
        headless: set[int] = set()
        for message in messages:
            content = message.get("content") if isinstance(message, dict) else None
            if isinstance(content, list):
                kept = [block for block in content if not _is_sealed(block, all_)]
                if len(kept) < len(content):
                    found = True
                    message["content"] = kept
                    if kept and _kind(kept[0]) not in _SEALS:
                        headless.add(id(message))
        # An answer of which nothing is left is none.
        if found:
            messages[:] = [one for one in messages if not isinstance(one, dict) or one.get("content") != []]
            self.bare = any(id(one) in headless for one in _going_on(messages))
        return found


def _going_on(messages: list[Any]) -> list[Any]:
    """The answers, last first, since the user last said something that has no results of tools in it."""
    answers = []
    heard, answer = True, True
    for message in reversed(messages):
        if not isinstance(message, dict):
            break
        before, answer = answer, message.get("role") == "assistant"
        if not answer:
            heard = _has_results(message) or (heard and not before)
        elif heard:
            answers.append(message)
        else:
            break
    return answers


def _has_results(message: dict[str, Any]) -> bool:
    content = message.get("content")
    return isinstance(content, list) and any(_kind(block) == "tool_result" for block in content)


def _kind(block: object) -> str:
    kind = block.get("type") if isinstance(block, dict) else None
    return kind if isinstance(kind, str) else ""


def _is_sealed(block: object, all_: bool) -> bool:
    kind = _kind(block)
    return isinstance(block, dict) and kind in _SEALS and (all_ or is_carrier(block.get(_SEALS[kind])))
