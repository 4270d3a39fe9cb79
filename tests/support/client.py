"""A small HTTP/1.1 client on a raw socket, for tests that care about bytes, moments and rude endings."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

from tests.support.canaries import canary
from tests.support.evidence import EVIDENCE


@dataclass
class Response:
    """A response as read. `complete` is false when the connection ended before the framing said so."""

    status: int
    reason: str
    version: str
    headers: list[tuple[str, str]]
    body: bytes = b""
    complete: bool = True
    trailers: list[tuple[str, str]] = field(default_factory=list)
    interim: list[int] = field(default_factory=list)

    def header(self, name: str) -> str | None:
        """The first header of that name, or None."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    def json(self) -> Any:
        return json.loads(self.body)

    def events(self) -> list[str]:
        """The data of the SSE events in the body."""
        return [data for data in map(_data, self.body.replace(b"\r\n", b"\n").split(b"\n\n")) if data is not None]


class Client:
    """One connection. `timeout` (seconds) bounds every single wait; a small `receive_buffer` (bytes) fills up soon."""

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        timeout: float = 30.0,
        receive_buffer: int | None = None,
        tls: ssl.SSLContext | None = None,
        unix: str | None = None,
    ) -> None:
        self.socket = socket.socket(socket.AF_UNIX if unix else socket.AF_INET)
        try:
            if receive_buffer:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            self.socket.settimeout(timeout)
            self.socket.connect(unix or (host, port))
            if tls is not None:
                self.socket = tls.wrap_socket(self.socket, server_hostname="localhost", suppress_ragged_eofs=False)
        except BaseException:
            self.socket.close()
            raise
        self.buffer = bytearray()
        self.ended = False  # the peer sent FIN
        self.was_reset = False  # or RST, or under TLS a FIN without goodbye

    # sending

    def send(self, data: bytes) -> None:
        """All of `data`, as it is."""
        self.socket.sendall(data)

    def request(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, key: str | None = None
    ) -> None:
        """A well-formed request. `body` is sent as it is if bytes, else as JSON; `key` goes into Authorization."""
        self.send(build(method, path, body, headers, key))

    # reading

    def read_head(self) -> Response:
        """Status line and headers, 1xx answers noted and skipped. Raises ConnectionError if it does not come."""
        interim: list[int] = []
        while True:
            head = self._until(b"\r\n\r\n").decode("latin-1")
            line, *lines = head[:-4].split("\r\n")
            version, status, *reason = line.split(" ", 2)
            if not 100 <= int(status) < 200:
                return Response(int(status), "".join(reason), version, [_pair(one) for one in lines], interim=interim)
            interim.append(int(status))

    def read(self, method: str = "POST") -> Response:
        """A whole response, whichever way its body is framed."""
        response = self.read_head()
        parts = []
        try:
            for part in self.body(response, method):
                parts.append(part)
        except ConnectionError:
            response.complete = False
        response.body = b"".join(parts)
        if response.status >= 400:
            EVIDENCE.error(response.body, response.headers)
        return response

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> Response:
        """Request and response."""
        self.request(method, path, body, **more)
        answer = self.read(method)
        if not path.startswith("/v1"):  # health, metrics, whatever comes: nobody's answer
            EVIDENCE.take(f"the answer to {method} {path[:60]}", answer.body)
        return answer

    def body(self, response: Response, method: str = "POST") -> Iterator[bytes]:
        """The body as it comes, unframed. Raises ConnectionError if the connection ends too early."""
        if method == "HEAD" or response.status in (204, 304):
            return
        if (response.header("transfer-encoding") or "").lower() == "chunked":
            yield from self._chunks(response)
        elif (length := response.header("content-length")) is not None:
            yield from self._exactly(int(length))
        else:
            while self._fill() or self.buffer:
                yield self._take(len(self.buffer))

    def events(self, response: Response) -> Iterator[str]:
        """The data of each SSE event as soon as it is whole. Raises ConnectionError if the body is cut."""
        pending = b""
        for part in self.body(response):
            *whole, pending = (pending + part).replace(b"\r\n", b"\n").split(b"\n\n")
            yield from (data for data in map(_data, whole) if data is not None)

    def read_slowly(self, bytes_a_second: int, seconds: float) -> int:
        """Take raw bytes at that rate for that long; returns how many came."""
        taken, deadline = 0, time.monotonic() + seconds
        while time.monotonic() < deadline and not self.ended:
            got = self._recv(max(bytes_a_second // 10, 1))
            taken += len(got)
            time.sleep(0.1)
        return taken

    def wait_ended(self) -> bool:
        """Read on until the peer ends the connection; True if it was in order, False if it was a reset."""
        while self._fill():
            pass
        return not self.was_reset

    def wait_readable(self, seconds: float) -> bool:
        """Whether a byte (or the end) comes within `seconds`."""
        before = self.socket.gettimeout()
        self.socket.settimeout(seconds)
        try:
            self._fill()
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(before)
        return True

    # ending

    def half_close(self) -> None:
        """FIN from us; reading goes on."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """RST from us."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # bytes

    def _recv(self, size: int) -> bytes:
        try:
            got = self.socket.recv(size)
        except (ConnectionResetError, ssl.SSLEOFError):
            self.was_reset, got = True, b""
        self.ended = self.ended or not got
        return got

    def _fill(self) -> bool:
        got = b"" if self.ended else self._recv(65536)
        self.buffer += got
        return bool(got)

    def _need(self) -> None:
        if not self._fill():
            how = "was reset" if self.was_reset else "ended"
            raise ConnectionError(f"the connection {how} after {bytes(self.buffer[:200])!r}")

    def _take(self, size: int) -> bytes:
        taken = bytes(self.buffer[:size])
        del self.buffer[:size]
        return taken

    def _until(self, mark: bytes) -> bytes:
        while (at := self.buffer.find(mark)) < 0:
            self._need()
        return self._take(at + len(mark))

    def _exactly(self, size: int) -> Iterator[bytes]:
        while size > 0:
            if not self.buffer:
                self._need()
            part = self._take(min(size, len(self.buffer)))
            size -= len(part)
            yield part

    def _chunks(self, response: Response) -> Iterator[bytes]:
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            yield from self._exactly(size)
            assert self._until(b"\r\n") == b"\r\n", "a chunk is longer than it says"
        while (line := self._until(b"\r\n")) != b"\r\n":
            response.trailers.append(_pair(line[:-2].decode("latin-1")))


def build(
    method: str, path: str, body: Any = None, headers: dict[str, str] | None = None, key: str | None = None
) -> bytes:
    """The bytes of a well-formed request."""
    given = {
        "host": "localhost",
        "user-agent": f"tests/{canary('user_agent')}",
        **({"authorization": f"Bearer {key}"} if key else {}),
        **(headers or {}),
    }
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    if body is not None:
        given = {"content-type": "application/json", "content-length": str(len(data)), **given}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in given.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + data


def chat(text: str = "Hello", model: str = "fake", **more: Any) -> dict[str, Any]:
    """The body of a chat completion request with one user message."""
    return {"model": model, "messages": [{"role": "user", "content": text}], **more}


def _pair(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.strip()


def _data(event: bytes) -> str | None:
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line.startswith(b"data:")]
    return b"\n".join(lines).decode() if lines else None
