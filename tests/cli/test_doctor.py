"""`encke doctor`, in front of what it has to find."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import threading
import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest

from encke.testing.upstream import FakeUpstream
from tests.cli.conftest import Run
from tests.support.gateway import Gateway, lab, to_toml
from tests.support.operate import encke as beside

SECRET = "sk-a-secret-that-nobody-prints-000"


class Canned:
    """A server that answers every connection's first request with these bytes."""

    def __init__(self, answer: bytes) -> None:
        self.asked: list[bytes] = []
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                with peer:
                    self.asked.append(peer.recv(65536))
                    peer.sendall(self._answer)

    def __enter__(self) -> Canned:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)


def answer(status: str, date: float = 0.0) -> bytes:
    """An answer of a server whose clock is `date` seconds ahead."""
    stamp = formatdate(time.time() + date, usegmt=True)
    return f"HTTP/1.1 {status}\r\ndate: {stamp}\r\ncontent-length: 0\r\n\r\n".encode()


def written(folder: Path, provider: dict[str, Any], **more: Any) -> Path:
    """A settings file with one provider."""
    given = {"dialect": "openai_chat", "allow_private": True, "api_key": SECRET, **provider}
    file = folder / "d.toml"
    file.write_text(
        to_toml({"providers": {"lab": given}, "local": {"enabled": False}, "server": {"listen": "127.0.0.1:0"}, **more})
    )
    return file


def findings(output: str, area: str) -> list[dict[str, str]]:
    """Those of one area."""
    return [one for one in json.loads(output)["findings"] if one["area"] == area]


def test_all_is_well(encke: Run, tmp_path: Path) -> None:
    """A provider that answers, a folder to be made: exit status 0, and in words too. No secret."""
    with FakeUpstream() as upstream:
        file = written(tmp_path, {"base_url": f"{upstream.url}/v1"})
        done = encke("doctor", "--json", "--config", str(file))
        said = encke("doctor", "--config", str(file))
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["errors"] == 0
    (found,) = findings(done.output, "upstream")
    assert found["level"] == "ok" and "key accepted" in found["text"]
    assert said.exit_code == 0 and "0 errors" in said.output and "lab: name" in said.output
    assert SECRET not in done.output + said.output


ANSWERS = {
    "401 Unauthorized": ("error", "key refused"),
    "403 Forbidden": ("error", "key refused"),
    "404 Not Found": ("warning", "no list of models"),
    "429 Too Many Requests": ("warning", "over its limit"),
    "500 Internal Server Error": ("error", "answers 500"),
    "302 Found": ("warning", "answers 302"),
}


@pytest.mark.parametrize("status", ANSWERS)
def test_what_a_provider_answers(encke: Run, tmp_path: Path, status: str) -> None:
    """Each answer to the list of models means something for the key; errors are the exit status."""
    level, words = ANSWERS[status]
    with Canned(answer(status)) as server:
        done = encke(
            "doctor", "--json", "--config", str(written(tmp_path, {"base_url": f"http://127.0.0.1:{server.port}/v1"}))
        )
    (found,) = findings(done.output, "upstream")
    assert (found["level"], words in found["text"]) == (level, True) and found["todo"]
    assert done.exit_code == (1 if level == "error" else 0)
    assert server.asked[0].startswith(b"GET /v1/models HTTP/1.1\r\n") and SECRET.encode() in server.asked[0]
    assert SECRET not in done.output


def test_what_is_no_provider(encke: Run, tmp_path: Path) -> None:
    """Nobody there, no such name, no HTTP, no TLS: each step that failed is named."""
    with Canned(b"SSH-2.0-x\r\n") as server, socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
        nobody.close()
        cases = {
            f"http://127.0.0.1:{port}/v1": "no connection",
            "http://no-such-name.invalid/v1": "cannot be resolved",
            f"http://127.0.0.1:{server.port}/v1": "does not answer",
            f"https://127.0.0.1:{server.port}/v1": "TLS failed",
        }
        for url, words in cases.items():
            done = encke("doctor", "--json", "--config", str(written(tmp_path, {"base_url": url})))
            (found,) = findings(done.output, "upstream")
            assert found["level"] == "error" and words in found["text"] and found["todo"], url
            assert done.exit_code == 1


def test_several_credentials(encke: Run, tmp_path: Path) -> None:
    """Each is tried, and told with its own steps."""
    with Canned(answer("401 Unauthorized")) as server:
        credentials = [{"api_key": f"{SECRET}-{n}", "name": f"team-{n}"} for n in range(2)]
        provider = {"dialect": "openai_chat", "allow_private": True, "base_url": f"http://127.0.0.1:{server.port}/v1"}
        file = tmp_path / "c.toml"
        file.write_text(
            to_toml({"providers": {"lab": {**provider, "credentials": credentials}}, "local": {"enabled": False}})
        )
        done = encke("doctor", "--json", "--config", str(file))
    found = findings(done.output, "upstream")
    assert ["team-0" in found[0]["text"], "team-1" in found[1]["text"]] == [True, True]
    assert [one["text"].count("answer") for one in found] == [1, 1]


def test_certificates(encke: Run, tmp_path: Path) -> None:
    """One that nobody trusts; the same, trusted, which ends soon."""
    pem, key = tmp_path / "c.pem", tmp_path / "k.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", str(key), "-out", str(pem)]
    more = ["-days", "3", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    if subprocess.run([*make, *more], capture_output=True, check=False).returncode:
        pytest.skip("openssl cannot make a certificate here")
    with FakeUpstream(tls=(pem, key)) as upstream:
        url = f"https://localhost:{upstream.port}/v1"
        done = encke("doctor", "--json", "--config", str(written(tmp_path, {"base_url": url})))
        (found,) = findings(done.output, "upstream")
        assert found["level"] == "error" and "not trusted" in found["text"]
        done = encke("doctor", "--json", "--config", str(written(tmp_path, {"base_url": url, "ca_file": str(pem)})))
        first, second = findings(done.output, "upstream")
        assert first["level"] == "warning" and "days only" in first["text"] and second["level"] == "ok"
    (own,) = [one for one in findings(done.output, "certificates") if "for lab" in one["text"]]
    assert own["text"].startswith("1 for lab")


@pytest.mark.parametrize(("ahead", "level"), [(60.0, "warning"), (-60.0, "warning"), (0.0, "ok")])
def test_the_clock(encke: Run, tmp_path: Path, ahead: float, level: str) -> None:
    """Against the providers' `Date`."""
    with Canned(answer("200 OK", ahead)) as server:
        done = encke(
            "doctor", "--json", "--config", str(written(tmp_path, {"base_url": f"http://127.0.0.1:{server.port}/v1"}))
        )
    (found,) = findings(done.output, "clock")
    assert found["level"] == level and done.exit_code == 0


def test_the_port_for_operators(encke: Run, tmp_path: Path) -> None:
    """It is looked at where there is one of its own: taken by another program, or the same as that of the API."""
    file = tmp_path / "d.toml"
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        for listen, words in (("0.0.0.0:0", "is taken"), ("127.0.0.1:0", "is free")):
            file.write_text(to_toml({"server": {"listen": listen, "admin_listen": f"127.0.0.1:{port}"}}))
            (found,) = findings(encke("doctor", "--json", "--no-network", "--config", str(file)).output, "port")
            assert words in found["text"]
    file.write_text(to_toml({"server": {"listen": f"0.0.0.0:{port}", "admin_listen": f"127.0.0.1:{port}"}}))
    (found,) = findings(encke("doctor", "--json", "--no-network", "--config", str(file)).output, "port")
    assert found["level"] == "error" and "server.listen already" in found["text"]


def test_bad_settings_do_not_end_it(encke: Run, tmp_path: Path) -> None:
    """They are findings, and what does not need them is looked at all the same."""
    file = tmp_path / "d.toml"
    file.write_text("[routng]\nretries = 1\n[server]\nworkers = 0\n")
    done = encke("doctor", "--json", "--config", str(file))
    assert done.exit_code == 1 and len(findings(done.output, "settings")) == 2
    assert (
        findings(done.output, "database") and findings(done.output, "python") and not findings(done.output, "upstream")
    )


def test_a_folder_in_a_bad_state(encke: Run, tmp_path: Path, data: Path) -> None:
    """Open to others, a damaged database, a damaged model, a port that is taken."""
    data.mkdir()
    data.chmod(0o755)
    (data / "replies").mkdir()
    (data / "replies" / "one").write_bytes(b"x" * 500_000)
    (data / "encke.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        (tmp_path / "mine.gguf").write_bytes(b"no model")
        file = tmp_path / "d.toml"
        file.write_text(to_toml({"server": {"listen": listen}, "local": {"model": str(tmp_path / "mine.gguf")}}))
        done = encke("doctor", "--json", "--no-network", "--config", str(file))
    levels = {area: findings(done.output, area)[-1]["level"] for area in ("data", "database", "model", "port")}
    assert levels == {"data": "warning", "database": "error", "model": "error", "port": "error"}
    (kept,) = findings(done.output, "replies")
    assert kept["level"] == "note" and "1 answers" in kept["text"] and "0.5 MiB" in kept["text"]


def test_beside_a_running_gateway(tmp_path: Path) -> None:
    """Its state, its port, what is not in use yet; a file that it would refuse is an error."""
    with FakeUpstream() as upstream, Gateway(tmp_path, {**lab(upstream.url), "local": {"enabled": False}}) as gateway:
        done = beside(gateway, "doctor", "--json", "--config", str(gateway.config))
        assert done.returncode == 0, done.stdout
        (found,) = findings(done.stdout, "gateway")
        assert f"process {gateway.pids('supervisor')[0]}" in found["text"]
        assert "running gateway's" in findings(done.stdout, "port")[0]["text"]
        assert "running gateway" in findings(done.stdout, "compiled")[0]["text"]
        elsewhere = beside(gateway, "doctor", "--json", "--no-network", ENCKE_LISTEN="127.0.0.1:1")
        (found,) = findings(elsewhere.stdout, "port")
        assert found["level"] == "note" and f":{gateway.port}," in found["text"] and "127.0.0.1:1" in found["text"]
        assert findings(done.stdout, "database")[0]["level"] == "ok"
        gateway.config.write_text(gateway.config.read_text() + "[routing]\nretries = 9\n")
        assert (
            "1 settings"
            in findings(beside(gateway, "doctor", "--json", "--config", str(gateway.config)).stdout, "settings")[-1][
                "text"
            ]
        )
        gateway.config.write_text("[[[")
        done = beside(gateway, "doctor", "--json", "--config", str(gateway.config))
        assert done.returncode == 1 and "would fail" in done.stdout
        assert os.path.exists(gateway.data / "run.json")
