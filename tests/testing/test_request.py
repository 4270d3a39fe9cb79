"""The fake upstream's parser is strict, and does not care how bytes are cut."""

from __future__ import annotations

import pytest

from encke.testing.request import BadRequest, Request, RequestParser

WHOLE = b'POST /v1/chat/completions?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\n{"model":"m"}'
CHUNKED = b'POST /v1 HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n7\r\n{"model\r\n6\r\n":"m"}\r\n0\r\n\r\n'


def feed(*parts: bytes) -> list[Request]:
    parser, taken = RequestParser(), []
    for part in parts:
        parser.buffer += part
        while (request := parser.take()) is not None:
            taken.append(request)
    return taken


@pytest.mark.parametrize("raw", [WHOLE, CHUNKED])
def test_any_cut_gives_the_same_request(raw: bytes) -> None:
    """One byte at a time, and two requests in one piece, give what the whole gives."""
    (whole,) = feed(raw)
    assert whole.model == "m"
    assert feed(*(raw[at : at + 1] for at in range(len(raw)))) == [whole]
    assert feed(raw + raw) == [whole, whole]


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\nHost: x\n\r\n\r\n",
        b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nA: b\x00c\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
    ],
)
def test_doubtful_requests_are_refused(raw: bytes) -> None:
    """What another server might read differently is an error here."""
    with pytest.raises(BadRequest):
        feed(raw)


def test_a_request_tells_what_behaviours_ask() -> None:
    """Nonce, last user text, bounds and flags are read from the body; a body that is no object gives none of them."""
    body = (
        b'{"model":"m","stream":true,"max_tokens":9,"stream_options":{"include_usage":true},"messages":['
        b'{"role":"user","content":[{"type":"text","text":"say token:ab-1 now"}]},{"role":"assistant","content":"x"}]}'
    )
    request = Request("POST", "/a/b?c", 1, [("Host", "x")], body)
    assert (request.nonce, request.stream, request.include_usage, request.max_tokens) == ("ab-1", True, True, 9)
    assert (request.path, request.header("host")) == ("/a/b", "x")
    bare = Request("POST", "/", 1, [], b"[1]")
    assert (bare.nonce, bare.stream, bare.model, bare.max_tokens) == (None, False, None, None)
