"""Frames over a Unix socket, in a loop of `selectors`: to a worker, and to a command."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable
from typing import Any

from encke.admin.frames import Frame, FrameDecoder, FrameError, encode


class Channel:
    """Never blocks: what the other end does not take yet waits here. `on_end` is called once, when it is gone."""

    def __init__(
        self,
        sock: socket.socket,
        selector: selectors.BaseSelector,
        on_frame: Callable[[Channel, Frame], None],
        on_end: Callable[[Channel], None],
    ) -> None:
        sock.setblocking(False)
        self._sock: socket.socket | None = sock
        self._selector = selector
        self._on_frame = on_frame
        self._on_end = on_end
        self._decoder = FrameDecoder()
        self._unsent = bytearray()
        selector.register(sock, selectors.EVENT_READ, self._look)

    @property
    def idle(self) -> bool:
        """Whether everything has gone out."""
        return not self._unsent

    def send(self, kind: str, id: int, payload: Any) -> None:
        """Send a message, or as soon as the other end takes it; nothing when that is gone."""
        if self._sock is not None:
            self._unsent += encode(kind, id, payload)
            self._flush()

    def close(self) -> None:
        """End it; `on_end` is not called."""
        sock, self._sock = self._sock, None
        if sock is not None:
            self._selector.unregister(sock)
            sock.close()

    def _look(self) -> None:
        """The selector's call: something can be read, or written, or both; or it has been closed meanwhile."""
        if self._sock is not None and self._unsent:
            self._flush()
        if self._sock is None:
            return
        try:
            data = self._sock.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose()
            return
        try:
            frames = self._decoder.feed(data)
        except FrameError:
            self._lose()
            return
        for frame in frames:
            self._on_frame(self, frame)

    def _flush(self) -> None:
        sock = self._sock
        assert sock is not None
        try:
            while self._unsent:
                del self._unsent[: sock.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self._lose()
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        self._selector.modify(sock, events, self._look)

    def _lose(self) -> None:
        if self._sock is not None:
            self.close()
            self._on_end(self)
