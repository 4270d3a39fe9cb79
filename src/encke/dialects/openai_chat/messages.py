"""The messages of a request into the hub."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import File, Image, Message, Part, Role, Text, ToolCall, ToolResult
from encke.dialects.openai_chat import message_wire as wire
from encke.dialects.openai_chat.assistant import said_in
from encke.dialects.openai_chat.parts import ORIGIN, cache_of, read_content
from encke.dialects.places import Places
from encke.dialects.results import joined
from encke.dialects.strays import Strays
from encke.dialects.typed import invalid, is_set, missing, read_list, unknown

_message: Final = msgspec.json.Decoder(wire.Message)
_strict: Final = msgspec.json.Decoder(wire.StrictMessage)
# What callers of one provider write into messages, and is done here in any case: an answer that was begun is gone on
# with; answers that come back have more in them than was asked for.
_HARMLESS: Final = frozenset({"prefix", "partial", "index", "id", "type", "finish_reason", "logprobs", "created_at"})
_ROLES: Final[dict[str, Role]] = {"system": "system", "developer": "developer", "user": "user"}


class Conversation:
    """Reads messages one after the other: results are of calls that came before. Raises Fault."""

    def __init__(self, places: Places | None = None) -> None:
        self._places = places
        self.messages: list[Message] = []
        self._custom: set[str] = set()  # calls of custom tools
        self._legacy: dict[str, list[str]] = {}  # calls without ids, by function, that have no result yet
        self._made = 0
        self.strays = Strays(ORIGIN)

    def read(self, raw: msgspec.Raw, path: str) -> None:
        """The next message."""
        message = self.strays.read(raw, _strict, _message, path, _HARMLESS)
        role = message.role
        if role is None:
            raise missing(f"{path}.role")
        if role == "assistant":
            self._assistant(message, path)
        elif role == "tool":
            if not message.tool_call_id:
                raise missing(f"{path}.tool_call_id")
            self._result(message, message.tool_call_id, path)
        elif role == "function":
            if not message.name:
                raise missing(f"{path}.name")
            waiting = self._legacy.get(message.name)
            self._result(message, waiting.pop(0) if waiting else self._new_id(), path)
        elif role in _ROLES:
            parts = self._content(message, path, only_text=role != "user")
            if not is_set(message.content):
                raise missing(f"{path}.content")
            self.messages.append(Message(_ROLES[role], tuple(parts), message.name or ""))
        else:
            raise unknown(f"{path}.role", role, (*_ROLES, "assistant", "tool", "function"))

    def _assistant(self, message: wire.Message, path: str) -> None:
        content = self._content(message, path)
        parts = said_in(message, content, self._new_id, packed=False)
        if self._places is not None:
            self._note_calls(parts, path, len(message.tool_calls or ()))
        for part in parts:
            if isinstance(part, ToolCall) and part.custom:
                self._custom.add(part.id)
        if message.function_call is not None and message.function_call.name:
            call = next(part for part in parts if isinstance(part, ToolCall))
            self._legacy.setdefault(call.name, []).append(call.id)
        self.messages.append(Message("assistant", tuple(parts), message.name or ""))

    def _note_calls(self, parts: list[Part], path: str, many: int) -> None:
        assert self._places is not None
        calls = [part for part in parts if isinstance(part, ToolCall)]
        for at, call in enumerate(calls[len(calls) - many :] if many <= len(calls) else ()):
            self._places.note(call, f"{path}.tool_calls[{at}]")

    def _result(self, message: wire.Message, id: str, path: str) -> None:
        parts: list[Text | Image | File] = []
        for at, part in enumerate(self._content(message, path)):
            if not isinstance(part, (Text, Image, File)):
                raise invalid(f"{path}.content[{at}].type", "must be text, image_url or file in a tool's result")
            parts.append(part)
        found = ToolResult(id, tuple(parts), message.name or "", custom=id in self._custom)
        if self._places is not None:
            self._places.note(found, path)
        self.messages.append(Message("tool", (found,)))

    def _content(self, message: wire.Message, path: str, *, only_text: bool = False) -> list[Part]:
        """The parts of the content, with the mark of the message (LiteLLM's) at the last."""
        where = f"{path}.content"
        parts = read_content(
            message.content,
            where,
            self.strays,
            only_text=only_text,
            said=message.role == "assistant",
            places=self._places,
        )
        if len(message.cache_control) > 4 and parts:
            mark, last = cache_of(message.cache_control, b"", path), parts[-1]
            if isinstance(last, Text | Image | File):
                parts[-1] = msgspec.structs.replace(last, cache=mark)
                if self._places is not None:
                    self._places.note(parts[-1], self._places.of(last))
        return parts

    def _new_id(self) -> str:
        self._made += 1
        return f"call_{self._made}"


def read_messages(raw: msgspec.Raw, places: Places | None = None) -> tuple[tuple[Message, ...], dict[str, bytes]]:
    """All of them, and the fields in them that have no place in the hub, by path. Raises Fault."""
    conversation = Conversation(places)
    for at, item in enumerate(read_list(raw, "messages")):
        conversation.read(item, f"messages[{at}]")
    if not conversation.messages:
        raise invalid("messages", "must have at least one message")
    return tuple(joined(conversation.messages)), conversation.strays.lost
