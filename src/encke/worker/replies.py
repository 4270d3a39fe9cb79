"""Idempotency-Keys in a worker: the keeper is asked whose a name is, and answers lie in files (`encke.calls.replies`).

A file is named by its call. Its first line is a JSON object that tells what follows; the rest is the answer, as the
caller got it. It is written beside and renamed, in a thread, so that it is there whole or not at all. It is not flushed
to the disk: it outlives every process, not the power, and what the power has left of it is found by its checksum.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from encke.calls.replies import Kept
from encke.core.crash import Crash, nowhere
from encke.http.drive import Driver, Signal, rest
from encke.limits.book import KeeperAway
from encke.worker.link import KeeperLink

PATIENCE = 0.25  # seconds that a call waits for the keeper
INSIST = 5.0  # seconds after which the keeper is told once more
SMALL = 64 << 10  # bytes that are not worth a thread
ANSWERS = 32  # so many of the largest answers are held in memory at a time
THREADS = 2

T = TypeVar("T")


class _Head(msgspec.Struct, omit_defaults=True):
    """The first line of a file."""

    content_type: str
    stream: bool
    size: int
    crc32: int


_decode = msgspec.json.Decoder(_Head).decode


class ReplyShelf:
    """A worker's `encke.calls.replies.Replies`."""

    def __init__(self, link: KeeperLink, folder: Path, max_answer: int, crash: Crash = nowhere) -> None:
        self.max_answer = max_answer
        self._link = link
        self._folder = folder
        self._crash = crash
        self._threads = ThreadPoolExecutor(THREADS, "replies")
        self._room = ANSWERS * max_answer
        self._calls: set[str] = set()

    def calls(self) -> list[str]:
        """Those that have a name, or may have been given one, and are not known to be over."""
        return list(self._calls)

    def close(self) -> None:
        """The worker ends."""
        self._threads.shutdown(wait=False)

    async def digest(self, data: bytes) -> bytes:
        """See `Replies`."""
        if len(data) <= SMALL:
            return sha256(data).digest()
        return await self._aside(lambda: sha256(data).digest())

    async def begin(self, name: bytes, asked: bytes, call: str) -> tuple[str, str]:
        """See `Replies`."""
        self._calls.add(call)
        wanted = {"name": name, "asked": asked, "call": call}
        try:
            answer = (await self._link.request("reply_begin", wanted, PATIENCE, again=True)).payload
        except KeeperAway:
            # It may have heard all the same, and the answer was late.
            self._insist("reply_free", {"name": name, "call": call}, call)
            return "unavailable", ""
        if answer["state"] != "begun":
            self._calls.discard(call)
        return answer["state"], answer["call"]

    async def done(self, name: bytes, call: str, state: str, size: int) -> None:
        """See `Replies`. A keeper that is away is told later, and nobody waits for that."""
        await self._told("reply_done", {"name": name, "call": call, "state": state, "size": size}, call)

    async def free(self, name: bytes, call: str) -> None:
        """See `Replies`."""
        await self._told("reply_free", {"name": name, "call": call}, call)

    async def _told(self, kind: str, payload: dict[str, Any], call: str) -> None:
        told = self._insist(kind, payload, call)
        timer = asyncio.get_running_loop().call_later(PATIENCE, told.set, None)
        await told
        timer.cancel()

    def _insist(self, kind: str, payload: dict[str, Any], call: str) -> Signal[None]:
        """Tell the keeper, again and again until it has heard and written it down; the signal is for when it has."""
        told: Signal[None] = Signal()

        async def insist() -> None:
            while True:
                with contextlib.suppress(KeeperAway):
                    answer = await self._link.request(kind, payload, INSIST, again=True)
                    if answer.payload["state"] == "done":
                        break
                    await rest(PATIENCE)
            self._calls.discard(call)
            told.set(None)

        Driver(insist(), _ended).start()
        return told

    def gather(self, size: int) -> bool:
        """See `Replies`."""
        self._room -= size
        return self._room >= 0

    async def keep(self, call: str, content_type: str, stream: bool, pieces: list[bytes]) -> bool:
        """See `Replies`."""
        kept = await self._aside(lambda: _write(self._folder / call, content_type, stream, b"".join(pieces)))
        self._crash("worker.reply_kept")
        return kept

    async def fetch(self, call: str) -> Kept | None:
        """See `Replies`."""
        return await self._aside(lambda: _read(self._folder / call))

    def _aside(self, work: Callable[[], T]) -> Signal[T]:
        """Do it in a thread."""
        result: Signal[T] = Signal()
        loop = asyncio.get_running_loop()

        def finish(future: asyncio.Future[T]) -> None:
            error = future.exception()
            if error is None:
                result.set(future.result())
            else:
                result.fail(error)

        loop.run_in_executor(self._threads, work).add_done_callback(finish)
        return result


def _write(path: Path, content_type: str, stream: bool, body: bytes) -> bool:
    """Whether it is there now. On a full disk it is not, and nothing of it."""
    head = msgspec.json.encode(_Head(content_type, stream, len(body), zlib.crc32(body)))
    beside = path.with_name(path.name + ".new")
    try:
        fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with open(fd, "wb", buffering=0) as file:
            whole = head + b"\n" + body
            if file.write(whole) != len(whole):
                raise OSError("a part only")
        os.rename(beside, path)
    except OSError:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        return False
    return True


def _read(path: Path) -> Kept | None:
    try:
        first, _, body = path.read_bytes().partition(b"\n")
        head = _decode(first)
    except (OSError, msgspec.DecodeError):
        return None
    if len(body) != head.size or zlib.crc32(body) != head.crc32:
        return None
    return Kept(path.name, head.content_type, head.stream, body)


def _ended(error: BaseException | None) -> None:
    """A fault of ours must not vanish."""
    if error is not None:
        raise error
