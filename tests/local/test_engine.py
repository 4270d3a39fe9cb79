from __future__ import annotations

import json
import os
import signal
import socket
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from encke.local.engine import LOAD_FAILED
from encke.local.spawn import probe

pytest.importorskip("xllamacpp")

_SECONDS = 240
CAPITAL = [{"role": "user", "content": "What is the capital of France? One word."}]
LONG = [{"role": "user", "content": "Count from 1 to 1000, all of them."}]


def send(engine: Any, path: str, body: dict[str, Any], key: str | None = None) -> socket.socket:
    """A connection on which the request has been sent."""
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_SECONDS)
    connection.connect(engine.settings.socket)
    data = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: e\r\nAuthorization: Bearer {key or engine.settings.api_key}\r\n"
    connection.sendall(f"{head}Connection: close\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    return connection


def ask(engine: Any, path: str, body: dict[str, Any], key: str | None = None) -> tuple[int, str]:
    """Status and body (chunk framing left in, for streams) of one whole exchange."""
    with send(engine, path, body, key) as connection:
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    head, _, rest = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), rest.decode()


@pytest.mark.model
def test_it_answers(engine: Any) -> None:
    """A plain chat completion is right, carries usage, and names the model as callers know it."""
    status, body = ask(engine, "/v1/chat/completions", {"messages": CAPITAL, "max_tokens": 8, "temperature": 0})
    reply = json.loads(body)
    assert status == 200
    assert "Paris" in reply["choices"][0]["message"]["content"]
    assert reply["model"] == "local"
    assert reply["usage"]["completion_tokens"] > 0


@pytest.mark.model
def test_it_completes_text(engine: Any) -> None:
    """The older completions route works too."""
    status, body = ask(engine, "/v1/completions", {"prompt": "one, two, three,", "max_tokens": 4, "temperature": 0})
    assert status == 200
    assert "four" in json.loads(body)["choices"][0]["text"]


def vectors(engine: Any, texts: list[str]) -> list[list[float]]:
    status, text = ask(engine, "/v1/embeddings", {"model": "local", "input": texts})
    assert status == 200, text
    reply = json.loads(text)
    assert reply["usage"]["prompt_tokens"] >= len(texts)
    assert [item["index"] for item in reply["data"]] == list(range(len(texts)))
    return [item["embedding"] for item in reply["data"]]


def likeness(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


@pytest.mark.model
def test_it_makes_vectors(engine: Any) -> None:
    """Of length 1; texts of the same meaning are nearer to each other than to others, and a long text is taken in
    pieces (it is more than one batch)."""
    cat, kitten, stocks = vectors(
        engine, ["The cat sits on the mat.", "A kitten is resting on the rug.", "Stock markets fell sharply today."]
    )
    assert all(abs(likeness(one, one) - 1) < 1e-3 for one in (cat, kitten, stocks))
    assert likeness(cat, kitten) > 0.7 > likeness(cat, stocks) + 0.3
    (long,) = vectors(engine, ["word " * 400])
    assert len(long) == len(cat)


@pytest.mark.model
def test_vectors_do_not_disturb_answers(engine: Any) -> None:
    """A chat that runs while vectors are made, in the same slot before and after: the same answer, the same vectors."""
    body = {"messages": CAPITAL, "max_tokens": 8, "temperature": 0}
    before = vectors(engine, ["one text", "and another"])
    with send(engine, "/v1/chat/completions", body) as connection:
        among = vectors(engine, ["one text", "and another"])
        data = b""
        while chunk := connection.recv(65536):
            data += chunk
    assert "Paris" in json.loads(data.partition(b"\r\n\r\n")[2])["choices"][0]["message"]["content"]
    for one, other in zip(before, among, strict=True):
        assert likeness(one, other) > 0.999
    assert "Paris" in json.loads(ask(engine, "/v1/chat/completions", body)[1])["choices"][0]["message"]["content"]


@pytest.mark.model
def test_too_long_a_text_is_refused_as_a_prompt_is(engine: Any) -> None:
    """With the same type of error."""
    status, text = ask(engine, "/v1/embeddings", {"input": "hello " * 600})
    assert status == 400 and json.loads(text)["error"]["type"] == "exceed_context_size_error"


@pytest.mark.model
def test_a_stream_ends_with_usage_and_done(engine: Any) -> None:
    """With include_usage, the last event before [DONE] has the usage and no choices."""
    body = {"messages": CAPITAL, "max_tokens": 8, "stream": True, "stream_options": {"include_usage": True}}
    status, text = ask(engine, "/v1/chat/completions", body)
    events = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    assert status == 200
    assert events[-1] == "[DONE]"
    last = json.loads(events[-2])
    assert last["choices"] == [] and last["usage"]["prompt_tokens"] > 0


@pytest.mark.model
def test_a_schema_binds_the_answer(engine: Any) -> None:
    """response_format json_schema gives JSON of that shape."""
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    body = {"messages": CAPITAL, "max_tokens": 40, "temperature": 0, "response_format": form}
    _, text = ask(engine, "/v1/chat/completions", body)
    assert set(json.loads(json.loads(text)["choices"][0]["message"]["content"])) == {"city"}


@pytest.mark.model
def test_too_long_a_prompt_is_a_400_of_its_own_type(engine: Any) -> None:
    """The gateway maps this type to context_length_exceeded; both numbers are there."""
    body = {"messages": [{"role": "user", "content": "hello " * 600}]}
    status, text = ask(engine, "/v1/chat/completions", body)
    error = json.loads(text)["error"]
    assert status == 400
    assert error["type"] == "exceed_context_size_error"
    assert error["n_prompt_tokens"] > error["n_ctx"] == 512


@pytest.mark.model
def test_nobody_else_gets_in(engine: Any) -> None:
    """Another key is refused; the socket and the log are this user's only."""
    status, _ = ask(engine, "/v1/chat/completions", {"messages": CAPITAL}, key="wrong")
    assert status == 401
    assert stat.S_IMODE(os.stat(engine.settings.socket).st_mode) & 0o077 == 0
    assert stat.S_IMODE(os.stat(engine.settings.log).st_mode) == 0o600


@pytest.mark.model
def test_a_client_that_leaves_frees_its_slot(engine: Any) -> None:
    """The engine's log tells that the abandoned call was cancelled, and the only slot serves the next one."""
    log = Path(engine.settings.log)
    before = log.read_text().count("cancel task")
    with send(engine, "/v1/chat/completions", {"messages": LONG, "max_tokens": 450, "stream": True}) as connection:
        assert connection.recv(20).startswith(b"HTTP/1.1 200")
    status, _ = ask(engine, "/v1/chat/completions", {"messages": CAPITAL, "max_tokens": 2})
    assert status == 200
    # Of an earlier call the line may come late, too.
    assert log.read_text().count("cancel task") > before


@pytest.mark.model
def test_no_prompt_and_no_key_reaches_the_log(engine: Any) -> None:
    """What callers say is theirs."""
    ask(engine, "/v1/chat/completions", {"messages": [{"role": "user", "content": "xyzzy-secret"}], "max_tokens": 1})
    log = Path(engine.settings.log).read_text()
    assert "ready" in log
    assert "xyzzy" not in log and engine.settings.api_key not in log


@pytest.mark.model
def test_it_ends_with_its_supervisor(start_engine: Callable[[Path], Any], weights_file: Path) -> None:
    """A closed pipe ends it, and so it does while the model still loads; Ctrl-C alone does not."""
    running = start_engine(weights_file).wait_ready()
    running.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert probe(running.settings)
    running.leave()
    running.process.wait(30)
    loading = start_engine(weights_file)
    while "loading" not in _text(loading.settings.log).rsplit("ready", 1)[-1]:
        time.sleep(0.01)
    loading.leave()
    assert loading.process.wait(30) == -signal.SIGIO or sys.platform != "linux"


@pytest.mark.model
def test_sigterm_ends_it_at_once(start_engine: Callable[[Path], Any], weights_file: Path) -> None:
    """Even with a call running."""
    running = start_engine(weights_file).wait_ready()
    with send(running, "/v1/chat/completions", {"messages": LONG, "max_tokens": 450, "stream": True}) as connection:
        connection.recv(20)
        running.process.terminate()
        assert running.process.wait(30) == -signal.SIGTERM


def test_a_broken_model_is_told_in_the_log(start_engine: Callable[[Path], Any], tmp_path: Path) -> None:
    """A file that only looks like a GGUF gives its own exit status and a reason."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF" + bytes(100))
    running = start_engine(broken)
    assert running.process.wait(30) == LOAD_FAILED
    assert "the model was not loaded" in _text(running.settings.log)


def test_an_engine_without_a_supervisor_does_not_start(start_engine: Callable[[Path], Any], tmp_path: Path) -> None:
    """If the pipe was closed before the engine looked, it ends too."""
    running = start_engine(tmp_path / "none.gguf")
    running.leave()
    assert running.process.wait(30) in (0, -signal.SIGIO)


def _text(path: str) -> str:
    try:
        return Path(path).read_text()
    except FileNotFoundError:
        return ""
