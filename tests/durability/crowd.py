"""Callers who write down what they saw: `python -m tests.durability.crowd PORT LOG STREAMS KEYS`, until its input ends.

KEYS are separated by commas; callers take them in turn.

One JSON line for every call that was begun, when it is over:

    {"nonce": …, "stream": …, "status": 200 or null, "call": x-request-id or null, "end": …, "content": bytes, "at": ms,
     "code": of the error, "cost": x-encke-cost}

`end` is "whole" when the terminal event, or the last byte of a whole answer, was seen; "error" for an error event or a
status other than 200; "broken" for everything else. A nonce stands in the message, from where the upstream's statement
has it, and in `x-request-id`, from where the ledger has it. Imports nothing of Encke.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

PATIENCE = 30.0


@dataclass
class Seen:
    """What a caller saw of one call."""

    nonce: str
    stream: bool
    status: int | None = None
    call: str | None = None
    end: str = "broken"
    content: int = 0
    at: int = 0
    code: str = ""  # of the error
    cost: str = ""  # x-encke-cost


class Caller:
    """One after the other, over a connection that is kept as long as it lasts."""

    def __init__(self, number: int, port: int, key: str, log: list[Seen], named: bool) -> None:
        self._named = named
        self._rng = random.Random(number)
        self._number, self._port, self._key, self._log = number, port, key, log
        self._made = 0
        self.stopping = False

    async def run(self) -> None:
        """Until told to stop."""
        while not self.stopping:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            try:
                while not self.stopping:
                    await self._call(reader, writer)
            except (OSError, EOFError, ValueError, TimeoutError):
                await asyncio.sleep(0.02)
            finally:
                writer.close()

    async def _call(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._made += 1
        seen = Seen(f"n{self._number}x{self._made}", self._rng.random() < 0.85)
        writer.write(self._request(seen))
        try:
            await asyncio.wait_for(answer(reader, seen), PATIENCE)
        finally:
            seen.at = time.time_ns() // 1_000_000
            self._log.append(seen)
        if seen.status != 200:
            await asyncio.sleep(0.1)

    def _request(self, seen: Seen) -> bytes:
        slow = self._rng.random() < 0.8
        options = {"name": "polite", "chunks": self._rng.randrange(5, 40) if slow else 3}
        if slow:
            options |= {"interval": 0.1} if seen.stream else {"first_delay": 0.3}
        text = f"token:{seen.nonce} behave: {json.dumps(options)}"
        body = {"model": "lab/m", "stream": seen.stream, "messages": [{"role": "user", "content": text}]}
        data = json.dumps(body).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {self._key}\r\n"
        if self._named and self._number % 4 == 0:
            head += f"idempotency-key: {seen.nonce}\r\n"
        head += f"x-request-id: {seen.nonce}\r\ncontent-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        return head.encode() + data


async def answer(reader: asyncio.StreamReader, seen: Seen) -> None:
    """Read an answer and note what it was. Raises EOFError or OSError when it breaks off."""
    status, headers = _head(await reader.readuntil(b"\r\n\r\n"))
    seen.status, seen.call, seen.cost = status, headers.get("x-request-id"), headers.get("x-encke-cost", "")
    if headers.get("transfer-encoding") != "chunked":
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        seen.end = "error" if status != 200 else "whole"
        if status == 200:
            seen.content = sum(map(_content, json.loads(body).get("choices", ())))
        else:
            seen.code = json.loads(body)["error"]["code"] or ""
        return
    rest, ended = b"", False
    while size := int(await reader.readuntil(b"\r\n"), 16):
        *events, rest = (rest + await reader.readexactly(size)).split(b"\n\n")
        await reader.readexactly(2)
        for event in events:
            ended |= _event(event, seen)
    await reader.readexactly(2)
    if ended and seen.end == "broken":
        seen.end = "whole"


def _event(event: bytes, seen: Seen) -> bool:
    """Count its content; true for the last one."""
    data = event.removeprefix(b"data: ")
    if data == b"[DONE]":
        seen.end = "whole"  # seen, whatever becomes of the connection
        return True
    if event.startswith(b"data: "):
        value = json.loads(data)
        if value.get("error"):
            seen.end, seen.code = "error", value["error"].get("code") or ""
        seen.content += sum(map(_content, value.get("choices", ())))
    return False


def _content(choice: dict[str, Any]) -> int:
    """Bytes of text in a choice, of whatever kind of answer."""
    part = choice.get("delta") or choice.get("message") or {"content": choice.get("text")}
    return len(part.get("content") or "")


def _head(data: bytes) -> tuple[int, dict[str, str]]:
    line, *fields = data.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = (field.split(": ", 1) for field in fields)
    return int(line.split(" ")[1]), {name.lower(): value for name, value in pairs}


async def main(port: int, path: Path, streams: int, keys: list[str], named: bool) -> None:
    """Call until standard input ends, then let what is under way come to its end."""
    log: list[Seen] = []
    callers = [Caller(number, port, keys[number % len(keys)], log, named) for number in range(streams)]
    tasks = [asyncio.create_task(caller.run()) for caller in callers]
    stdin = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(stdin), sys.stdin)
    ended = asyncio.create_task(stdin.read())
    with path.open("a") as file:
        while tasks:
            await asyncio.sleep(0.1)
            written, log[:] = list(log), []
            file.writelines(json.dumps(asdict(seen)) + "\n" for seen in written)
            file.flush()
            if ended.done():
                for caller in callers:
                    caller.stopping = True
                tasks = [task for task in tasks if not task.done()]
        file.writelines(json.dumps(asdict(seen)) + "\n" for seen in log)


if __name__ == "__main__":
    port, path, streams, keys, named = sys.argv[1:]
    asyncio.run(main(int(port), Path(path), int(streams), keys.split(","), named == "named"))
