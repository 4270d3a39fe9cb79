"""The supervisor's Unix socket: commands for the running gateway, one answer each."""

from __future__ import annotations

import os
import selectors
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from encke.admin.frames import Frame
from encke.supervise.channel import Channel

BACKLOG = 64
MOST_CONNECTIONS = 64

# Gives the answer, `{"result": …}` or `{"error": …}`, now or later.
Answer = Callable[[Mapping[str, Any]], None]


class Control:
    """Listens on `path` (0600). `obey` gets a command's name and its arguments, and where the answer goes.

    Raises OSError when the socket cannot be made.
    """

    def __init__(
        self, path: Path, selector: selectors.BaseSelector, obey: Callable[[str, Mapping[str, Any], Answer], None]
    ) -> None:
        self._path = path
        self._selector = selector
        self._obey = obey
        self._channels: set[Channel] = set()
        path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        old = os.umask(0o177)
        try:
            self._listener.bind(str(path))
            self._listener.listen(BACKLOG)
        except OSError:
            self._listener.close()
            raise
        finally:
            os.umask(old)
        self._listener.setblocking(False)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def close(self) -> None:
        """End; whoever still waits for an answer is told so by the end of the connection."""
        self._selector.unregister(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)
        for channel in self._channels:
            channel.close()

    def _accept(self) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if len(self._channels) >= MOST_CONNECTIONS:
            sock.close()
            return
        self._channels.add(Channel(sock, self._selector, self._take, self._channels.discard))

    def _take(self, channel: Channel, frame: Frame) -> None:
        payload = frame.payload
        if frame.kind != "command" or not isinstance(payload, dict) or not isinstance(payload.get("name"), str):
            self._channels.discard(channel)
            channel.close()  # whoever sends this is no program of ours
            return
        args = payload.get("args")
        self._obey(
            payload["name"],
            args if isinstance(args, dict) else {},
            lambda answer: channel.send("reply", frame.id, dict(answer)),
        )
