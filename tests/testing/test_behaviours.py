"""Every named behaviour does what its name says, on the wire."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from encke.testing.behaviours import BEHAVIOURS
from encke.testing.upstream import FakeUpstream
from tests.support.client import Client, Response, chat

CHAT = "/v1/chat/completions"
STALLS = {"stall_before_head", "stall_in_head", "stall_mid_stream"}
# Behaviours whose head no client has to be able to read.
NO_HEAD = STALLS | {"reset_before_head", "fin_before_head", "reset_in_head", "fin_in_head", "garbage_http"}
ENDS = {"fin", "reset"}


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as running:
        yield running


def text(name: str, **options: Any) -> str:
    return "token:t0k behave: " + json.dumps({"name": name, "megabytes": 1, "interval": 0.001, **options})


def ask(upstream: FakeUpstream, name: str, stream: bool, **options: Any) -> Response:
    more: dict[str, Any] = {"stream_options": {"include_usage": True}, "stream": True} if stream else {}
    with Client(upstream.port) as client:
        return client.call("POST", CHAT, chat(text(name, **options), **more))


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", sorted(BEHAVIOURS))
def test_every_behaviour_plays_to_its_end(upstream: FakeUpstream, name: str, stream: bool) -> None:
    """Asked for by the message, it is noted under its name, sends what it noted, and never fails by itself."""
    upstream.statement.wait_for(lambda s: len(s.outcomes()) == len(s.calls()))
    before = len(upstream.statement.calls())
    with Client(upstream.port) as client:
        client.request("POST", CHAT, chat(text(name), stream=stream))
        upstream.statement.wait_for(lambda s: len(s.calls()) > before)
        if name not in STALLS:
            while len(upstream.statement.outcomes()) == before:
                client.wait_readable(0.02)
            while client.wait_readable(0.02) and not client.ended:
                pass
    upstream.statement.wait_for(lambda s: len(s.outcomes()) > before)
    outcome = upstream.statement.outcomes()[-1]
    assert (outcome.behaviour, outcome.problem) == (name, None)
    assert outcome.ended == "peer_left" if name in STALLS else outcome.ended in {"completed", *ENDS}
    assert len(client.buffer) == outcome.sent or name in STALLS or outcome.ended == "reset"


@pytest.mark.parametrize("name", sorted(NO_HEAD - STALLS))
def test_no_head_comes(upstream: FakeUpstream, name: str) -> None:
    """The connection ends, and there was no whole HTTP head."""
    with pytest.raises((ConnectionError, ValueError)):
        ask(upstream, name, stream=False)


@pytest.mark.parametrize("name", ["reset_mid_stream", "fin_mid_stream"])
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_stream_breaks_after_so_many_pieces(upstream: FakeUpstream, name: str, after: int) -> None:
    """`after` pieces of content arrive, and no end of the body."""
    response = ask(upstream, name, stream=True, after=after)
    assert not response.complete
    outcome = upstream.statement.outcomes()[-1]
    assert outcome.tokens == after
    if name == "fin_mid_stream":
        assert sum('"content":"' in one and '"role"' not in one for one in response.events()) == after


def test_an_answer_breaks_in_its_middle(upstream: FakeUpstream) -> None:
    """Not streamed, it is the body that stops short of its Content-Length."""
    response = ask(upstream, "fin_mid_stream", stream=False)
    assert not response.complete
    assert response.body.startswith(b'{"id"')


def contents(response: Response) -> str:
    chunks = [json.loads(one) for one in response.events() if one != "[DONE]"]
    return "".join(one["choices"][0]["delta"].get("content", "") for one in chunks if one.get("choices"))


Check = Callable[[Response], object]
STATUS = [400, 401, 402, 403, 404, 408, 409, 413, 422, 425, 500, 501, 502, 503, 504, 529]


def refusal(status: int) -> Check:
    return lambda r: r.status == status and r.json()["error"]["message"]


PLAIN: dict[str, Check] = {
    **{str(status): refusal(status) for status in STATUS},
    "429_seconds": lambda r: r.status == 429 and r.header("retry-after") == "7",
    "429_ms": lambda r: r.status == 429 and r.header("retry-after-ms") == "7000",
    "429_date": lambda r: r.status == 429 and parsedate_to_datetime(str(r.header("retry-after"))),
    "429_absurd": lambda r: int(str(r.header("retry-after"))) > 10**18,
    "429_garbage": lambda r: r.status == 429 and not str(r.header("retry-after")).isdigit(),
    "half_json": lambda r: r.complete and r.body.startswith(b'{"id"') and not r.body.endswith(b"}"),
    "short_body": lambda r: not r.complete,
    "html_200": lambda r: r.status == 200 and str(r.header("content-type")).startswith("text/html"),
    "garbage_200": lambda r: r.status == 200 and r.body.startswith(b"\x00"),
    "body_over_cap": lambda r: r.complete and len(r.body) > 1 << 20 and r.json(),
    "body_over_cap_declared": lambda r: r.complete and int(str(r.header("content-length"))) > 1 << 20,
    "header_over_64k": lambda r: len(str(r.header("x-long"))) > 65536,
    "many_headers": lambda r: len(r.headers) > 99_999,
    "gzip_though_identity": lambda r: json.loads(gzip.decompress(r.body))["choices"],
    "gzip_bomb": lambda r: len(gzip.decompress(r.body)) == 1 << 20 and len(r.body) < 5000,
    "redirect_301": lambda r: r.status == 301 and r.header("location"),
    "redirect_302": lambda r: r.status == 302 and r.header("location"),
    "redirect_307": lambda r: r.status == 307 and r.header("location"),
    "error_200": lambda r: r.status == 200 and r.json()["error"],
    "503_seconds": lambda r: r.status == 503 and r.header("retry-after") == "7",
    "1xx_then_answer": lambda r: r.interim == [100, 103, 102] and r.json()["choices"],
    "http10_close_delimited": lambda r: r.version == "HTTP/1.0" and r.json()["choices"],
    "trailers": lambda r: r.trailers == [("x-checksum", "1"), ("x-cost", "2")] and r.json()["choices"],
    "early_400_before_body": lambda r: r.status == 400 and r.header("connection") == "close",
    "usage_missing": lambda r: "usage" not in r.json(),
    "usage_negative": lambda r: r.json()["usage"]["completion_tokens"] < 0,
    "usage_float": lambda r: isinstance(r.json()["usage"]["prompt_tokens"], float),
    "usage_string": lambda r: isinstance(r.json()["usage"]["prompt_tokens"], str),
    "usage_huge": lambda r: r.json()["usage"]["prompt_tokens"] > 10**14,
    "split_utf8": lambda r: "漢字 🙂" in r.json()["choices"][0]["message"]["content"],
    "two_lengths": lambda r: len([name for name, _ in r.headers if name == "content-length"]) == 2,
    "length_and_chunked": lambda r: r.header("content-length") and r.header("transfer-encoding"),
}
TEXT = "token:t0k t0k.1 t0k.2 t0k.3"
STREAMED: dict[str, Check] = {
    "polite": lambda r: contents(r) == TEXT and r.events()[-1] == "[DONE]",
    "slow_chunks": lambda r: contents(r) == TEXT,
    "big_stream": lambda r: len(r.body) > 1_000_000 and r.events()[-1] == "[DONE]",
    "endless_line": lambda r: r.body.count(b"\n") == 2 and len(r.body) > 1 << 20,
    "sse_no_terminal": lambda r: r.complete and r.events()[-1].count("t0k.3") == 1 and contents(r) == TEXT,
    "missing_done": lambda r: r.complete and b"[DONE]" not in r.body and b'"finish_reason":"stop"' in r.body,
    "empty_stream": lambda r: r.complete and r.body == b"",
    "done_only": lambda r: r.events() == ["[DONE]"],
    "data_after_done": lambda r: r.events()[-2] == "[DONE]",
    "doubled_done": lambda r: r.events()[-2:] == ["[DONE]", "[DONE]"],
    "comments": lambda r: r.body.startswith(b": ") and contents(r) == TEXT,
    "whitespace_then_content": lambda r: contents(r) == " \n\t" + TEXT,
    "error_in_stream": lambda r: '"error"' in r.events()[-1] and b"t0k.1" in r.body and r.complete,
    "error_first_in_stream": lambda r: len(r.events()) == 1 and '"error"' in r.events()[0],
    "bom": lambda r: r.body.startswith(b"\xef\xbb\xbfdata: "),
    "bare_cr": lambda r: b"\n" not in r.body and r.body.endswith(b"[DONE]\r\r"),
    "crlf": lambda r: r.body.endswith(b"[DONE]\r\n\r\n") and contents(r) == TEXT,
    "multi_line_data": lambda r: contents(r) == TEXT and r.body.count(b"data: ") > 2 * len(r.events()) - 2,
    "no_space_after_colon": lambda r: b"data: " not in r.body and contents(r) == TEXT,
    "chunk_dust": lambda r: contents(r) == TEXT,
    "split_utf8": lambda r: contents(r).startswith(TEXT + " é 漢字 🙂"),
    "usage_missing": lambda r: b'"usage"' not in r.body and b"[DONE]" in r.body,
    "usage_negative": lambda r: json.loads(r.events()[-2])["usage"]["prompt_tokens"] < 0,
    "usage_backwards": lambda r: r.body.index(b'"completion_tokens":9') < r.body.index(b'"completion_tokens":6'),
    "http10_close_delimited_stream": lambda r: r.version == "HTTP/1.0" and contents(r) == TEXT,
    "http10_stream_cut": lambda r: b"[DONE]" not in r.body and b"t0k.2" in r.body,
    "gzip_though_identity": lambda r: gzip.decompress(r.body).endswith(b"[DONE]\n\n"),
    "trailers": lambda r: len(r.trailers) == 2 and contents(r) == TEXT,
    "1xx_then_answer": lambda r: r.interim == [100, 103, 102] and contents(r) == TEXT,
}


@pytest.mark.parametrize("name", PLAIN)
def test_what_a_plain_call_gets(upstream: FakeUpstream, name: str) -> None:
    """The bytes of the answer show the fault that was named."""
    assert PLAIN[name](ask(upstream, name, stream=False))


@pytest.mark.parametrize("name", STREAMED)
def test_what_a_streamed_call_gets(upstream: FakeUpstream, name: str) -> None:
    """The bytes of the stream show the fault that was named."""
    assert STREAMED[name](ask(upstream, name, stream=True))


@pytest.mark.parametrize(("name", "more"), [("extra_bytes", b"extra bytes"), ("two_responses", b"HTTP/1.1 200 OK")])
def test_bytes_after_the_response(upstream: FakeUpstream, name: str, more: bytes) -> None:
    """Something follows a response that was whole."""
    with Client(upstream.port) as client:
        assert client.call("POST", CHAT, chat(text(name))).json()["choices"]
        if not client.buffer:
            client.wait_readable(2)
        assert client.buffer.startswith(more)


@pytest.mark.parametrize(("name", "in_order"), [("close_after_answer", True), ("reset_after_answer", False)])
def test_a_kept_connection_ends_by_itself(upstream: FakeUpstream, name: str, in_order: bool) -> None:
    """After a whole answer without `connection: close` the connection ends all the same."""
    with Client(upstream.port) as client:
        assert client.call("POST", CHAT, chat(text(name))).complete
        assert client.wait_ended() is in_order


def test_ways_to_name_a_behaviour(upstream: FakeUpstream) -> None:
    """By model, by path and by message; a name that does not exist is answered with the list of those that do."""
    with Client(upstream.port) as client:
        assert client.call("POST", CHAT, chat(model="fault-503")).status == 503
        assert client.call("POST", CHAT, chat(model="fault-redirect-302")).status == 302
        assert client.call("POST", f"/behave/404{CHAT}", chat()).status == 404
        unknown = client.call("POST", CHAT, chat('behave: {"name": "nonsense"}'))
        wrong = client.call("POST", CHAT, chat('behave: {"chunk": 3}'))
        assert client.call("GET", "/v1/models").json()["data"]
        assert client.call("GET", "/elsewhere").status == 404
    assert "reset_mid_stream" in unknown.json()["error"]["message"]
    assert "chunk" in wrong.json()["error"]["message"]
