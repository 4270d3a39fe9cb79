"""Status lines and header fields: those we write, those of the client we read, those of upstream we pass on."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

STATUS_LINES: Final = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}

# Of a client's headers, only these are kept. Nothing a client sends reaches an upstream as a header.
KEPT_REQUEST_HEADERS: Final = frozenset(
    {
        b"authorization",
        b"x-api-key",
        b"api-key",
        b"x-goog-api-key",
        b"content-type",
        b"content-encoding",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"upgrade",
        b"expect",
        b"host",
        b"origin",
        b"access-control-request-method",
        b"access-control-request-headers",
        b"x-request-id",
        b"x-encke-include-cost",
        b"idempotency-key",
        b"x-forwarded-for",
        b"x-encke-include-prices",
        b"x-encke-unsupported",
        b"anthropic-beta",
        b"anthropic-version",
    }
)

# Lists: sent in several fields, they are one list (RFC 9110, section 5.3).
LIST_REQUEST_HEADERS: Final = frozenset({b"x-forwarded-for", b"anthropic-beta"})

# These say who asks, how long the body is, where it goes, or whether it was sent before: twice, with different values,
# is an attack or a broken client.
SINGLE_REQUEST_HEADERS: Final = frozenset(
    {
        b"authorization",
        b"x-api-key",
        b"api-key",
        b"x-goog-api-key",
        b"host",
        b"content-type",
        b"content-length",
        b"idempotency-key",
    }
)

# These are sent once or the request is refused (RFC 9112, sections 3.2 and 6.1; the parser itself sees to
# content-length): who stands in front may read another of the two.
ONCE_REQUEST_HEADERS: Final = frozenset({b"host", b"transfer-encoding"})

# Of an upstream's headers, only these are read; of them only content-type is passed on.
KEPT_RESPONSE_HEADERS: Final = frozenset(
    {b"content-type", b"content-encoding", b"retry-after", b"retry-after-ms", b"location"}
)


def status_line(status: int) -> str:
    """The status line, with its line end."""
    return STATUS_LINES.get(status) or f"HTTP/1.1 {status} Status\r\n"


def visible(value: str, limit: int = 256) -> str:
    """A string made fit for a header value: visible ASCII, percent-encoded elsewhere, cut at `limit` characters."""
    if value.isascii() and value.isprintable():
        return value[:limit]
    encoded = value.encode("utf-8", "replace")
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else f"%{byte:02X}" for byte in encoded)[:limit]


def with_fields(head: bytes, fields: bytes) -> tuple[bytes, bytes]:
    """A request's head and the fields that are to follow it: of two that have the same name the head's is left out; a
    list's values are joined, the head's first, each once.

    Names are compared in lower case; the first line is none. Every field ends in CRLF.
    """
    made = b""
    for field in fields.split(b"\r\n"):
        if not field:
            continue
        name, _, value = field.partition(b":")
        at = head.lower().find(b"\r\n%b:" % name.lower())
        end = head.find(b"\r\n", at + 2)
        if at >= 0 and end > 0:
            if name.lower() in LIST_REQUEST_HEADERS:
                field = b"%b: %b" % (name, _joined(head[at + 2 : end].partition(b":")[2], value))
            head = head[: at + 2] + head[end + 2 :]
        made += field + b"\r\n"
    return head, made


def _joined(*lists: bytes) -> bytes:
    words = [word.strip() for one in lists for word in one.split(b",")]
    return b", ".join(dict.fromkeys(word for word in words if word))
