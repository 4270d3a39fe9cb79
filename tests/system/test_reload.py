"""Settings read again by a running gateway: nothing is dropped, nothing half taken, nothing leaks."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from encke.admin.context import AdminError
from encke.testing.process import UpstreamProcess
from tests.conftest import Count, Size
from tests.support.census import descriptors as census
from tests.support.client import Client, chat
from tests.support.gateway import KEY, Gateway, lab
from tests.support.operate import descriptors, encke, events, order, resident
from tests.system.test_processes import Load, check_ledger

SLOW = 'behave: {"name": "slow_chunks", "chunks": 60, "interval": 0.05}'


@pytest.fixture
def upstreams(tmp_path: Path) -> Iterator[list[UpstreamProcess]]:
    """Two providers."""
    with UpstreamProcess(tmp_path / "a") as first, UpstreamProcess(tmp_path / "b") as second:
        yield [first, second]


def settings(upstream: UpstreamProcess, workers: int = 2, **more: Any) -> dict[str, Any]:
    """A gateway with one provider, `lab`, on a free port."""
    server = {"workers": workers, "listen": "127.0.0.1:0", **more.pop("server", {})}
    return {**lab(upstream.url, **more.pop("lab", {})), "local": {"enabled": False}, "server": server, **more}


def calls(upstream: UpstreamProcess) -> int:
    """How many calls a provider has had."""
    return len(upstream.statement.calls())


def test_calls_under_way_end_with_the_old_settings(tmp_path: Path, upstreams: list[UpstreamProcess]) -> None:
    """Forty streams run on while the provider's address changes under them; calls begun after it go to the new one."""
    old, new = upstreams
    with Gateway(tmp_path / "g", settings(old)) as gateway:
        clients = [gateway.client(timeout=30) for _ in range(40)]
        for client in clients:
            client.request("POST", "/v1/chat/completions", chat(SLOW, "lab/m", stream=True), key=KEY)
        heads = [client.read_head() for client in clients]
        gateway.write_config(settings(new, routing={"retries": 1}))
        done = encke(gateway, "config", "reload")
        assert done.returncode == 0, done.stderr
        assert "generation 2, 2 workers" in done.stdout
        assert "routing.retries" in done.stdout and "providers.lab.base_url" in done.stdout
        before = calls(old)
        assert all(gateway.chat(chat("hello", "lab/m")).status == 200 for _ in range(20))
        assert calls(old) == before and calls(new) == 20
        for client, head in zip(clients, heads, strict=True):
            assert list(client.events(head))[-1] == "[DONE]"
        # The same connections, kept alive, see the new settings too.
        for client in clients:
            assert client.call("POST", "/v1/chat/completions", chat("hello", "lab/m"), key=KEY).status == 200
            client.close()
        assert calls(old) == before and calls(new) == 60
        gateway.wait_for(lambda: not connections(gateway, old.port), 30, "connections to the old provider are left")


def connections(gateway: Gateway, port: int) -> int:
    """Connections of the workers to a provider's port."""
    inodes = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[2].rpartition(":")[2], 16) == port and fields[3] == "01":
            inodes.add(f"socket:[{fields[9]}]")
    held = (fd for pid in gateway.pids("worker") for fd in census(pid).values())
    return sum(name in inodes for name in held)


BAD = {
    "syntax": ("[server\n", "not valid TOML"),
    "unknown setting": ("[routing]\nretrys = 1\n", 'did you mean "retries"'),
    "missing variable": ('[providers.lab]\napi_key = "${NOT_THERE}"\n', "NOT_THERE"),
    "unknown provider": ('[models.fast]\ntargets = [{ provider = "nobody", model = "m" }]\n', "nobody"),
    "no file": (None, "no such file"),
    "no certificates": (
        '[providers.x]\ndialect = "openai_chat"\nbase_url = "https://x.example/v1"\nca_file = "encke.toml"\n',
        "holds no certificates",
    ),
    "a log that cannot be written": ('[log]\naccess = "/dev/null/access.log"\n', "log.access"),
    "a model that needs a restart": (
        '[local]\nenabled = true\n[models.fast]\ntargets = [{ provider = "local", model = "local" }]\n',
        "local.enabled",
    ),
}


def test_a_bad_file_leaves_the_old_settings(tmp_path: Path, upstreams: list[UpstreamProcess]) -> None:
    """Whatever is wrong with it is told to the command (status 1) and to the log, and calls are answered as before."""
    with Gateway(tmp_path / "g", settings(upstreams[0], 1)) as gateway:
        good = gateway.config.read_text()
        for count, (name, (text, said)) in enumerate(BAD.items(), 1):
            gateway.config.unlink(missing_ok=True)
            if text is not None:
                gateway.config.write_text(text)
            with pytest.raises(AdminError) as refused:
                order(gateway, "config.reload")
            assert said in str(refused.value), name
            with pytest.raises(AdminError):
                order(gateway, "config.plan")
            assert len(events(gateway, "config_refused")) == count
            assert said in " ".join(events(gateway, "config_refused")[-1]["problems"]).replace('\\"', '"')
            assert gateway.chat(chat("hello", "lab/m")).status == 200, name
        done = encke(gateway, "config", "reload")
        assert done.returncode == 1 and "local.enabled" in done.stderr and "Traceback" not in done.stderr
        gateway.config.write_text(good)
        assert order(gateway, "config.reload")["generation"] == 2
        assert "sk-upstream" not in gateway.log


def test_what_needs_a_restart_is_named(tmp_path: Path, upstreams: list[UpstreamProcess]) -> None:
    """It stays as it was, and the rest is taken; `plan` says both before, `show` what is in use after. No secrets."""
    with Gateway(tmp_path / "g", settings(upstreams[0], 1)) as gateway:
        assert encke(gateway, "config", "plan").stdout == "Nothing would change.\n"
        new = settings(upstreams[0], 3, routing={"retries": 5}, lab={"api_key": "sk-other"})
        gateway.write_config({**new, "store": {"journal_segment": 1 << 20}})
        planned = encke(gateway, "config", "plan").stdout
        assert order(gateway, "config.show")["generation"] == 1
        done = encke(gateway, "config", "reload")
        assert done.returncode == 0
        for text in (planned, done.stdout):
            stays = text.partition("These")[2]
            assert "server.workers" in stays and "store.journal_segment" in stays and "retries" not in stays
            assert 'providers.lab.api_key  "***"' in text and "sk-other" not in text
        shown = encke(gateway, "config", "show").stdout
        assert "generation 2" in shown and "routing.retries = 5\n" in shown and "server.workers = 1\n" in shown
        assert 'providers.lab.api_key = "***"' in shown and "sk-" not in shown
        assert gateway.chat(chat("hello", "lab/m")).status == 200
        assert "sk-other" not in gateway.log
    shown = encke(gateway, "config", "show", "--config", str(gateway.config)).stdout
    assert "as a start would have" in shown and "server.workers = 3\n" in shown


def test_a_signal_and_a_worker_that_dies(tmp_path: Path, upstreams: list[UpstreamProcess]) -> None:
    """SIGHUP reloads too; a worker that is started again afterwards has the new settings."""
    old, new = upstreams
    with Gateway(tmp_path / "g", settings(old, 2)) as gateway:
        gateway.write_config(settings(new, 2))
        gateway.process.send_signal(signal.SIGHUP)
        gateway.wait_for(lambda: events(gateway, "config_reloaded"), 30, "no reload")
        for index in range(2):
            gateway.replace("worker", index)
        gateway.wait_for(gateway._ready, 30, "no workers")
        assert all(gateway.chat(chat("hello", "lab/m")).status == 200 for _ in range(10))
        assert calls(old) == 0 and calls(new) == 10


def test_many_at_once_under_load_while_workers_die(tmp_path: Path, upstreams: list[UpstreamProcess]) -> None:
    """Reloads from eight sides, calls, and kills of workers: every reload is answered, every call recorded."""
    generations: list[int] = []
    problems: list[str] = []

    def ask() -> None:
        for _ in range(6):
            try:
                generations.append(order(gateway, "config.reload")["generation"])
            except AdminError as error:
                problems.append(str(error))

    with Gateway(tmp_path / "g", settings(upstreams[0])) as gateway, Load(gateway.port, 8) as load:
        gateway.wait_for(lambda: len(load.complete) > 50, 30, "no load")
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for round in range(4):
            time.sleep(0.15)
            gateway.write_config(settings(upstreams[round % 2]))
            gateway.replace("worker", round % 2)
        for thread in threads:
            thread.join(60)
        assert sorted(generations) == list(range(2, 2 + len(generations)))
        assert len(generations) == 48 and problems == []
        gateway.wait_for(gateway._ready, 30, "not ready")
        load.stop()
        assert set(load.statuses) <= {200, 503}
        check_ledger(gateway, load)


def test_a_stopped_worker_does_not_hold_the_gateway(tmp_path: Path, upstreams: list[UpstreamProcess]) -> None:
    """A worker that answers nothing (stopped) and is killed then: the reload goes on with the others."""
    with Gateway(tmp_path / "g", settings(upstreams[0])) as gateway:
        gateway.wait_for(lambda: order(gateway, "config.reload")["workers"] == 2, 30, "not both workers are there")
        stuck = gateway.kill("worker", 0, signal.SIGSTOP)
        threading.Timer(1.0, os.kill, (stuck, signal.SIGKILL)).start()
        assert order(gateway, "config.reload")["workers"] == 1


def test_breakers_of_unchanged_targets_stay(tmp_path: Path, upstreams: list[UpstreamProcess]) -> None:
    """What was learnt of a target holds over a reload that does not touch it; another credential begins anew."""
    with Gateway(tmp_path / "g", settings(upstreams[0], 1, routing={"retries": 0})) as gateway:
        broken = chat('behave: {"name": "500"}', "lab/m")
        for _ in range(25):
            gateway.chat(broken)
        assert gateway.chat(chat("hello", "lab/m")).status == 503
        gateway.write_config(settings(upstreams[0], 1, routing={"retries": 1}, timeouts={"idle": 60}))
        order(gateway, "config.reload")
        assert gateway.chat(chat("hello", "lab/m")).status == 503
        gateway.write_config(settings(upstreams[0], 1, lab={"api_key": "sk-another"}))
        order(gateway, "config.reload")
        assert gateway.chat(chat("hello", "lab/m")).status == 200


def test_limits_and_the_log_change_over(tmp_path: Path, upstreams: list[UpstreamProcess]) -> None:
    """Limits hold for connections that are open already; a log that was moved away is opened anew."""
    access = tmp_path / "access.log"
    with Gateway(tmp_path / "g", settings(upstreams[0], 1, log={"access": str(access)})) as gateway:
        with gateway.client() as client:
            body = chat("x" * 5000, "lab/m")
            assert client.call("POST", "/v1/chat/completions", body, key=KEY).status == 200
            access.rename(tmp_path / "access.1")
            gateway.write_config(settings(upstreams[0], 1, log={"access": str(access)}, server={"max_body": 4096}))
            order(gateway, "config.reload")
            assert client.call("POST", "/v1/chat/completions", body, key=KEY).status == 413
        gateway.wait_for(lambda: len(access.read_text().splitlines()) == 1, 30, "no line in the new file")
        assert len((tmp_path / "access.1").read_text().splitlines()) == 1


def test_the_process_log_changes_over(tmp_path: Path, upstreams: list[UpstreamProcess]) -> None:
    """Lines become text, and what is in order is left out, in every process."""
    with Gateway(tmp_path / "g", settings(upstreams[0], 1)) as gateway:
        gateway.write_config(settings(upstreams[0], 1, log={"format": "text", "level": "warning"}))
        order(gateway, "config.reload")
        order(gateway, "config.reload")
        gateway.kill("worker")
        gateway.wait_for(lambda: " ERROR supervisor[" in gateway.log, 30, "no line of text")
        assert "child_ended child=worker" in gateway.log and "config_reloaded" not in gateway.log


def test_not_while_it_stops(tmp_path: Path, upstreams: list[UpstreamProcess]) -> None:
    """During the drain a reload is refused, and the drain goes on."""
    gateway = Gateway(tmp_path / "g", settings(upstreams[0], 1, server={"grace": 20}))
    with Client(gateway.port, timeout=30) as client:
        client.request("POST", "/v1/chat/completions", chat(SLOW, "lab/m", stream=True), key=KEY)
        head = client.read_head()
        gateway.process.send_signal(signal.SIGTERM)
        gateway.wait_for(lambda: "Stopping" in gateway.log, 30, "it does not stop")
        with pytest.raises(AdminError, match=r"is stopping|broke off"):
            order(gateway, "config.reload")
        assert list(client.events(head))[-1] == "[DONE]"
    assert gateway.process.wait(30) == 0


def test_a_thousand_reloads_leak_nothing(
    tmp_path: Path, upstreams: list[UpstreamProcess], size: Size, count: Count
) -> None:
    """With calls in between, each to another provider: descriptors and memory are as after the first few."""
    with Gateway(tmp_path / "g", settings(upstreams[0], 1)) as gateway:
        pids = [*gateway.pids("supervisor"), *gateway.pids("worker")]

        def reload(times: int) -> None:
            for number in range(times):
                gateway.write_config(settings(upstreams[number % 2], 1, routing={"retries": number % 3}))
                order(gateway, "config.reload")
                if number % 5 == 0:
                    assert gateway.chat(chat("hello", "lab/m")).status == 200

        reload(30)
        time.sleep(0.5)
        before = [(descriptors(pid), resident(pid)) for pid in pids]
        reloads = size(150, soak=1000)
        reload(reloads)
        time.sleep(0.5)
        after = [(descriptors(pid), resident(pid)) for pid in pids]
        grown = [f"{(new[1] - old[1]) // 1024} KiB" for old, new in zip(before, after, strict=True)]
        count(f"reloads: {reloads}; supervisor and worker grew by {' and '.join(grown)}")
        for (fds, memory), (more_fds, more_memory) in zip(before, after, strict=True):
            assert more_fds <= fds + 2
            assert more_memory <= memory + (4 << 20)
