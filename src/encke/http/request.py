"""A client's request, as the server hands it to the application."""

from __future__ import annotations

from encke.core.faults import Fault


class Request:
    """A request, whole. `headers` holds those of `KEPT_REQUEST_HEADERS`, names in lower case; nobody changes them."""

    __slots__ = ("body", "headers", "http11", "keep_alive", "lasting", "method", "path", "query", "refusal", "route")

    def __init__(self) -> None:
        self.method = ""
        self.path = ""
        self.query = b""
        self.headers: dict[bytes, bytes] = {}
        self.body: bytes = b""
        self.http11 = True
        self.keep_alive = True
        self.refusal: Fault | None = None
        self.route: object = None  # what the application's check found out; its own business
        # Set by the check: whether `route` holds for every request with the same head while the application's epoch
        # stays what it is.
        self.lasting = False
