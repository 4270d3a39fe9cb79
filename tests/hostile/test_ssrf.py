"""No way to an address that is not a provider's: not by settings, DNS, redirects or a client's words."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import tomllib
from collections import Counter
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any, Self

import pytest
import uvloop

from encke.config.load import load
from encke.config.problems import ConfigError
from encke.core.faults import Fault
from encke.dialects.table import DIALECT_OPS
from encke.http.drive import Driver
from encke.http.pool import Endpoint, Pool
from encke.http.sweep import Sweeper
from encke.providers.presets import read_presets
from encke.providers.provider import Provider
from encke.providers.resolve import resolve
from encke.testing import wire
from encke.testing.script import Script, Send
from encke.testing.upstream import FakeUpstream
from tests.conftest import Count
from tests.hostile.conftest import settings
from tests.hostile.corpus import KEY
from tests.hostile.judge import check_envelope, check_upstream_request
from tests.hostile.judge import upstream as polite
from tests.support.client import Client
from tests.support.gateway import Gateway

DATA = tomllib.loads((Path(__file__).parent / "ssrf.toml").read_text("utf-8"))
HOSTS = [(row["group"], host) for row in DATA["hosts"] for host in row["hosts"]]
URLS = [(row["group"], url) for row in DATA["urls"] for url in row["urls"]]
REDIRECTS = list(product(DATA["redirects"]["statuses"], DATA["redirects"]["locations"]))
CLIENTS = [(kind, text) for kind, texts in DATA["clients"].items() for text in texts]
PRESETS = read_presets()


class Canary:
    """Listens on every address of this machine, IPv4 and IPv6; `touched` counts who came."""

    def __init__(self) -> None:
        self.touched = 0
        self._socket = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._count, daemon=True)

    def _count(self) -> None:
        while True:
            try:
                self._socket.accept()[0].close()
            except OSError:
                return
            self.touched += 1

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(10)


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    """Nobody may come, whatever the tests of this file do; that it can be reached is tried last."""
    with Canary() as listening:
        yield listening
        assert listening.touched == 0
        socket.create_connection(("127.0.0.1", listening.port)).close()
        for _ in range(200):
            if listening.touched:
                break
            threading.Event().wait(0.02)
        assert listening.touched == 1, "the canary hears nothing"


class Stubbed(uvloop.Loop):
    """An event loop that notes who is connected to and connects to nobody; `answers` is what DNS says, if it is not
    to be asked."""

    def __init__(self) -> None:
        super().__init__()
        self.dialled: list[str] = []
        self.looked_up = 0
        self.answers: list[str] | None = None

    async def getaddrinfo(self, host: Any, port: Any, **more: Any) -> Any:
        """Real, or the answers."""
        self.looked_up += 1
        if self.answers is None:
            return await super().getaddrinfo(host, port, **more)
        if not self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in self.answers]

    async def create_connection(  # type: ignore[override]
        self, factory: Any, host: Any = None, port: Any = None, **more: Any
    ) -> Any:
        """Note, and refuse."""
        self.dialled.append(host)
        raise ConnectionRefusedError(111, "refused")


@pytest.fixture
def loop() -> Iterator[Stubbed]:
    """The stub."""
    made = Stubbed()
    yield made
    made.close()


def acquire(loop: Stubbed, host: str, port: int, allow_private: bool = False) -> BaseException | None:
    """Try to connect as a provider's pool does: the exception that it ends with."""
    tls = ssl.create_default_context()
    pool = Pool(Endpoint("t", host, port, tls, None, allow_private, 5.0, 4), loop, Sweeper(loop))

    async def attempt() -> BaseException | None:
        done: asyncio.Future[BaseException | None] = loop.create_future()

        async def wait() -> None:
            await pool.acquire(fresh=True)

        Driver(wait(), done.set_result).start()
        return await asyncio.wait_for(done, 10)

    return loop.run_until_complete(attempt())


def provider_at(url: str, folder: Path) -> Provider | None:
    """The provider that settings with this URL make; None if they are refused."""
    file = folder / "encke.toml"
    file.write_text(f'[providers.lab]\ndialect = "openai_chat"\napi_key = "k"\nbase_url = {json.dumps(url)}\n')
    try:
        return resolve(load(str(file), {}), PRESETS, {}, DIALECT_OPS)["lab"]
    except ConfigError as error:
        assert any("base_url" in line for line in error.lines()), error.lines()
        return None


SEEN: Counter[str] = Counter()


@pytest.mark.parametrize(("group", "host"), HOSTS)
def test_hosts(group: str, host: str, loop: Stubbed, canary: Canary, tmp_path: Path) -> None:
    """Refused when the settings are read, or else when the name is looked up; nobody is ever connected to."""
    provider = provider_at(f"https://{host}:{canary.port}/v1", tmp_path)
    SEEN["hosts refused by the settings" if provider is None else "hosts refused at the look-up"] += 1
    if provider is not None:
        # Whatever the settings let pass is a name. What the system's resolver makes of it decides, at every connect.
        error = acquire(loop, provider.host, provider.port)
        assert isinstance(error, Fault) and error.code == "upstream_unreachable", (provider.host, error)
        assert loop.looked_up == 1
    assert loop.dialled == []


@pytest.mark.parametrize(("group", "url"), URLS)
def test_urls(group: str, url: str, tmp_path: Path) -> None:
    """Refused when the settings are read."""
    SEEN["URLs refused by the settings"] += 1
    assert provider_at(url, tmp_path) is None


def test_ordinary_addresses(loop: Stubbed, tmp_path: Path) -> None:
    """That all are refused would prove nothing if ordinary ones were refused too."""
    for host in (
        "api.good.example",
        "8.8.8.8",
        "[2606:4700::1111]",
        "a1.2b.example",
        "3.example.",
        "127.0.0.1.example",
    ):
        provider = provider_at(f"https://{host}:8443/v1", tmp_path)
        assert provider is not None
        loop.answers = ["8.8.8.8"]
        acquire(loop, provider.host, provider.port)
    assert loop.dialled == ["8.8.8.8"] * 6


@pytest.mark.parametrize("row", DATA["names"], ids=lambda row: " then ".join(",".join(one) for one in row["answers"]))
def test_names(row: dict[str, Any], loop: Stubbed) -> None:
    """Of what DNS says only what is allowed is called, by its address, and every connect asks anew."""
    SEEN["look-ups"] += len(row["answers"])
    for number, (answers, called) in enumerate(zip(row["answers"], row["called"], strict=True), 1):
        loop.answers, loop.dialled = answers, []
        assert isinstance(acquire(loop, "provider.example", 443, row.get("allow_private", False)), Fault)
        assert loop.dialled == called
        assert loop.looked_up == number


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    """A polite upstream of one's own."""
    with FakeUpstream(polite, keep_body=1 << 16) as running:
        yield running


@pytest.fixture(scope="module")
def gateway(upstream: FakeUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway in front of it."""
    with Gateway(tmp_path_factory.mktemp("ssrf"), settings(upstream.url), key=KEY) as running:
        yield running


def told(text: str, canary: Canary) -> str:
    """A text of the data, with the canary's address in it."""
    return text.replace("<<canary>>", f"127.0.0.1:{canary.port}").replace("<<port>>", str(canary.port))


@pytest.mark.parametrize(("status", "location"), REDIRECTS)
def test_redirects(status: int, location: str, gateway: Gateway, upstream: FakeUpstream, canary: Canary) -> None:
    """A redirect is a failure of the provider, whatever it points to; it is asked once and nobody else is."""
    SEEN["redirects"] += 1
    fields = [("location", told(location, canary)), ("refresh", f"0; url={told(location, canary)}")]
    upstream.behave = lambda request: Script([Send(wire.http_response(status, fields, b""))])
    before = len(upstream.statement.calls())
    try:
        with gateway.client() as client:
            answer = client.call("POST", "/v1/chat/completions", {"model": "lab/m", "messages": []}, key=KEY)
    finally:
        upstream.behave = polite
    assert answer.status == 502 and answer.json()["error"]["code"] == "upstream_redirect"
    check_envelope(answer)
    assert answer.header("location") is None and b"127.0.0.1" not in answer.body
    assert len(upstream.statement.calls()) == before + 1


@pytest.mark.parametrize(("kind", "text"), CLIENTS)
def test_clients(kind: str, text: str, gateway: Gateway, upstream: FakeUpstream, canary: Canary) -> None:
    """What a client writes goes to the provider that the model names, or nowhere."""
    SEEN["words of clients"] += 1
    text = told(text, canary)
    field = f",{text}" if kind == "fields" else ""
    content = text if kind == "contents" else '"x"'
    model = text if kind == "models" else "lab/m"
    body = f'{{"model":"{model}","messages":[{{"role":"user","content":{content}}}]{field}}}'
    target = text if kind == "targets" else "/v1/chat/completions"
    head = f"POST {target} HTTP/1.1\r\nauthorization: Bearer {KEY}\r\n"
    head += f"{text}\r\n" if kind == "headers" else ""
    head += "" if text.startswith("host:") else "host: gateway\r\n"
    before = len(upstream.statement.calls())
    with Client(gateway.port) as client:
        client.send(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode())
        answer = client.read()
    # (The list of its models is asked for, now and then.)
    calls = [call for call in upstream.statement.calls()[before:] if call.method == "POST"]
    assert (answer.status, len(calls)) in ((200, 1), (404, 0)), answer.body
    for call in calls:
        check_upstream_request(call)
        assert call.header("host") == f"127.0.0.1:{upstream.port}"


def test_counts(canary: Canary, count: Count) -> None:
    """At least two hundred cases."""
    assert sum(SEEN.values()) >= 200
    told = ", ".join(f"{number} {what}" for what, number in SEEN.items())
    count(f"hostile addresses: {sum(SEEN.values())} cases, 0 connections to the canary ({told})")
