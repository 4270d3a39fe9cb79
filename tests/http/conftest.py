"""Fixtures of the HTTP tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.http.support import EchoServer, LoopThread


@pytest.fixture
def thread() -> Iterator[LoopThread]:
    """An event loop in a thread."""
    with LoopThread() as running:
        yield running


@pytest.fixture
def server(thread: LoopThread) -> Iterator[EchoServer]:
    """A server with the usual limits."""
    running = EchoServer(thread)
    yield running
    running.stop()
