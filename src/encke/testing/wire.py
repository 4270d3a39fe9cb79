"""Builders of raw HTTP and SSE bytes. Nothing is checked: tests want to build wrong ones too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from itertools import chain, repeat
from typing import Any

import msgspec

Headers = Sequence[tuple[str, str]]

JSON = ("content-type", "application/json")
EVENT_STREAM = ("content-type", "text/event-stream; charset=utf-8")
CHUNKED = ("transfer-encoding", "chunked")
LAST_CHUNK = b"0\r\n\r\n"


def event(data: object, eol: str = "\n") -> bytes:
    """One SSE event. A `str` is sent as it is, bytes too, anything else as JSON."""
    text = data if isinstance(data, bytes) else data.encode() if isinstance(data, str) else msgspec.json.encode(data)
    return b"data: " + text + eol.encode() * 2


def named_event(value: dict[str, Any]) -> bytes:
    """One SSE event that is named as its JSON's `type` says."""
    return b"event: %b\ndata: %b\n\n" % (str(value["type"]).encode(), msgspec.json.encode(value))


def parsed(text: str) -> Any:
    """The JSON in a text, or the text itself where it is none: an upstream may be made to lie."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def sse(*objects: object, done: bool = True, eol: str = "\n") -> bytes:
    """Events for `objects`, and `[DONE]` at the end unless told not to."""
    return b"".join(event(one, eol) for one in chain(objects, ["[DONE]"] if done else []))


def head(status: int, headers: Headers = (), version: str = "HTTP/1.1") -> bytes:
    """Status line and headers, with the empty line."""
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "Unknown"
    lines = [f"{version} {status} {phrase}", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def http_response(status: int, headers: Headers, body: bytes) -> bytes:
    """A whole response with Content-Length."""
    return head(status, [*headers, ("content-length", str(len(body)))]) + body


def json_response(status: int, value: object, headers: Headers = ()) -> bytes:
    """A whole JSON response."""
    return http_response(status, [JSON, *headers], msgspec.json.encode(value))


def chunk(data: bytes) -> bytes:
    """One chunk of the chunked coding (RFC 9112, section 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def chunked(body: bytes, sizes: Iterable[int] = ()) -> bytes:
    """`body` in the chunked coding, cut at `sizes`: the last size repeats, and no sizes at all means one chunk."""
    given = list(sizes)
    rest = repeat(given[-1] if given else max(len(body), 1))
    out, at = [], 0
    for size in chain(given, rest):
        if at >= len(body):
            break
        out.append(chunk(body[at : at + size]))
        at += size
    return b"".join(out) + LAST_CHUNK
