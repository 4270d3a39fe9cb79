"""Orders of the supervisor, on a socket that only it and this worker have: new settings, and to retire."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from encke.admin.frames import Frame, FrameDecoder, FrameError, encode

# Gets an order's name and what comes with it; gives what is wrong, or None.
Obey = Callable[[str, Any], str | None]


class Orders(asyncio.Protocol):
    """Answers each order with `{"problem": …}`, null when it was done. A fault of ours is an answer too."""

    def __init__(self, obey: Obey) -> None:
        self._obey = obey
        self._decoder = FrameDecoder()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Orders."""
        try:
            frames = self._decoder.feed(data)
        except FrameError:
            self.close()
            return
        for frame in frames:
            self._answer(frame)

    def _answer(self, frame: Frame) -> None:
        try:
            problem = self._obey(frame.kind, frame.payload)
        except OSError as error:
            problem = error.strerror or str(error)
        except Exception as error:  # the worker goes on as it was
            problem = f"a fault of the gateway ({type(error).__name__})"
        if self._transport is not None:
            self._transport.write(encode("done", frame.id, {"problem": problem}))

    def close(self) -> None:
        """End."""
        if self._transport is not None:
            self._transport.close()
