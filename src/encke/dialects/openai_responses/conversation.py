"""The items of `input` into messages of the hub.

What an assistant says is several items here and one message there: thoughts, texts and calls that follow each other.
Two texts in a row are two messages, since one message's texts are one item; so is a thought after a text, unless calls
are open, whose results have to follow them.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import File, Foreign, Image, Message, Part, Role, Text, Thinking, ToolCall, ToolResult
from encke.core.faults import Fault
from encke.dialects import carrier
from encke.dialects.body import opener
from encke.dialects.openai_responses import item_wire as wire
from encke.dialects.openai_responses.parts import read_content
from encke.dialects.openai_responses.wire import NAME
from encke.dialects.places import Places
from encke.dialects.strays import Strays
from encke.dialects.typed import invalid, missing, read, read_list, read_string, unknown

_typed: Final = msgspec.json.Decoder(wire.Typed)
_message: Final = msgspec.json.Decoder(wire.MessageItem)
_call: Final = msgspec.json.Decoder(wire.CallItem)
_output: Final = msgspec.json.Decoder(wire.OutputItem)
_reasoning: Final = msgspec.json.Decoder(wire.ReasoningItem)
_tools: Final = msgspec.json.Decoder(wire.ToolsItem)

_strict_message: Final = msgspec.json.Decoder(wire.StrictMessageItem)
_strict_call: Final = msgspec.json.Decoder(wire.StrictCallItem)
_strict_output: Final = msgspec.json.Decoder(wire.StrictOutputItem)
# Of items that came from a Response: its own, of no use to anybody else. (`phase` is a hint for OpenAI's models.)
_HARMLESS: Final = frozenset({"type", "id", "status", "phase", "created_by"})
_ROLES: Final[dict[str, Role]] = {
    "user": "user", "assistant": "assistant", "system": "system", "developer": "developer",
}  # fmt: skip

# Items that another provider cannot be told of, and without which the conversation would mean something else: what is
# kept elsewhere, and results of tools that only this wire has.
_NEEDED: Final = frozenset(
    {
        "item_reference", "compaction", "compaction_summary", "compaction_trigger", "computer_call_output",
        "local_shell_call_output", "shell_call_output", "apply_patch_call_output", "mcp_approval_response", "program",
        "program_output",
    }
)  # fmt: skip

# Items that are left out and named where nobody else has a word for them: calls of the provider's own tools.
_FOREIGN: Final = frozenset(
    {
        "apply_patch_call", "code_interpreter_call", "computer_call", "file_search_call", "image_generation_call",
        "local_shell_call", "mcp_approval_request", "mcp_call", "mcp_list_tools", "shell_call", "tool_search_call",
        "tool_search_output", "web_search_call",
    }
)  # fmt: skip
_KNOWN: Final = (
    "message", "reasoning", "function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output",
    "additional_tools", *sorted(_FOREIGN | _NEEDED),
)  # fmt: skip

# Where a carrier's id begins so, its signature is not a thought's: it is of the call with the id behind this, or of the
# text before.
OF_CALL: Final = "call:"
OF_TEXT: Final = "text:"

SEPARATOR: Final = "\n\n"  # between the parts of a thought, which the hub has as one


class Conversation:
    """Reads items one after the other."""

    def __init__(self, places: Places | None = None) -> None:
        self.places = places
        self.messages: list[Message] = []
        self.tools: list[tuple[msgspec.Raw, str]] = []  # more tools, with their paths
        self._said: list[Part] = []  # of an assistant, still open
        self._open = False
        self._ends_with_text = False
        self._calls: dict[str, int] = {}  # where in it they are, by id
        self._text = -1  # where its last text is
        self._results: list[ToolResult] = []
        self.strays = Strays(NAME)

    def read(self, raw: msgspec.Raw, path: str) -> None:
        """The next item. Raises Fault."""
        typed = read(raw, _typed, path)
        kind = typed.type
        if kind is None:
            kind = "message" if typed.role is not None else "item_reference"
        if kind == "message":
            self._read_message(raw, path)
        elif kind in ("function_call", "custom_tool_call"):
            self._read_call(raw, path, custom=kind == "custom_tool_call")
        elif kind in ("function_call_output", "custom_tool_call_output"):
            self._read_output(raw, path, custom=kind == "custom_tool_call_output")
        elif kind == "reasoning":
            self._read_reasoning(raw, path)
        elif kind == "additional_tools":
            tools = read(raw, _tools, path).tools
            self.tools += [(tool, f"{path}.tools[{at}]") for at, tool in enumerate(tools)]
        elif kind in _NEEDED:
            raise Fault(
                "unsupported_parameter",
                f"`{path}` is of type `{kind[:64]}`, which only a provider of the Responses API understands. Choose a "
                "model of one, or send the conversation without it.",
                param=path,
            )
        elif kind in _FOREIGN or typed.role is None:
            # A kind that is newer than this, too: without a role it is something that a model or its tools have left.
            self._say(self._noted(Foreign(NAME, kind, bytes(raw)), path))
        else:
            raise unknown(f"{path}.type", kind, _KNOWN)

    def close(self) -> None:
        """What an assistant said, or what tools gave, is over."""
        if self._results:
            self.messages.append(Message("tool", tuple(self._results)))
            self._results = []
        if self._open:
            self.messages.append(Message("assistant", tuple(self._said)))
            self._said = []
            self._open = False
            self._calls = {}
            self._text = -1

    def _say(self, *parts: Part) -> None:
        if not self._open:
            self.close()
            self._open = True
        self._ends_with_text = False
        for part in parts:
            if isinstance(part, ToolCall):
                self._calls[part.id] = len(self._said)
            elif isinstance(part, Text):
                self._text = len(self._said)
            self._said.append(part)

    def _noted(self, part: Part, path: str) -> Part:
        if self.places is not None:
            self.places.note(part, path)
        return part

    def _split(self) -> None:
        """A text or a thought begins: of another message, if a text was the last and no call waits for its result."""
        if self._ends_with_text and not self._calls:
            self.close()

    def _read_message(self, raw: msgspec.Raw, path: str) -> None:
        item = self.strays.read(raw, _strict_message, _message, path, _HARMLESS)
        role = _ROLES.get(item.role)
        if role is None:
            raise unknown(f"{path}.role", item.role, _ROLES)
        plain, where = role in ("system", "developer"), f"{path}.content"
        said = role == "assistant"
        parts = read_content(item.content, where, self.strays, only_text=plain, said=said, places=self.places)
        if said:
            if self._open:
                self._split()
            self._say(*parts)
            self._ends_with_text = True
        else:
            self.close()
            self.messages.append(Message(role, tuple(parts)))

    def _read_call(self, raw: msgspec.Raw, path: str, *, custom: bool) -> None:
        call = self.strays.read(raw, _strict_call, _call, path, _HARMLESS)
        told = call.input if custom else call.arguments
        if not call.call_id:
            raise missing(f"{path}.call_id")
        if not call.name:
            raise missing(f"{path}.name")
        if told is None:
            raise missing(f"{path}.{'input' if custom else 'arguments'}")
        made = ToolCall(call.call_id, call.name, told, custom=custom, item_id=call.id or "")
        self._say(self._noted(made, path))

    def _read_output(self, raw: msgspec.Raw, path: str, *, custom: bool) -> None:
        if self._open:
            self.close()
        item = self.strays.read(raw, _strict_output, _output, path, _HARMLESS)
        parts: list[Text | Image | File] = []
        for at, part in enumerate(read_content(item.output, f"{path}.output", self.strays, places=self.places)):
            if not isinstance(part, (Text, Image, File)):
                raise invalid(f"{path}.output[{at}].type", "must be input_text, input_image or input_file")
            parts.append(part)
        made = ToolResult(item.call_id, tuple(parts), item.name or "", custom=custom)
        self._noted(made, path)
        self._results.append(made)

    def _read_reasoning(self, raw: msgspec.Raw, path: str) -> None:
        item = read(raw, _reasoning, path)
        origin, signature, id = carrier.unwrap(item.encrypted_content or "", NAME)
        if id.startswith((OF_CALL, OF_TEXT)):
            self._sign(id, signature, origin)
            return
        if self._open:
            self._split()
        self._say(*[self._noted(thought, path) for thought in thoughts_of(item, signature, origin, id)])

    def _sign(self, id: str, signature: str, origin: str) -> None:
        """Give a call or a text the signature that came with it."""
        at = self._text if id.startswith(OF_TEXT) else self._calls.get(id.removeprefix(OF_CALL), -1)
        part = self._said[at] if at >= 0 else None
        if isinstance(part, (Text, ToolCall)):
            self._said[at] = msgspec.structs.replace(part, signature=signature, origin=origin)
        elif id.startswith(OF_TEXT):
            self._say(Text("", signature=signature, origin=origin))


def thoughts_of(item: wire.ReasoningItem, signature: str, origin: str, id: str = "") -> list[Thinking]:
    """A reasoning item's thought: its summary if it has one, else its text; and both as two if it has both."""
    id = id or (item.id or "")
    summary, text = _joined(item.summary), _joined(item.content)
    if not signature:
        origin = ""
    if summary and text:
        return [Thinking(summary, summary=True, id=id), Thinking(text, signature, origin, id=id)]
    if summary or text:
        return [Thinking(summary or text, signature, origin, summary=bool(summary), id=id)]
    return [Thinking("", signature, origin, redacted=True, id=id)] if signature else []


def _joined(parts: list[wire.Part | str] | None) -> str:
    texts = [part if isinstance(part, str) else part.text for part in parts or ()]
    return SEPARATOR.join(text for text in texts if text)


def read_input(raw: msgspec.Raw, conversation: Conversation) -> None:
    """`input`: a text of the user, or items. Raises Fault."""
    if opener(raw) == b'"':
        text = read_string(raw, "input")
        said = Text(text)
        if conversation.places is not None:
            conversation.places.note(said, "input")
        conversation.messages.append(Message("user", (said,) if text else ()))
        return
    for at, item in enumerate(read_list(raw, "input")):
        conversation.read(item, f"input[{at}]")
    conversation.close()
