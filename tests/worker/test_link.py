"""Questions to the keeper over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from encke.admin.frames import Frame, FrameDecoder, encode
from encke.http.drive import Driver, Signal
from encke.ledger.journal import Journal
from encke.limits.book import KeeperAway
from encke.worker.link import KeeperLink

Taken = Callable[[Frame, asyncio.StreamWriter], None]


async def value(signal: Signal[Frame]) -> Frame:
    """A signal's value, for a coroutine that asyncio runs."""
    made: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()

    async def wait() -> None:
        try:
            made.set_result(await signal)
        except KeeperAway as error:
            made.set_exception(error)

    Driver(wait(), lambda problem: None).start()
    return await made


def no_journal(path: Path) -> Journal:
    """Nobody sends slots here."""
    raise AssertionError(path)


def run(
    folder: Path, take: Taken, use: Callable[[KeeperLink, Callable[[], None]], Awaitable[None]], **more: Any
) -> None:
    """A keeper that does `take` with every frame, a link to it, and `use`, which may break the connections off."""
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        decoder = FrameDecoder()
        while data := await reader.read(65536):
            for frame in decoder.feed(data):
                take(frame, writer)

    def cut() -> None:
        for writer in writers:
            writer.transport.abort()
        writers.clear()

    async def main() -> None:
        path = folder / "sock"
        server = await asyncio.start_unix_server(serve, path)
        link = KeeperLink(path, 7, lambda snapshot: None, no_journal, lambda: None, **more)
        running = asyncio.create_task(link.run())
        await use(link, cut)
        link.close()
        running.cancel()
        server.close()
        cut()

    asyncio.run(main())


def test_a_question_is_answered(tmp_path: Path) -> None:
    """Each gets its own answer, in whatever order they come; one that is asked before there is a connection too."""
    asked: list[Frame] = []

    def take(frame: Frame, writer: asyncio.StreamWriter) -> None:
        if frame.kind == "hello":
            assert frame.payload["leases"] == [[1, 0, 5]]
            return
        asked.append(frame)
        if len(asked) == 2:
            for one in reversed(asked):
                writer.write(encode("granted", one.id, one.payload))

    async def use(link: KeeperLink, cut: Callable[[], None]) -> None:
        signals = [link.request("ask", {"n": n}, 5.0) for n in range(2)]
        assert [(await value(signal)).payload["n"] for signal in signals] == [0, 1]

    run(tmp_path, take, use, leases=lambda: [[1, 0, 5]])


def test_silence_fails_and_a_late_answer_is_told(tmp_path: Path) -> None:
    """After its time a question fails; what comes later goes to whoever wants to know, once."""
    late: list[Frame] = []

    def take(frame: Frame, writer: asyncio.StreamWriter) -> None:
        if frame.kind == "ask":
            asyncio.get_running_loop().call_later(0.2, writer.write, encode("granted", frame.id, {"n": 1}))

    async def use(link: KeeperLink, cut: Callable[[], None]) -> None:
        with pytest.raises(KeeperAway):
            await value(link.request("ask", {}, 0.05, on_late=late.append))
        while not late:
            await asyncio.sleep(0.01)

    run(tmp_path, take, use)
    assert [frame.payload for frame in late] == [{"n": 1}]


def test_a_lost_connection(tmp_path: Path) -> None:
    """What may be asked again is asked of the next keeper, the rest fails at once."""
    asked: list[str] = []

    def take(frame: Frame, writer: asyncio.StreamWriter) -> None:
        asked.append(frame.kind)
        if asked.count("hello") > 1 and frame.kind == "ask":
            writer.write(encode("granted", frame.id, {}))

    async def use(link: KeeperLink, cut: Callable[[], None]) -> None:
        again, once = link.request("ask", {}, 30.0, again=True), link.request("begin", {}, 30.0)
        while len(asked) < 3:
            await asyncio.sleep(0.01)
        cut()
        with pytest.raises(KeeperAway):
            await value(once)
        assert (await value(again)).kind == "granted"

    run(tmp_path, take, use)
    assert asked == ["hello", "ask", "begin", "hello", "ask"]


def test_a_recall_is_answered(tmp_path: Path) -> None:
    """With what can be done without, and its round."""
    given: list[Any] = []

    def take(frame: Frame, writer: asyncio.StreamWriter) -> None:
        if frame.kind == "hello":
            writer.write(encode("recall", 0, {"items": [[3, 9]], "round": 4}))
        else:
            given.append(frame.payload)

    async def use(link: KeeperLink, cut: Callable[[], None]) -> None:
        while not given:
            await asyncio.sleep(0.01)

    run(tmp_path, take, use, on_recall=lambda accounts: [[*accounts[0], 11]])
    assert given == [{"items": [[3, 9, 11]], "round": 4}]
