"""The hub's messages, as `system` and turns of a request.

What stands at the front for the system goes to `system`. Later it is a turn of its own where the model takes such (it
must follow the user's and be last or before the model's:
platform.claude.com/docs/en/build-with-claude/mid-conversation-system-messages), else it is said by the user. What tools
gave comes first in the turn after the call, and with it what the user says then.
"""

from __future__ import annotations

from typing import Any

from encke.core.chat import Message, Text
from encke.dialects.anthropic_messages.render_parts import Block, Parts
from encke.dialects.losses import Losses


class Turns:
    """Collects them."""

    __slots__ = ("_after", "_in_the_middle", "_losses", "_parts", "_told", "system", "turns")

    def __init__(self, parts: Parts, losses: Losses, in_the_middle: bool) -> None:
        self.system: list[Block] = []
        self.turns: list[dict[str, Any]] = []
        self._parts = parts
        self._losses = losses
        self._in_the_middle = in_the_middle
        self._after = 0  # where the turn stands, or will, that follows the last one that is not the user's
        self._told = 0  # with how many results it begins

    def add(self, messages: tuple[Message, ...]) -> None:
        """All messages of a request."""
        followers = _followers(messages)
        for index, message in enumerate(messages):
            path = f"messages[{index}]"
            if message.name:
                self._losses.add(f"{path}.name")
            role = message.role
            if role in ("system", "developer"):
                self._system(message, path, followers[index])
            elif role == "assistant":
                self._turn("assistant", self._parts.answered(message.parts, path))
            elif role == "tool":
                self._add_results(self._parts.results(message.parts, path))
            else:
                self._user(self._parts.said(message.parts, path))
        self._mend()

    def _system(self, message: Message, path: str, then: str) -> None:
        blocks = [
            self._parts.text(part, f"{path}.content[{index}]")
            for index, part in enumerate(message.parts)
            if isinstance(part, Text) and part.text.strip()
        ]
        if not blocks:
            return
        last = self.turns[-1]["role"] if self.turns else ""
        if not last:
            self.system += blocks
        elif last == "system":
            self.turns[-1]["content"] += blocks
        elif self._in_the_middle and last == "user" and then in ("", "assistant"):
            self._turn("system", blocks)
        else:
            self._losses.add(f"{path}.role")
            self._user(blocks)

    def _user(self, blocks: list[Block]) -> None:
        if self._told and len(self.turns) == self._after + 1 and len(self.turns[-1]["content"]) == self._told:
            self.turns[-1]["content"] += blocks  # what the user says beside what tools gave
        else:
            self._turn("user", blocks)

    def _add_results(self, blocks: list[Block]) -> None:
        """Into the turn that follows the model's, before what the user says in it."""
        if self._after and self._after < len(self.turns):
            self.turns[self._after]["content"][self._told : self._told] = blocks
        else:
            self._turn("user", blocks)
        if self._after or len(self.turns) == 1:
            self._told += len(blocks)

    def _turn(self, role: str, blocks: list[Any]) -> None:
        if blocks:
            self.turns.append({"role": role, "content": blocks})
            if role != "user":
                self._after = len(self.turns)
                self._told = 0

    def _mend(self) -> None:
        """There has to be a turn, and what the model goes on from must not end in white space."""
        if not self.turns and self.system:
            self._losses.add("messages[0].role")
            self.turns.append({"role": "user", "content": [self.system.pop()]})
        if self.turns and self.turns[-1]["role"] == "assistant":
            blocks = self.turns[-1]["content"]
            if isinstance(blocks[-1], dict) and blocks[-1].get("type") == "text":
                blocks[-1]["text"] = blocks[-1]["text"].rstrip()
                if not blocks[-1]["text"]:
                    blocks.pop()


def _followers(messages: tuple[Message, ...]) -> list[str]:
    """Of each message, of what role the next is that is no system's; "" at the end."""
    found, then = [""] * len(messages), ""
    for index in range(len(messages) - 1, -1, -1):
        found[index] = then
        if messages[index].role not in ("system", "developer"):
            then = messages[index].role
    return found
