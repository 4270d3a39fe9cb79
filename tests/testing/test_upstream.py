"""FakeUpstream plays scripts to the byte and writes a true statement."""

from __future__ import annotations

import hashlib
import json
import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.testing import wire
from encke.testing.script import Cut, Fin, Rst, Script, Send, Sleep, Stall, Step, WaitGone, pieces
from encke.testing.statement import Outcome, Statement
from encke.testing.upstream import FakeUpstream
from tests.support.client import Client, build, chat

CHAT = "/v1/chat/completions"


@pytest.fixture
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as running:
        yield running


def ended(statement: Statement, count: int = 1) -> Outcome:
    """The last of `count` outcomes, once they are there."""
    statement.wait_for(lambda s: len(s.outcomes()) >= count)
    return statement.outcomes()[-1]


def test_polite_answers_echo_the_nonce(upstream: FakeUpstream) -> None:
    """Streamed or not, content and usage are the same, over one connection that is kept."""
    with Client(upstream.port) as client:
        plain = client.call("POST", CHAT, chat("token:n1 hi"))
        stream = client.call("POST", CHAT, chat("token:n1 hi", stream=True, stream_options={"include_usage": True}))
    chunks = [json.loads(one) for one in stream.events() if one != "[DONE]"]
    content = "".join(one["choices"][0]["delta"].get("content", "") for one in chunks if one["choices"])
    assert plain.json()["choices"][0]["message"]["content"] == content == "token:n1 n1.1 n1.2 n1.3"
    assert chunks[-1]["usage"]["completion_tokens"] == plain.json()["usage"]["completion_tokens"] == 4
    assert stream.events()[-1] == "[DONE]"
    assert upstream.statement.connects == 1
    assert ended(upstream.statement, 2).tokens == 4


def test_max_tokens_is_honoured_unless_told_otherwise(upstream: FakeUpstream) -> None:
    """A bound cuts the answer with `length`; a lying provider goes on."""
    lie = 'behave: {"chunks": 9, "honour_max": false}'
    with Client(upstream.port) as client:
        short = client.call("POST", CHAT, chat(max_tokens=2)).json()
        long = client.call("POST", CHAT, chat(lie, max_tokens=2)).json()
    assert (short["choices"][0]["finish_reason"], short["usage"]["completion_tokens"]) == ("length", 2)
    assert (long["choices"][0]["finish_reason"], long["usage"]["completion_tokens"]) == ("stop", 9)


def test_what_a_piece_is_worth(upstream: FakeUpstream) -> None:
    """Pieces may have a text of their own and count as several tokens; the usage may be any object."""
    behave = 'behave: {"chunks": 9, "each": 20, "piece": "abc"}'
    told = 'behave: {"usage": {"prompt_tokens": 7, "prompt_tokens_details": {"cached_tokens": 3}}}'
    with Client(upstream.port) as client:
        assert client.call("POST", CHAT, chat(told)).json()["usage"]["prompt_tokens_details"] == {"cached_tokens": 3}
        answer = client.call("POST", CHAT, chat(behave, max_tokens=59)).json()
    assert answer["choices"][0]["message"]["content"] == "Helloabc"
    assert answer["usage"]["completion_tokens"] == 40
    assert ended(upstream.statement, 2).tokens == 40


def test_the_statement_tells_the_request(upstream: FakeUpstream) -> None:
    """Headers, hash and parsed fields of what came, under the number of the call and of the connection."""
    body = json.dumps(chat("token:abc123", model="m7", max_completion_tokens=5)).encode()
    with Client(upstream.port) as client:
        client.call("POST", CHAT, body, headers={"X-Odd": "Yes"})
    (call,) = upstream.statement.calls()
    assert (call.call, call.connection, call.method, call.target) == (1, 1, "POST", CHAT)
    assert (call.model, call.nonce, call.max_tokens, call.stream) == ("m7", "abc123", 5, False)
    assert call.body == body
    assert call.body_sha256 == hashlib.sha256(body).hexdigest()
    assert ("X-Odd", "Yes") in call.headers
    assert call.header("x-odd") == "Yes"


def test_the_statement_is_a_file_that_others_can_follow(tmp_path: Path) -> None:
    """Another reader sees each record as it is appended, and all of them after the end."""
    log = tmp_path / "log.jsonl"
    reader = Statement(log, write=False)
    assert reader.records() == []
    with FakeUpstream(log=log) as upstream, Client(upstream.port) as client:
        client.call("POST", CHAT, chat())
        reader.wait_for(lambda s: len(s.outcomes()) == 1)
    reader.wait_for(lambda s: s.open_connections == 0)
    assert reader.records() == Statement(log, write=False).records()


def test_exact_bytes_at_any_cut(upstream: FakeUpstream) -> None:
    """A response that is sent in pieces arrives as it was, piece by piece."""
    raw = wire.http_response(200, [("a", "b")], b"hello")
    upstream.queue(Script(pieces(raw, range(len(raw)), 0.002)))
    seen: list[bytes] = []
    with Client(upstream.port) as client:
        client.request("POST", CHAT, chat())
        while len(b"".join(seen)) < len(raw):
            seen.append(client.socket.recv(1000))
    assert b"".join(seen) == raw
    assert len(seen) > len(raw) // 2
    assert ended(upstream.statement).sent == len(raw)


ENDINGS = [(Fin(), True, "fin"), (Cut(), True, "fin"), (Rst(), False, "reset")]


@pytest.mark.parametrize(("end", "in_order", "how"), ENDINGS)
def test_endings(upstream: FakeUpstream, end: Step, in_order: bool, how: str) -> None:
    """FIN and RST are what the peer sees, after the bytes that went before."""
    upstream.queue(Script([Send(b"HTTP/1.1 200 OK\r\n"), Sleep(0.05), end]))
    with Client(upstream.port) as client:
        client.request("POST", CHAT, chat())
        assert client.wait_ended() is in_order
        assert bytes(client.buffer) == b"HTTP/1.1 200 OK\r\n"
    assert ended(upstream.statement).ended == how


@pytest.mark.parametrize("leave", ["close", "half_close", "reset"])
def test_a_peer_that_leaves_is_noted(upstream: FakeUpstream, leave: str) -> None:
    """While a script stalls, any way of leaving ends it, with the byte and the moment."""
    upstream.queue(Script([Send(b"12345", tokens=3), Stall()]))
    with Client(upstream.port) as client:
        client.request("POST", CHAT, chat())
        assert client.wait_readable(5)
        before = time.monotonic_ns()
        getattr(client, leave)()
        outcome = ended(upstream.statement)
    assert (outcome.ended, outcome.sent, outcome.tokens) == ("peer_left", 5, 3)
    assert before <= outcome.at_ns
    upstream.statement.wait_for(lambda s: s.open_connections == 0)
    assert upstream.statement.disconnected()[0].by_peer


def test_leaving_may_be_part_of_the_plan(upstream: FakeUpstream) -> None:
    """WaitGone completes when the peer leaves."""
    upstream.queue(Script([Send(b"x"), WaitGone()]))
    with Client(upstream.port) as client:
        client.request("POST", CHAT, chat())
        assert client.wait_readable(5)
    assert ended(upstream.statement).ended == "completed"


def test_a_slow_reader_holds_the_script_back(upstream: FakeUpstream) -> None:
    """Only what the kernel took counts as sent: a reader that does not read stops the script."""
    with Client(upstream.port, receive_buffer=4096) as client:
        client.request("POST", CHAT, chat('behave: {"name": "big_stream", "megabytes": 200}', stream=True))
        assert client.read_slowly(10_000, 0.5) > 0
    outcome = ended(upstream.statement)
    assert outcome.ended == "peer_left"
    assert 0 < outcome.sent < 20 << 20


def test_stopping_ends_what_is_going_on() -> None:
    """A stalled call is noted as stopped, and stopping twice is harmless."""
    upstream = FakeUpstream()
    upstream.queue(Script([Stall()]))
    with Client(upstream.port) as client:
        client.request("POST", CHAT, chat())
        upstream.statement.wait_for(lambda s: len(s.calls()) == 1)
        upstream.stop()
        upstream.stop()
        assert client.wait_ended() in (True, False)
    assert upstream.statement.outcomes()[0].ended == "stopped"
    assert upstream.statement.open_connections == 0


def test_refusing_and_accepting_again(upstream: FakeUpstream) -> None:
    """Refused connections fail at once; open ones go on; later the same port accepts."""
    with Client(upstream.port) as client:
        client.call("POST", CHAT, chat())
        upstream.refuse()
        with pytest.raises(ConnectionRefusedError):
            Client(upstream.port)
        assert client.call("POST", CHAT, chat()).status == 200
        upstream.drop()
        client.wait_ended()
    upstream.accept()
    with Client(upstream.port) as client:
        assert client.call("POST", CHAT, chat()).status == 200


def test_garbage_is_rejected_and_noted(upstream: FakeUpstream) -> None:
    """A gateway that sends a doubtful request is found out."""
    with Client(upstream.port) as client:
        client.send(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n")
        assert client.read().status == 400
        assert client.wait_ended()
    assert "Content-Length" in upstream.statement.rejected()[0].problem
    assert upstream.statement.calls() == []


def test_a_callable_chooses(upstream: FakeUpstream) -> None:
    """`behave` sees the request; when it fails, the answer and the statement say so."""
    upstream.behave = lambda request: Script([Send(wire.http_response(200, [], request.target.encode()))], name="mine")
    with Client(upstream.port) as client:
        assert client.call("GET", "/where").body == b"/where"
        upstream.behave = lambda request: 1 / 0  # type: ignore[return-value, assignment]
        client.request("GET", "/where")
        assert client.read().status == 500
    assert [one.behaviour for one in upstream.statement.calls()] == ["mine", "failed"]
    assert "ZeroDivisionError" in str(ended(upstream.statement, 2).problem)


def test_connection_close_is_honoured(upstream: FakeUpstream) -> None:
    """A request that asks to close gets an answer and then the end."""
    with Client(upstream.port) as client:
        assert client.call("POST", CHAT, chat(), headers={"connection": "close"}).complete
        assert client.wait_ended()


def test_an_early_answer_comes_before_the_body(upstream: FakeUpstream) -> None:
    """By model or by path, a 400 is sent while most of the body is still to come, and the connection is not kept."""
    model = build("POST", CHAT, chat("x" * 500_000, model="fault-early-400-before-body"))
    path = build("POST", f"/behave/early_400_before_body{CHAT}", chat("x" * 500_000))
    for raw in (model, path):
        with Client(upstream.port) as client:
            client.send(raw[:5000])
            assert client.read().status == 400
    assert [one.complete for one in upstream.statement.calls()] == [False, False]


def test_unix_socket(tmp_path: Path) -> None:
    """The same upstream answers on a Unix socket too."""
    path = tmp_path / "up.sock"
    with FakeUpstream(unix=path) as upstream, Client(upstream.port, unix=str(path)) as client:
        assert client.call("POST", CHAT, chat()).status == 200


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    command += ["-keyout", str(key), "-out"]
    subprocess.run([*command, str(certificate)], check=True, capture_output=True)
    return certificate, key


def test_tls(certificate: tuple[Path, Path]) -> None:
    """Over TLS it answers, says goodbye with Fin, and does not with Cut."""
    context = ssl.create_default_context(cafile=str(certificate[0]))
    with FakeUpstream(tls=certificate) as upstream:
        assert upstream.url.startswith("https://")
        with Client(upstream.port, tls=context) as client:
            assert client.call("POST", CHAT, chat()).status == 200
            upstream.queue(Script([Send(b"x"), Fin()]))
            client.request("POST", CHAT, chat())
            assert client.wait_ended()
        upstream.queue(Script([Send(b"x"), Cut()]))
        with Client(upstream.port, tls=context) as client:
            client.request("POST", CHAT, chat())
            assert not client.wait_ended()
            assert bytes(client.buffer) == b"x"
