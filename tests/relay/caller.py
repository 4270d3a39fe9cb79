"""A client of many requests at once, with asyncio."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass
class Came:
    """A response as it came; `complete` if its framing said so."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool


class Caller:
    """A client connection that is kept while the gateway keeps it."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, path: str, body: bytes) -> Came:
        """One request and its response."""
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port, limit=1 << 24)
        reader, writer = self._streams
        head = f"POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {self._key}\r\n"
        writer.write(f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body)
        came = await self._read(reader)
        if not came.complete or came.headers.get("connection", "") == "close":
            self.close()
        return came

    async def _read(self, reader: asyncio.StreamReader) -> Came:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {n.lower(): v.strip() for n, _, v in (line.partition(":") for line in lines[1:-2])}
        came = Came(int(lines[0].split()[1]), headers, b"", True)
        parts: list[bytes] = []
        try:
            if headers.get("transfer-encoding") == "chunked":
                while size := int(await reader.readuntil(b"\r\n"), 16):
                    parts.append((await reader.readexactly(size + 2))[:-2])
                await reader.readexactly(2)
            else:
                parts.append(await reader.readexactly(int(headers["content-length"])))
        except (asyncio.IncompleteReadError, ConnectionResetError):
            came.complete = False
        came.body = b"".join(parts)
        return came

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None
