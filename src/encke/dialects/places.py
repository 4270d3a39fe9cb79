"""Where in a caller's own body the things stand that the hub has in messages of its own making.

Only if something was left out, the body is read once more, and each reader notes where it found what. The hub's places
("messages[2].content[0]", as in `Rendered.dropped`) become the caller's ("system[0]", "input[3].content[1]") then.
"""

from __future__ import annotations

import re
from typing import Final

from encke.core.chat import ChatRequest, Part, ToolResult

_PLACE: Final = re.compile(r"messages\[(\d+)\](?:\.content\[(\d+)\](?:\.content\[(\d+)\])?)?")
_TOOL: Final = re.compile(r"tools\[(\d+)\]")
# What stands behind a message's own place in that of a part.
_PART: Final = re.compile(r"(?:\.(?:content|parts|tool_calls)(?:\[\d+\])?|(?<=^system)\[\d+\])$")
_PLACED: Final = ("messages[", "tools[")


class Places:
    """Notes of one reading. The objects are kept, so that no other has the identity of one."""

    __slots__ = ("_kept", "_paths")

    def __init__(self) -> None:
        self._paths: dict[int, str] = {}
        self._kept: list[object] = []

    def note(self, thing: object, path: str) -> None:
        """Where it stands in the body."""
        self._paths[id(thing)] = path
        self._kept.append(thing)

    def of(self, thing: object) -> str:
        """Where it stands; "" if nobody knows."""
        return self._paths.get(id(thing), "")


def is_placed(name: str) -> bool:
    """Whether it is a place, and no field."""
    return name.startswith(_PLACED)


class Map:
    """From what was read the first time, `asked`, to the caller's places, which were noted the second time, `again`."""

    __slots__ = ("_paths",)

    def __init__(self, asked: ChatRequest, again: ChatRequest, places: Places) -> None:
        self._paths: dict[int, str] = {}
        for old, new in zip(asked.messages, again.messages, strict=True):
            for part, noted in zip(old.parts, new.parts, strict=True):
                self._add(part, noted, places)
        for tool, noted_tool in zip(asked.tools, again.tools, strict=True):
            self._paths[id(tool)] = places.of(noted_tool)

    def _add(self, part: Part, noted: Part, places: Places) -> None:
        self._paths[id(part)] = places.of(noted)
        if isinstance(part, ToolResult) and isinstance(noted, ToolResult):
            for inner, also in zip(part.parts, noted.parts, strict=True):
                self._paths[id(inner)] = places.of(also)

    def told(self, name: str, request: ChatRequest, cache: str) -> str:
        """A name that counts in `request`, which was made of what was asked, in the caller's words; itself where the
        place was made by somebody else. `cache` is what the caller calls a cache mark."""
        found = _PLACE.match(name)
        path = ""
        if found is not None:
            path = self._path(request, int(found[1]), found[2], found[3])
        else:
            found = _TOOL.match(name)
            if found is not None and int(found[1]) < len(request.tools):
                path = self._paths.get(id(request.tools[int(found[1])]), "")
        if found is None:
            return name
        rest = name[found.end() :]
        return (path or found[0]) + (f".{cache}" if rest == ".cache" else rest)

    def _path(self, request: ChatRequest, message: int, part: str | None, inner: str | None) -> str:
        parts = request.messages[message].parts if message < len(request.messages) else ()
        if part is None:
            known = [path for one in parts if (path := self._paths.get(id(one), ""))]
            return _PART.sub("", known[0]) if known else ""
        at = int(part)
        thing = parts[at] if at < len(parts) else None
        if inner is not None and isinstance(thing, ToolResult) and int(inner) < len(thing.parts):
            return self._paths.get(id(thing.parts[int(inner)]), "")
        return self._paths.get(id(thing), "") if inner is None else ""
