"""Messages made to fit a model: parts it cannot read are taken out, roles it does not know are others."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import Audio, File, Image, Message, Part, Text, ToolCall, ToolResult
from encke.core.traits import Capabilities
from encke.dialects.losses import Losses, plain_text

_MARKED: Final = (Text, Image, File, ToolCall, ToolResult)


def fit_messages(messages: tuple[Message, ...], capabilities: Capabilities, losses: Losses) -> tuple[Message, ...]:
    """The same object where there is nothing to change. A message of which nothing is left is left out."""
    found: list[Message] = []
    changed = False
    last = len(messages) if capabilities.prefill else _begun(messages)
    for at, message in enumerate(messages):
        path = f"messages[{at}]"
        if at >= last:
            losses.add(path)
            changed = True
            continue
        role = message.role
        if role == "developer" and not capabilities.developer:
            role = "system"
        if role in ("system", "developer") and not capabilities.system:
            role = "user"
            losses.add(f"{path}.role")
        parts = _fit_parts(message.parts, f"{path}.content", capabilities, losses)
        if role == message.role and parts is message.parts:
            found.append(message)
            continue
        changed = True
        if parts or not message.parts:
            found.append(msgspec.structs.replace(message, role=role, parts=parts))
    return tuple(found) if changed else messages


def instruct(messages: tuple[Message, ...], text: Text, capabilities: Capabilities) -> tuple[Message, ...]:
    """The messages with an instruction behind those they begin with; within the first that is the user's, where the
    model knows no other."""
    if not capabilities.system:
        for at, message in enumerate(messages):
            if message.role == "user":
                told = msgspec.structs.replace(message, parts=(text, *message.parts))
                return (*messages[:at], told, *messages[at + 1 :])
        return (Message("user", (text,)), *messages)
    at = 0
    while at < len(messages) and messages[at].role in ("system", "developer"):
        at += 1
    return (*messages[:at], Message("system", (text,)), *messages[at:])


def _begun(messages: tuple[Message, ...]) -> int:
    """Where the answer begins that is begun for the model. (A pause to go on from is more than text.)"""
    at = len(messages)
    while at > 1 and messages[at - 1].role == "assistant" and all(isinstance(p, Text) for p in messages[at - 1].parts):
        at -= 1
    return at


def _fit_parts(parts: tuple[Part, ...], path: str, capabilities: Capabilities, losses: Losses) -> tuple[Part, ...]:
    found: list[Part] = []
    changed = False
    for at, part in enumerate(parts):
        fitted = _fit_part(part, f"{path}[{at}]", capabilities, losses)
        changed = changed or fitted is not part
        if fitted is not None:
            found.append(fitted)
    return tuple(found) if changed else parts


def _fit_part(part: Part, path: str, capabilities: Capabilities, losses: Losses) -> Part | None:
    if isinstance(part, Image):
        if not capabilities.images or not (capabilities.image_urls or part.data or part.file_id):
            losses.add(path)
            return None
    elif isinstance(part, File) and not capabilities.files:
        text = plain_text(part)
        if text is None:
            losses.add(path)
            return None
        part = Text(text, part.cache)
    elif isinstance(part, Audio) and not capabilities.audio:
        losses.add(path)
        return None
    elif isinstance(part, ToolResult):
        part = _fit_result(part, path, capabilities, losses)
    if not capabilities.cache_marks and isinstance(part, _MARKED) and part.cache is not None:
        losses.add(f"{path}.cache")
        return msgspec.structs.replace(part, cache=None)
    return part


def _fit_result(result: ToolResult, path: str, capabilities: Capabilities, losses: Losses) -> ToolResult:
    parts: list[Text | Image | File] = []
    changed = False
    for at, part in enumerate(result.parts):
        fitted = _fit_part(part, f"{path}.content[{at}]", capabilities, losses)
        changed = changed or fitted is not part
        if isinstance(fitted, Text | Image | File):
            parts.append(fitted)
    if not changed:
        return result
    return msgspec.structs.replace(result, parts=tuple(parts))
