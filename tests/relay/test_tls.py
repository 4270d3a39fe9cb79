"""A stream over TLS whose end is that of the connection: only TLS's goodbye tells that it was not cut."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from encke.testing import replay, wire
from encke.testing.script import Cut, Fin, Rst, Script, Send, Sleep, Step
from encke.testing.upstream import FakeUpstream
from tests.conftest import Count
from tests.relay.conftest import Start, provider
from tests.relay.ledger import lines
from tests.support.client import Response, chat
from tests.support.gateway import Gateway

STREAM = next(one for one in replay.examples() if one.id == "example-stream")
WITHOUT_DONE = STREAM.body[: STREAM.body.index(b"data: [DONE]")]


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    made, key = folder / "cert.pem", folder / "cert.key"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    command += ["-subj", "/CN=upstream", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*command, "-keyout", str(key), "-out", str(made)], check=True, capture_output=True)
    return made, key


@pytest.fixture(scope="module")
def secure(certificate: tuple[Path, Path]) -> Iterator[FakeUpstream]:
    """An upstream behind TLS."""
    with FakeUpstream(tls=certificate) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(secure: FakeUpstream, start: Start, certificate: tuple[Path, Path]) -> Gateway:
    """Trusts that certificate."""
    lab = provider(secure.url, dialect="openai_chat", ca_file=str(certificate[0]))
    return start({"providers": {"lab": lab}, "routing": {"breaker": "off", "retries": 0}})


def ask(gateway: Gateway, secure: FakeUpstream, body: bytes, *end: Step) -> tuple[Response, str]:
    """What comes of a stream without length, and the status of its entry."""
    secure.queue(Script([Send(wire.head(200, STREAM.headers) + body), Sleep(0.02), *end]))
    response = gateway.chat(chat("Hello", "lab/m", stream=True))
    return response, lines(gateway, response.header("x-request-id") or "")[-1].status


def test_a_goodbye_ends_a_stream(gateway: Gateway, secure: FakeUpstream) -> None:
    """Every choice had finished and the end was marked: only upstream's own end mark was missing."""
    response, status = ask(gateway, secure, WITHOUT_DONE, Fin())
    assert response.complete and response.body == WITHOUT_DONE + b"data: [DONE]\n\n" and status == "complete"


@pytest.mark.parametrize("how", [Cut(), Rst()], ids=["FIN without goodbye", "RST"])
def test_without_a_goodbye_it_was_cut(gateway: Gateway, secure: FakeUpstream, how: Step, count: Count) -> None:
    """Wherever it was, no end is made up: anybody on the way could have cut it."""
    ends = [found.end() for found in re.finditer(rb"\n\n", WITHOUT_DONE)]
    for at in (*ends, *(end - 1 for end in ends), len(WITHOUT_DONE) // 2):
        response, status = ask(gateway, secure, WITHOUT_DONE[:at], how)
        assert b"[DONE]" not in response.body and status in ("truncated", "uncertain"), (at, response, status)
        assert response.status == 502 or (not response.complete and b'"upstream_reset"' in response.body)
    count(f"endings (TLS, {type(how).__name__}): {2 * len(ends) + 1} cuts, no end made up")
