"""The upstream's side of a request: a strict parser without I/O, and what behaviours want to know about the request.

The parser is stricter than a server has to be: it is there to catch a gateway that sends anything doubtful.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import msgspec

from encke.testing import asked

_LINE = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.([01])\Z")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\t -~\x80-\xff]*?)[ \t]*\Z")
_SIZE = re.compile(rb"[0-9a-fA-F]{1,12}\Z")
_NONCE = re.compile(r"token:([A-Za-z0-9_-]+)")
MAX_HEAD = 1 << 20


class BadRequest(ValueError):
    """The peer sent something that is not a well-formed HTTP/1.1 request; the message says what."""


@dataclass
class Request:
    """One request as received. `complete` is false when it was answered before its body had come."""

    method: str
    target: str
    version: int
    headers: list[tuple[str, str]]
    body: bytes = b""
    complete: bool = True
    number: int = 0
    connection: int = 0

    def header(self, name: str) -> str | None:
        """The first header of that name, or None."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def keep_alive(self) -> bool:
        return self.complete and self.version == 1 and (self.header("connection") or "").lower() != "close"

    @cached_property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is none."""
        try:
            value = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return {}
        return value if isinstance(value, dict) else {}

    @property
    def model(self) -> str | None:
        return asked.model(self.path, self.json)

    @property
    def stream(self) -> bool:
        return asked.stream(self.path, self.json)

    @property
    def include_usage(self) -> bool:
        options = self.json.get("stream_options")
        return isinstance(options, dict) and options.get("include_usage") is True

    @property
    def max_tokens(self) -> int | None:
        """The caller's bound on output tokens, under whichever name."""
        return asked.max_tokens(self.json)

    @cached_property
    def wanted(self) -> tuple[str, list[str]]:
        """The text of the last user message, and the results of tools that came after it."""
        return asked.wanted(asked.turns(self.json))

    @property
    def last_user(self) -> str:
        """The text of the last user message, its text parts joined."""
        return self.wanted[0]

    @property
    def nonce(self) -> str | None:
        """`abc123` if the last user message holds `token:abc123`."""
        found = _NONCE.search(self.last_user)
        return found.group(1) if found else None


@dataclass
class RequestParser:
    """Feed bytes, take requests. Keeps what follows a request for the next one."""

    buffer: bytearray = field(default_factory=bytearray)
    head: Request | None = None
    _length: int | None = 0
    _body: bytearray = field(default_factory=bytearray)

    def take(self) -> Request | None:
        """The next complete request, or None if more bytes are needed. Raises BadRequest."""
        if self.head is None and not self._read_head():
            return None
        done = self._read_chunks() if self._length is None else len(self.buffer) >= self._length
        if not done:
            return None
        if self._length is not None:
            self._body = self.buffer[: self._length]
            del self.buffer[: self._length]
        request, self.head = self.head, None
        assert request is not None
        request.body, self._body = bytes(self._body), bytearray()
        return request

    def early(self) -> Request | None:
        """The request whose head is here and whose body is not, with what has come of the body (not consumed)."""
        if self.head is None:
            return None
        body = bytes(self._body if self._length is None else self.buffer)
        return Request(self.head.method, self.head.target, self.head.version, self.head.headers, body, complete=False)

    def _read_head(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > MAX_HEAD:
                raise BadRequest(f"head longer than {MAX_HEAD} bytes")
            return False
        line, *fields = bytes(self.buffer[:end]).split(b"\r\n")
        del self.buffer[: end + 4]
        self.head = _head(line, fields)
        self._length = _length(self.head.headers)
        return True

    def _read_chunks(self) -> bool:
        while (end := self.buffer.find(b"\r\n")) >= 0:
            line = bytes(self.buffer[:end])
            if not _SIZE.match(line):
                raise BadRequest(f"chunk size {line[:40]!r}")
            size = int(line, 16)
            need = end + 2 + size + 2
            if len(self.buffer) < need:
                return False
            if self.buffer[need - 2 : need] != b"\r\n":
                raise BadRequest("chunk does not end with CRLF, or a trailer was sent")
            self._body += self.buffer[end + 2 : need - 2]
            del self.buffer[:need]
            if size == 0:
                return True
        return False


def _head(line: bytes, fields: list[bytes]) -> Request:
    found = _LINE.match(line)
    if found is None:
        raise BadRequest(f"request line {line[:80]!r}")
    headers = []
    for one in fields:
        pair = _FIELD.match(one)
        if pair is None:
            raise BadRequest(f"header line {one[:80]!r}")
        headers.append((pair.group(1).decode(), pair.group(2).decode("latin-1")))
    if sum(name.lower() == "host" for name, _ in headers) != 1:
        raise BadRequest("not exactly one Host header")
    method, target, minor = found.groups()
    return Request(method.decode(), target.decode(), int(minor), headers)


def _length(headers: list[tuple[str, str]]) -> int | None:
    """Body length in bytes; None means chunked."""
    lengths = [value for name, value in headers if name.lower() == "content-length"]
    codings = [value for name, value in headers if name.lower() == "transfer-encoding"]
    if (lengths and codings) or len(lengths) > 1 or len(codings) > 1:
        raise BadRequest("more than one of Content-Length and Transfer-Encoding")
    if codings:
        if codings[0].lower() != "chunked":
            raise BadRequest(f"transfer-encoding {codings[0]!r}")
        return None
    if lengths and not re.fullmatch(r"[0-9]{1,15}", lengths[0]):
        raise BadRequest(f"content-length {lengths[0]!r}")
    return int(lengths[0]) if lengths else 0
