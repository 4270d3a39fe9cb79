"""The worker's application behind any ASGI server: the same handler, other sockets.

It only translates: what `encke.http.server` refuses before the handler sees it (framing, Host, sizes, time) is here the
server's business. Interpreted only: compiled code takes no other connection than its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, cast

from encke.core.faults import Fault
from encke.http.drive import Driver
from encke.http.headers import KEPT_REQUEST_HEADERS
from encke.http.request import Request
from encke.http.server import Application, ClientGone, ServerConnection, Sink

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

FULL = 64  # messages that wait for the server, before the provider is asked to pause


class AsgiConnection:
    """What a handler needs of a `ServerConnection`, for one request. `broken`: the stream must not end in order."""

    def __init__(self, peer: str) -> None:
        self.peer = peer
        self.sink: Sink | None = None
        self.bytes_sent = 0
        self.head_sent = False
        self.is_paused = False
        self.broken = False
        self.messages: asyncio.Queue[Message | None] = asyncio.Queue()

    def respond(self, status: int, head: str, body: bytes) -> None:
        """A whole answer."""
        self._start(status, f"{head}content-length: {len(body)}\r\n")
        self._body(body, more=False)

    def start_stream(self, status: int, head: str, first: bytes) -> None:
        """The head of an answer whose length is not known."""
        self._start(status, head)
        if first:
            self._body(first)

    def write_stream(self, data: bytes) -> None:
        """More of it."""
        self._body(data)

    def end_stream(self, last: bytes) -> None:
        """The end."""
        self._body(last, more=False)

    def break_stream(self, last: bytes) -> None:
        """The last bytes, and no end."""
        self.broken = True
        if last:
            self._body(last)

    def close_after_answer(self) -> None:
        """ASGI has no word for it."""

    def _start(self, status: int, head: str) -> None:
        self.head_sent = True
        lines = [line.partition(": ") for line in head.split("\r\n") if line]
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, _, value in lines]
        self.messages.put_nowait({"type": "http.response.start", "status": status, "headers": headers})

    def _body(self, data: bytes, more: bool = True) -> None:
        self.bytes_sent += len(data)
        self.messages.put_nowait({"type": "http.response.body", "body": data, "more_body": more})
        if more and self.sink is not None and self.messages.qsize() > FULL and not self.is_paused:
            self.is_paused = True
            self.sink.pause()

    def went_out(self) -> None:
        """The server has taken a message."""
        if self.is_paused and self.messages.qsize() == 0:
            self.is_paused = False
            if self.sink is not None:
                self.sink.resume()


class AsgiApp:
    """An ASGI application around an `Application`."""

    def __init__(self, app: Application, max_body: int) -> None:
        self._app = app
        self._max_body = max_body

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        request = _request(scope)
        client = AsgiConnection(scope["client"][0] if scope["client"] else "")
        connection = cast(ServerConnection, client)
        fault = self._app.check(request) or await self._read(request, receive)
        if fault is not None:
            self._app.refuse(request, connection, fault)
            await _pass_on(client, send, once=True)
            return
        driver = Driver(self._app.handle(request, connection), lambda error: self._ended(request, client, error))
        driver.start()
        leaving = asyncio.ensure_future(_watch(receive, driver))
        try:
            await _pass_on(client, send)
        finally:
            leaving.cancel()

    async def _read(self, request: Request, receive: Receive) -> Fault | None:
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return Fault("bad_request", "The client left.")
            body += message.get("body", b"")
            if len(body) > self._max_body:
                return Fault("request_too_large", f"The body is larger than the limit of {self._max_body} bytes.")
            if not message.get("more_body", False):
                request.body = body
                return None

    def _ended(self, request: Request, client: AsgiConnection, error: BaseException | None) -> None:
        if error is not None and not isinstance(error, ClientGone):
            connection = cast(ServerConnection, client)
            self._app.crashed(connection, error)
            if not client.head_sent:
                self._app.refuse(request, connection, Fault("internal_error", "The gateway failed."))
            else:
                client.broken = True
        client.messages.put_nowait(None)


async def _pass_on(client: AsgiConnection, send: Send, once: bool = False) -> None:
    """Hand over what the handler writes, until it is done. Of a broken stream the server sees no end."""
    while not (once and client.messages.empty()):
        message = await client.messages.get()
        if message is None:
            break
        await send(message)
        client.went_out()


async def _watch(receive: Receive, driver: Driver) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    driver.cancel(ClientGone())


def _request(scope: Message) -> Request:
    request = Request()
    request.method = scope["method"]
    request.path = scope["raw_path"].decode("ascii", "replace")
    request.query = scope["query_string"]
    request.http11 = scope["http_version"] == "1.1"
    request.headers = {name: value for name, value in scope["headers"] if name in KEPT_REQUEST_HEADERS}
    return request
