"""Slow attackers, all in one process: `python -m tests.hostile.attackers PORT COUNT`.

A third drips header fields, a third drips a body, a third asks for much and reads nothing; each byte a second. Who is
cut off comes back at once. Prints `ready` when all are connected, and after the end of standard input how often each
kind was cut off, as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.hostile.corpus import KEY

HEAD = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nauthorization: Bearer " + KEY.encode() + b"\r\n"
GREEDY = b"GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n" * 30  # a kilobyte that asks for fifteen
STARTS = {"header": b"GET / HTTP/1.1\r\nhost: a\r\n", "body": HEAD + b"content-length: 100000\r\n\r\n", "read": GREEDY}
DRIPS = {"header": b"x: 1\r\n", "body": b"x", "read": b""}


async def attack(kind: str, port: int, cut: Counter[str], connected: asyncio.Event) -> None:
    """Connect, drip until cut off, again."""
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.setblocking(False)
            try:
                await loop.sock_connect(peer, ("127.0.0.1", port))
                connected.set()
                await asyncio.wait_for(loop.sock_sendall(peer, STARTS[kind]), 60)
                while await _still_there(peer, kind):
                    await asyncio.wait_for(loop.sock_sendall(peer, DRIPS[kind]), 60)
            except (OSError, TimeoutError):
                pass
        cut[kind] += 1
        await asyncio.sleep(0.05)


async def _still_there(peer: socket.socket, kind: str) -> bool:
    """A second later: whether the gateway has neither answered nor left. Who reads nothing learns only of the end."""
    await asyncio.sleep(1.0)
    if kind == "read":
        peer.send(b"")
        return peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0 and _state(peer) == 1
    try:
        return bool(peer.recv(1)) and False
    except BlockingIOError:
        return True


def _state(peer: socket.socket) -> int:
    """The state of a TCP connection (first byte of `tcp_info`): 1 is established."""
    return peer.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def kinds(count: int) -> Iterator[str]:
    """One after the other."""
    for number in range(count):
        yield ("header", "body", "read")[number % 3]


async def main(port: int, count: int) -> None:
    """Attack until standard input ends."""
    loop = asyncio.get_running_loop()
    cut: Counter[str] = Counter()
    events: list[asyncio.Event] = []
    tasks: list[asyncio.Task[Any]] = []
    for kind in kinds(count):
        events.append(asyncio.Event())
        tasks.append(loop.create_task(attack(kind, port, cut, events[-1])))
        if len(tasks) % 50 == 0:
            await asyncio.sleep(0.01)
    await asyncio.gather(*(event.wait() for event in events))
    print("ready", flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(cut), flush=True)
    os._exit(0)  # two thousand tasks would take their time to end


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
