"""What was read of an answer, whole or streamed, in one form in which two of them can be compared."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from encke.core import delta as kinds
from encke.core.chat import Audio, ChatReply, Citation, Foreign, Image, Refusal, Text, Thinking, ToolCall
from encke.core.delta import Delta
from encke.core.usage import Usage
from tests.dialects.recorded.drive import CALL_ID

MADE = "call_" + CALL_ID.replace("-", "")
_TEXTS = {kinds.TEXT: "text", kinds.THINKING: "thinking", kinds.REFUSAL: "refusal"}
Block = dict[str, Any]


def of_deltas(deltas: Iterable[Delta], usage: Usage | None) -> dict[str, Any]:
    """A stream's: blocks in the order in which they began."""
    choices: dict[int, dict[str, Any]] = {}
    blocks: dict[tuple[int, int, str], Block] = {}
    for one in deltas:
        if one.kind in (kinds.START, kinds.USAGE, kinds.CLOSE):
            continue
        choice = choices.setdefault(one.choice, {"blocks": [], "finish": None, "media": 0, "logprobs": 0, "cites": []})
        if one.kind in _TEXTS or one.kind == kinds.TOOL:
            kind = _TEXTS.get(one.kind, "call")
            block = blocks.get((one.choice, one.key, kind))
            if block is None:
                block = blocks[one.choice, one.key, kind] = {"kind": kind, "text": "", "signature": ""}
                choice["blocks"].append(block)
            if one.kind == kinds.TOOL:
                assert "name" not in block, "a call begins twice"
                block |= {"name": one.name, "id": one.id}
            block["text"] += one.text
        elif one.kind == kinds.ARGUMENTS:
            blocks[one.choice, one.key, "call"]["text"] += one.text
        elif one.kind == kinds.SIGNATURE:
            _sign(choice, blocks, one)
        elif one.kind == kinds.REDACTED:
            choice["blocks"].append({"kind": "redacted", "text": "", "signature": one.text})
        elif one.kind == kinds.FINISH:
            assert choice["finish"] is None, "two ends"
            choice["finish"] = (one.name, one.id, one.text)
        elif one.kind == kinds.LOGPROBS:
            choice["logprobs"] += len(one.data)
        elif one.kind == kinds.CITATION:
            choice["cites"].append(_cite(one.data))
        else:
            choice["media"] += 1
    return _made(choices, usage)


def _sign(choice: dict[str, Any], blocks: dict[tuple[int, int, str], Block], one: Delta) -> None:
    held = [
        blocks[one.choice, one.key, kind]
        for kind in ("call", "thinking", "text")
        if (one.choice, one.key, kind) in blocks
    ]
    if held:
        held[0]["signature"] += one.text
    else:
        choice["blocks"].append({"kind": "signature", "text": "", "signature": one.text})


def of_reply(reply: ChatReply) -> dict[str, Any]:
    """A whole answer's."""
    choices: dict[int, dict[str, Any]] = {}
    for index, choice in enumerate(reply.choices):
        made: dict[str, Any] = {
            "blocks": [],
            "finish": (choice.finish, choice.finish_raw, choice.stop_sequence),
            "media": 0,
            "logprobs": len(choice.logprobs),
            "cites": [],
        }
        for part in choice.parts:
            match part:
                case Text() | Thinking() | Refusal():
                    kind = {Text: "text", Thinking: "thinking", Refusal: "refusal"}[type(part)]
                    if isinstance(part, Thinking) and part.redacted:
                        kind = "redacted"
                    made["blocks"].append(
                        {"kind": kind, "text": part.text, "signature": getattr(part, "signature", "")}
                    )
                    made["cites"] += [_cite(one) for one in getattr(part, "citations", ())]
                case ToolCall():
                    made["blocks"].append(
                        {
                            "kind": "call",
                            "text": part.arguments,
                            "signature": part.signature,
                            "name": part.name,
                            "id": part.id,
                        }
                    )
                case Image() | Audio() | Foreign():
                    made["media"] += 1
        choices[index] = made
    return _made(choices, reply.usage)


def _cite(citation: Citation) -> tuple[Any, ...]:
    return citation.url, citation.title, citation.quote, citation.start, citation.end


def _made(choices: dict[int, dict[str, Any]], usage: Usage | None) -> dict[str, Any]:
    for choice in choices.values():
        for block in choice["blocks"]:
            if block["kind"] == "call":
                block["text"] = _json(block["text"])
        choice["blocks"] = [
            block for block in choice["blocks"] if block["text"] or block["signature"] or "name" in block
        ]
    return {"choices": [choices[index] for index in sorted(choices)], "usage": usage}


def _json(text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else {}
    except ValueError:
        return text


# Kinds of blocks in the order of whole answers, which have all calls behind the texts.
_ORDER = {"thinking": 0, "redacted": 0, "signature": 0, "text": 1, "refusal": 1, "call": 2}


def settled(read: dict[str, Any]) -> dict[str, Any]:
    """With what may differ between a whole answer and its stream in one form: where a text is cut into blocks, what
    stands between thoughts, which number an id has that was made here, and the order of kinds."""
    for choice in read["choices"]:
        blocks: list[Block] = []
        for block in choice["blocks"]:
            if block["kind"] in ("signature", "thinking") and not block["text"]:
                block["kind"] = "redacted"
            last = blocks[-1] if blocks else {"kind": "", "signature": ""}
            if block["kind"] == last["kind"] != "call" and block["kind"] != "redacted" and not last["signature"]:
                last["text"] += block["text"]
                last["signature"] = block["signature"]
            else:
                blocks.append(block)
        for block in blocks:
            if block["kind"] == "thinking":
                block["text"] = "".join(block["text"].split())
            if "id" in block and block["id"].startswith(MADE):
                block["id"] = MADE
        choice["blocks"] = sorted(blocks, key=lambda block: _ORDER[block["kind"]])
        choice["cites"] = sorted(set(choice["cites"]), key=str)
    return read
