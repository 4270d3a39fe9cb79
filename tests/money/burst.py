"""Callers that begin at the same moment, each on a connection of its own, and what each of them saw."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.durability.crowd import Seen, answer
from tests.support.client import build

PATIENCE = 45.0


@dataclass(frozen=True)
class Wish:
    """One call. `nonce` goes into its message and its `x-request-id`; `behave` is for the fake upstream; `more` are
    fields of the body, `body` all of them but for the model; `leave` (seconds after sending) is when its caller goes.
    """

    nonce: str
    key: str
    stream: bool = True
    model: str = "lab/m"
    behave: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    path: str = "/v1/chat/completions"
    body: dict[str, Any] | None = None
    leave: float | None = None

    def request(self) -> bytes:
        """Its bytes."""
        text = f"token:{self.nonce} behave: {json.dumps(self.behave)}"
        usual = {"stream": self.stream, "messages": [{"role": "user", "content": text}], **self.more}
        body = {"model": self.model, **(usual if self.body is None else self.body)}
        return build("POST", self.path, body, {"x-request-id": self.nonce, **self.headers}, self.key)


async def gather(port: int, wishes: Sequence[Wish]) -> list[Seen]:
    """All at once: connected first, then sent, then read. What each saw, in their order."""
    ready = asyncio.Barrier(len(wishes))
    return await asyncio.gather(*(_one(port, wish, ready) for wish in wishes))


def burst(port: int, wishes: Sequence[Wish]) -> list[Seen]:
    """The same, from a test."""
    return asyncio.run(gather(port, wishes))


async def call(port: int, wish: Wish) -> Seen:
    """One call by itself."""
    return await _one(port, wish, asyncio.Barrier(1))


async def _one(port: int, wish: Wish, ready: asyncio.Barrier) -> Seen:
    seen = Seen(wish.nonce, wish.stream)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    try:
        await ready.wait()
        writer.write(wish.request())
        await asyncio.wait_for(answer(reader, seen), wish.leave or PATIENCE)
    except TimeoutError:  # an OSError too
        assert wish.leave is not None, f"{wish.nonce} had no end within {PATIENCE} s: {seen}"
    except (OSError, EOFError, ValueError):
        pass  # broken off: `seen.end` says so
    finally:
        writer.transport.abort()
    return seen
