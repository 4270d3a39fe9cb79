"""What tools gave, in the hub's form: neighbouring messages of results are one."""

from __future__ import annotations

from collections.abc import Iterable

from encke.core.chat import Message, Part, ToolCall, ToolResult


def joined(messages: Iterable[Message]) -> list[Message]:
    """The messages, with neighbouring ones of role "tool" put together."""
    made: list[Message] = []
    run: list[Part] = []
    for message in messages:
        if message.role == "tool":
            run += message.parts
            continue
        if run:
            made.append(Message("tool", tuple(run)))
            run = []
        made.append(message)
    if run:
        made.append(Message("tool", tuple(run)))
    return made


def moved_up(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """The messages with each result right behind the calls it answers, as all wires but Responses' want it: a caller of
    that one, or of Anthropic's, may have said something in between."""
    if not any(message.role == "tool" and not _follows(messages, at) for at, message in enumerate(messages)):
        return messages
    asked: dict[str, int] = {}
    later: dict[int, list[Part]] = {}
    kept: list[tuple[int, Message]] = []
    for at, message in enumerate(messages):
        if message.role == "tool" and not _follows(messages, at):
            rest: list[Part] = []
            for part in message.parts:
                place = asked.get(part.id) if isinstance(part, ToolResult) else None
                (rest if place is None else later.setdefault(place, [])).append(part)
            if rest:
                kept.append((at, Message("tool", tuple(rest))))
            continue
        asked.update({part.id: at for part in message.parts if isinstance(part, ToolCall)})
        kept.append((at, message))
    made: list[Message] = []
    due: list[Part] = []
    for at, message in kept:
        if due and message.role != "tool":
            made.append(Message("tool", tuple(due)))
            due = []
        made.append(message)
        due += later.get(at, ())
    if due:
        made.append(Message("tool", tuple(due)))
    return tuple(joined(made))


def _follows(messages: tuple[Message, ...], at: int) -> bool:
    """Whether a message stands behind one that has calls."""
    return at > 0 and any(isinstance(part, ToolCall) for part in messages[at - 1].parts)
