"""A worker's shelf: files in a real folder, and a keeper over a real socket that says what the test wants."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from encke.admin.frames import Frame, encode
from encke.http.drive import Driver
from encke.worker.link import KeeperLink
from encke.worker.replies import ANSWERS, ReplyShelf
from tests.worker.test_link import Taken, run

MAX = 1000


async def of(work: Coroutine[Any, Any, Any]) -> Any:
    """Its result, for a coroutine that asyncio runs."""
    made: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        made.set_result(await work)

    Driver(wait(), lambda problem: None).start()
    return await asyncio.wait_for(made, 20)


Use = Callable[[ReplyShelf, Callable[[], None]], Awaitable[None]]


def shelf(folder: Path, take: Taken, use: Use) -> None:
    """A keeper that does `take`, a shelf that asks it, and `use`."""

    async def main(link: KeeperLink, cut: Callable[[], None]) -> None:
        made = ReplyShelf(link, folder / "replies", MAX)
        shelves.append(made)
        (folder / "replies").mkdir()
        await use(made, cut)
        made.close()

    shelves: list[ReplyShelf] = []
    run(folder, take, main, names=lambda: shelves[0].calls() if shelves else [])


def silent(frame: Frame, writer: asyncio.StreamWriter) -> None:
    """A keeper that answers nothing."""


def test_an_answer_comes_back_as_it_was(tmp_path: Path) -> None:
    """Content type, kind and bytes; only its owner can read the file, and no half of one is ever there."""

    async def use(shelf: ReplyShelf, cut: Callable[[], None]) -> None:
        assert await of(shelf.keep("c1", "application/json; charset=utf-8", False, [b"a\n", b"\0", b"b" * 500]))
        assert await of(shelf.keep("c2", "text/event-stream", True, []))
        one, two = await of(shelf.fetch("c1")), await of(shelf.fetch("c2"))
        assert (one.call, one.content_type, one.stream) == ("c1", "application/json; charset=utf-8", False)
        assert one.body == b"a\n\0" + b"b" * 500 and (two.stream, two.body) == (True, b"")
        assert sorted(os.listdir(tmp_path / "replies")) == ["c1", "c2"]
        assert (tmp_path / "replies" / "c1").stat().st_mode & 0o777 == 0o600

    shelf(tmp_path, silent, use)


@pytest.mark.parametrize("spoilt", [b"", b"{}\n", b"half", None])
def test_what_cannot_be_read_is_no_answer(tmp_path: Path, spoilt: bytes | None) -> None:
    """Empty, cut or garbled, as after a power cut; or not there."""

    async def use(shelf: ReplyShelf, cut: Callable[[], None]) -> None:
        assert await of(shelf.keep("c1", "application/json", False, [b"body"]))
        path = tmp_path / "replies" / "c1"
        if spoilt is None:
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[:-1] if spoilt == b"half" else spoilt)
        assert await of(shelf.fetch("c1")) is None

    shelf(tmp_path, silent, use)


def test_a_disk_that_takes_nothing(tmp_path: Path) -> None:
    """The answer is not kept, and nothing is left behind."""

    async def use(shelf: ReplyShelf, cut: Callable[[], None]) -> None:
        (tmp_path / "replies").rmdir()
        assert not await of(shelf.keep("c1", "application/json", False, [b"body"]))
        (tmp_path / "replies").mkdir()
        (tmp_path / "replies" / "c1").mkdir()  # nothing can be renamed to it
        assert not await of(shelf.keep("c1", "application/json", False, [b"body"]))
        assert os.listdir(tmp_path / "replies") == ["c1"]

    shelf(tmp_path, silent, use)


def test_digests(tmp_path: Path) -> None:
    """The same whether it takes a thread or not."""

    async def use(shelf: ReplyShelf, cut: Callable[[], None]) -> None:
        for size in (0, 1000, 1_000_000):
            assert await of(shelf.digest(b"x" * size)) == sha256(b"x" * size).digest()

    shelf(tmp_path, silent, use)


def test_memory_is_bounded(tmp_path: Path) -> None:
    """All answers that are gathered at a time; what is let go makes room."""

    async def use(shelf: ReplyShelf, cut: Callable[[], None]) -> None:
        assert all(shelf.gather(MAX) for _ in range(ANSWERS))
        assert not shelf.gather(1)
        shelf.gather(-2)
        assert shelf.gather(1)

    shelf(tmp_path, silent, use)


def test_the_keeper_says_whose_a_name_is(tmp_path: Path) -> None:
    """A call that has begun is one of this worker's until it is over; one that was refused is not."""
    asked: list[Frame] = []

    def take(frame: Frame, writer: asyncio.StreamWriter) -> None:
        asked.append(frame)
        if frame.id:
            state = "done" if frame.kind != "reply_begin" else "begun" if frame.payload["call"] == "c1" else "running"
            writer.write(encode("reply", frame.id, {"state": state, "call": "c1"}))

    async def use(shelf: ReplyShelf, cut: Callable[[], None]) -> None:
        assert await of(shelf.begin(b"n", b"a", "c1")) == ("begun", "c1")
        assert await of(shelf.begin(b"n", b"a", "c2")) == ("running", "c1")
        assert shelf.calls() == ["c1"]
        await of(shelf.done(b"n", "c1", "kept", 5))
        assert shelf.calls() == []

    shelf(tmp_path, take, use)
    assert asked[-1].payload == {"name": b"n", "call": "c1", "state": "kept", "size": 5}


def test_a_silent_keeper(tmp_path: Path) -> None:
    """A name that was asked for in vain is given back, for the case that the keeper has heard."""
    asked: list[str] = []

    def take(frame: Frame, writer: asyncio.StreamWriter) -> None:
        asked.append(frame.kind)
        if frame.kind == "reply_free":
            writer.write(encode("reply", frame.id, {"state": "done"}))

    async def use(shelf: ReplyShelf, cut: Callable[[], None]) -> None:
        assert await of(shelf.begin(b"n", b"a", "c1")) == ("unavailable", "")
        while shelf.calls():
            await asyncio.sleep(0.01)

    shelf(tmp_path, take, use)
    assert asked[-2:] == ["reply_begin", "reply_free"]


def test_the_end_of_a_call_is_told_until_it_is_heard(tmp_path: Path) -> None:
    """The caller waits a moment only. The next keeper hears of it twice: that the call is one of this worker's, and
    that it is over; also when it cannot write that down at first."""
    heard: list[Frame] = []

    def take(frame: Frame, writer: asyncio.StreamWriter) -> None:
        heard.append(frame)
        hellos = sum(one.kind == "hello" for one in heard)
        tries = sum(one.kind == "reply_done" for one in heard)
        if frame.kind == "reply_begin":
            writer.write(encode("reply", frame.id, {"state": "begun", "call": "c1"}))
        elif frame.kind == "reply_done" and hellos > 1:
            writer.write(encode("reply", frame.id, {"state": "unavailable" if tries < 3 else "done"}))

    async def use(shelf: ReplyShelf, cut: Callable[[], None]) -> None:
        await of(shelf.begin(b"n", b"a", "c1"))
        await of(shelf.done(b"n", "c1", "kept", 5))
        assert shelf.calls() == ["c1"]
        cut()
        while shelf.calls():
            await asyncio.sleep(0.01)

    shelf(tmp_path, take, use)
    assert [one.payload for one in heard if one.kind == "replies"] == [{"calls": ["c1"]}]
    assert [one.kind for one in heard][-2:] == ["reply_done", "reply_done"]
