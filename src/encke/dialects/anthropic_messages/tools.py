"""Tools: what they are called on this wire, and what stands for things that it has no words for.

Names here have letters, digits, `_` and `-`, 128 at most; ids of calls the same signs. What is called otherwise gets
such a name, and gets its own back in the answer. A tool that takes free text takes an object with one text in it. A
form of the answer that a model cannot be given otherwise is the parameters of a tool that it has to call; its arguments
are the answer then. All this follows from the request alone, so that who reads the answer knows it too.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from encke.core.chat import ChatRequest, Tool

MOST_NAME: Final = 128
ANSWER: Final = "structured_answer"  # the tool that stands for a form of the answer
_OTHER: Final = re.compile(r"[^a-zA-Z0-9_-]")
_any: Final = msgspec.json.Decoder()

FREE_TEXT: Final = msgspec.Raw(
    b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}'
)


def wire_id(id: str) -> str:
    """A call's id as it may stand on this wire."""
    return _OTHER.sub("_", id) or "_"


class ToolNames:
    """The names of one request's tools. `answer` is the one that stands for the form of the answer, if it is used."""

    __slots__ = ("_customs", "_own", "_taken", "_wire", "answer")

    def __init__(self, request: ChatRequest) -> None:
        self._wire: dict[str, str] = {}
        self._own: dict[str, str] = {}
        self._taken: dict[str, int] = {}  # how many have wanted a name
        self._customs: set[str] = set()
        for tool in request.tools:
            if isinstance(tool, Tool):
                self._add(tool)
        self.answer = "" if request.format is None else self._free(ANSWER)

    def _add(self, tool: Tool) -> None:
        name = self._free(_plain(tool.name)) if tool.name not in self._wire else self._wire[tool.name]
        self._wire[tool.name] = name
        self._own[name] = tool.name
        if tool.custom:
            self._customs.add(name)

    def _free(self, name: str) -> str:
        made = name
        while made in self._own:
            number = self._taken[name] = self._taken.get(name, 1) + 1
            made = f"{name[: MOST_NAME - 8]}_{number}"
        return made

    def wire(self, name: str) -> str:
        """What a tool is called on this wire."""
        return self._wire.get(name) or _plain(name)

    def own(self, name: str) -> str:
        """What a tool is called by the caller."""
        return self._own.get(name, name)

    def takes_text(self, name: str) -> bool:
        """Whether the tool of this name on the wire takes free text."""
        return name in self._customs


def _plain(name: str) -> str:
    return _OTHER.sub("_", name)[:MOST_NAME] or "_"


def free_text(arguments: str) -> str:
    """The text that the arguments of a tool hold which takes free text."""
    try:
        value: Any = _any.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        return arguments
    text = value.get("input") if isinstance(value, dict) else None
    return text if isinstance(text, str) else arguments


def input_of(arguments: str) -> msgspec.Raw:
    """Arguments as the object they have to be here. Text that is none, as models write it at times, is put into one."""
    try:
        value: Any = _any.decode(arguments)
    except (msgspec.DecodeError, RecursionError):
        value = arguments if arguments.strip() else {}
    if isinstance(value, dict) and arguments.strip():
        return msgspec.Raw(arguments.strip().encode())
    return msgspec.Raw(msgspec.json.encode(value if isinstance(value, dict) else {"arguments": value}))
