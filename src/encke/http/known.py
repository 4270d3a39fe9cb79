"""Heads that the parser has read before.

A client that keeps its connection sends the same head again and again; only the length of the body differs. Such a head
is not parsed anew: where it is the same to the byte, but for the digits of its Content-Length, it means the same. This
is a memory of the parser's verdicts, not a parser: it knows no grammar, and what it does not know to the byte goes to
the parser.

It holds only for a request that came whole in one read, so that nothing is left half done.
"""

from __future__ import annotations

import re
from typing import Final

from encke.http.request import Request

MAX_LENGTH: Final = 4096
MAX_KNOWN: Final = 1024
MAX_DIGITS: Final = 8

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *([0-9]{1,8})\r\n", re.I)


class KnownHead:
    """A head, cut where the digits of its Content-Length stand, and the request that the parser made of it."""

    __slots__ = ("_after", "_before", "_request", "epoch")

    def __init__(self, before: bytes, after: bytes, request: Request, epoch: int) -> None:
        self._before = before
        self._after = after
        self._request = request
        self.epoch = epoch  # the application's, when it looked at the head

    def again(self, data: bytes, max_body: int) -> Request | None:
        """The request that `data` is, if it is this head again with a body of its length, no more and no less."""
        if not data.startswith(self._before):
            return None
        start = len(self._before)
        end = data.find(b"\r", start, start + MAX_DIGITS + 1)
        if end < 0 or not data.startswith(self._after, end):
            return None
        digits = data[start:end]
        if not digits.isdigit():
            return None
        length = int(digits)
        body = end + len(self._after)
        if len(data) - body != length or length > max_body:
            return None
        known = self._request
        request = Request()
        request.method = known.method
        request.path = known.path
        request.query = known.query
        request.headers = known.headers
        request.route = known.route
        request.lasting = True
        request.body = data[body:]
        return request


class KnownHeads:
    """What the connections of a worker know together, so that a thousand connections of one client cost one head."""

    def __init__(self) -> None:
        self._heads: dict[tuple[bytes, bytes, int], KnownHead] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def learn(self, data: bytes, request: Request, epoch: int) -> KnownHead | None:
        """The head of `data`, out of which the parser has made `request` and nothing else; None if it does not fit."""
        if not (request.lasting and request.keep_alive and request.http11 and request.refusal is None):
            return None
        size = data.find(b"\r\n\r\n", 0, MAX_LENGTH)
        if size < 0 or _other(request.headers):
            return None
        found = _LENGTH.search(data, 0, size + 2)
        if found is None or _LENGTH.search(data, found.end(1), size + 2) is not None:
            return None
        if size + 4 + int(found[1]) != len(data):
            return None  # not all of it
        before, after = data[: found.start(1)], data[found.end(1) : size + 4]
        head = self._heads.get((before, after, epoch))
        if head is None:
            if len(self._heads) >= MAX_KNOWN:
                self._heads.clear()
            kept = Request()
            kept.method, kept.path, kept.query, kept.route = request.method, request.path, request.query, request.route
            kept.headers = {name: value for name, value in request.headers.items() if name != b"content-length"}
            head = self._heads[before, after, epoch] = KnownHead(before, after, kept, epoch)
        return head


def _other(headers: dict[bytes, bytes]) -> bool:
    """Whether the head says something about framing beside its length, or about what follows it; or is made for one
    call only."""
    return (
        b"transfer-encoding" in headers
        or b"expect" in headers
        or b"upgrade" in headers
        or b"idempotency-key" in headers
    )
