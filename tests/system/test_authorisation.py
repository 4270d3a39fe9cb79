"""Every route for every caller, made from the route table: nobody gets in who should not, whatever they write.

A new route is tried by itself, with everything here; unless it says that it is public, a key is needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

import pytest

from encke.testing import wire
from encke.testing.behaviours import by_request
from encke.testing.request import Request
from encke.testing.script import Script, Send
from encke.testing.upstream import FakeUpstream
from encke.worker.routes import MODEL_PATH, MODEL_ROUTE, ROUTES, Route
from tests.conftest import Count
from tests.support.client import Client, Response, chat
from tests.support.gateway import KEY, Gateway, lab
from tests.system.test_keys import encke, soon

METHODS = ("GET", "HEAD", "POST", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND")
HOSTS = ("localhost", "LOCALHOST", "localhost:8080", "127.0.0.1", "[::1]:80", "other.example", "169.254.169.254", "a")
ALL: dict[str, Route] = {**ROUTES, f"{MODEL_PATH}lab/fake": MODEL_ROUTE}
BODY = {**chat("Hello", "lab/fake"), "prompt": "Hello", "input": "Hello"}
# Those of other dialects, which are read in full, by what is in their paths.
BODIES = {
    "responses": {"model": "lab/fake", "input": "Hello"},
    "messages": {**chat("Hello", "lab/fake"), "max_tokens": 9},
}


class Identity(NamedTuple):
    """A caller: the headers that say who it is, and what it is told where a key is needed (code None: let in)."""

    headers: dict[str, str]
    code: str | None
    status: int = 401


def spellings(key: str) -> dict[str, dict[str, str]]:
    """Every way to write a key into a request."""
    return {
        "bearer": {"authorization": f"Bearer {key}"}, "lower": {"authorization": f"bearer {key}"},
        "upper": {"AUTHORIZATION": f"BEARER {key}"}, "spaces": {"Authorization": f"  Bearer    {key}  "},
        "bare": {"authorization": key}, "x-api-key": {"x-api-key": key}, "X-API-KEY": {"X-API-KEY": f" {key} "},
        "api-key": {"api-key": key}, "x-goog-api-key": {"x-goog-api-key": key},
        "twice the same": {"authorization": f"Bearer {key}", "x-api-key": key},
        "beside an empty one": {"authorization": "Bearer", "x-api-key": key},
        "beside nothing": {"authorization": "", "api-key": key},
    }  # fmt: skip


NOBODY = {
    "no header": {}, "empty": {"authorization": ""}, "only a scheme": {"authorization": "Bearer"},
    "a scheme and a space": {"authorization": "Bearer  "}, "all empty": {"authorization": "Bearer", "x-api-key": " "},
}  # fmt: skip


def polite(request: Request) -> Script:
    """An upstream that has all routes."""
    for route, field in (("/completions", "choices"), ("/embeddings", "data"), ("/moderations", "results")):
        if request.path.endswith(f"/v1{route}"):
            return Script([Send(wire.json_response(200, {field: [{"text": "Hi"}]}))], "polite")
    return by_request(request)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """One worker, so that whatever is remembered of one caller meets the next."""
    with FakeUpstream(polite) as upstream:
        settings = {**lab(upstream.url), "local": {"enabled": False}, "server": {"workers": 1}}
        with Gateway(tmp_path_factory.mktemp("authorisation"), settings) as running:
            yield running


@pytest.fixture(scope="module")
def callers(gateway: Gateway) -> dict[str, Identity]:
    """All of them: with a good key in every spelling, and with every kind of bad one in every spelling."""
    encke(gateway, "projects", "create", "over")
    archived = encke(gateway, "keys", "create", "--name", "archived", "--project", "over")["key"]
    encke(gateway, "projects", "archive", "over", "--yes")
    graced = encke(gateway, "keys", "create", "--name", "turned")["key"]
    turned = encke(gateway, "keys", "rotate", "turned", "--grace", "1h")["key"]
    replaced = encke(gateway, "keys", "create", "--name", "replaced")["key"]
    encke(gateway, "keys", "rotate", "replaced", "--grace", "0")
    ended = encke(gateway, "keys", "create", "--name", "ended")["key"]
    for _ in range(2):
        encke(gateway, "keys", "rotate", "ended", "--grace", "1h")
    elsewhere = encke(gateway, "keys", "create", "--name", "elsewhere", "--addresses", "10.0.0.0/8")["key"]
    revoked = encke(gateway, "keys", "create", "--name", "revoked")["key"]
    encke(gateway, "keys", "revoke", "revoked", "--yes")
    expired = encke(gateway, "keys", "create", "--name", "expired", "--expires", "1s")["key"]
    made = encke(gateway, "keys", "create", "--name", "made")["key"]
    typo = made[:-1] + ("a" if made[-1] != "a" else "b")
    good, bad = f"Bearer {made}", f"sk-{'n' * 40}"
    found = {name: Identity(headers, "missing_api_key") for name, headers in NOBODY.items()}
    for kind, key, code in (
        ("good", made, None), ("bootstrap", KEY, None), ("revoked", revoked, "invalid_api_key"),
        ("expired", expired, "expired_api_key"), ("unknown", bad, "invalid_api_key"), ("typo", typo, "invalid_api_key"),
        ("cut", made[:-1], "invalid_api_key"), ("other case", made.swapcase(), "invalid_api_key"),
        ("no key at all", "x", "invalid_api_key"), ("archived", archived, "invalid_api_key"),
        ("in its grace", graced, None), ("its new secret", turned, None), ("replaced", replaced, "expired_api_key"),
        ("ended", ended, "invalid_api_key"),
    ):  # fmt: skip
        found |= {f"{kind}, {name}": Identity(headers, code) for name, headers in spellings(key).items()}
    odd_place = {"x-forwarded-for": "10.1.1.1"}  # nobody here is trusted to say so
    for name, headers in spellings(elsewhere).items():
        found[f"elsewhere, {name}"] = Identity({**headers, **odd_place}, "address_not_allowed", 403)
    wrong = {
        "two secrets of one key": {"authorization": f"Bearer {graced}", "x-api-key": turned},
        "two keys": {"authorization": good, "x-api-key": bad}, "two good keys": {"x-api-key": made, "api-key": KEY},
        "a good key after a bad one": {"authorization": f"Bearer {bad}", "x-api-key": made},
    }  # fmt: skip
    found |= {name: Identity(headers, "invalid_value", 400) for name, headers in wrong.items()}
    odd = {
        "basic": f"Basic {made}", "doubled scheme": f"Bearer Bearer {made}", "comma": f"{good}, {good}",
        "quoted": f'Bearer "{made}"', "in a cookie": "", "tab": f"Bearer\t{made}",
    }  # fmt: skip
    found |= {name: Identity({"authorization": text}, "invalid_api_key") for name, text in odd.items() if text}
    found["in a cookie"] = Identity({"cookie": f"key={made}", "proxy-authorization": good}, "missing_api_key")
    with gateway.client() as client:
        gateway.wait_for(lambda: client.call("GET", "/v1/models", key=expired).status == 401, 30, "it does not expire")
    return found


class Line:
    """A connection that is made anew when the gateway ends it."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._client: Client | None = None
        self.calls = 0

    def ask(self, method: str, path: str, headers: dict[str, str], host: str = "localhost") -> Response:
        """One request, with a body that suits every route where the method has one."""
        client = self._client = self._client or self._gateway.client()
        suits = next((body for word, body in BODIES.items() if word in path.lower()), BODY)
        body = suits if method in ("POST", "PUT", "PATCH") else None
        answer = client.call(method, path, body, headers={"host": host, **headers})
        self.calls += 1
        if (answer.header("connection") or "").lower() == "close":
            self.close()
        return answer

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()
            self._client = None


@pytest.fixture(scope="module")
def line(gateway: Gateway, callers: dict[str, Identity], count: Count) -> Iterator[Line]:
    """One connection for all."""
    made = Line(gateway)
    yield made
    made.close()
    count(f"authorisation: {len(ALL)} routes, {len(callers)} identities, {made.calls} calls")


def verdict(route: Route, method: str, caller: Identity) -> tuple[int, str | None]:
    """What must come of it: status and code."""
    if method != route.method and not (method == "OPTIONS" or (method == "HEAD" and route.method == "GET")):
        return 405, "method_not_allowed"
    if route.public or method == "OPTIONS" or caller.code is None:
        return 200, None
    return caller.status, caller.code


def judge(answer: Response, method: str, expected: tuple[int, str | None], what: object) -> None:
    """The status, and where there is a body the code."""
    assert answer.status == expected[0], (what, answer)
    if method != "HEAD" and expected[1] is not None:
        assert code_of(answer) == expected[1], (what, answer.body)


# Anthropic's envelope has no codes, only types.
TYPES = {401: "authentication_error", 403: "permission_error"}


def code_of(answer: Response) -> str:
    """The code in the envelope of whichever dialect."""
    said = answer.json()
    if said.get("type") == "error":
        kind, message = said["error"]["type"], said["error"]["message"]
        assert kind == TYPES.get(answer.status, "invalid_request_error"), answer
        return next(code for words, code in WORDS.items() if words in message)
    details = said["error"].get("details")
    return str(details[0]["reason"]).lower() if details else str(said["error"]["code"])


WORDS = {
    "did not provide a key": "missing_api_key",
    "Incorrect key": "invalid_api_key",
    "has expired": "expired_api_key",
    "may not be used from": "address_not_allowed",
    "two different keys": "invalid_value",
    "is not allowed here": "method_not_allowed",
    "key in the query": "invalid_value",
}


@pytest.mark.parametrize("path", ALL)
def test_every_route_for_every_caller(line: Line, callers: dict[str, Identity], path: str) -> None:
    """Every method, every identity in every spelling: let in, or refused for the right reason."""
    for method, (name, caller) in product(METHODS, callers.items()):
        if method in ("GET", "HEAD", "POST", "OPTIONS") or name in ("no header", "good, bearer"):
            expected = verdict(ALL[path], method, caller)
            judge(line.ask(method, path, caller.headers), method, expected, (method, path, name))


def test_hosts_and_ways_to_write_a_path(line: Line, callers: dict[str, Identity]) -> None:
    """The verdict does not depend on Host; another way to write a path leads to the same verdict, or nowhere."""
    few = [callers[name] for name in ("no header", "good, bearer", "unknown, bearer", "revoked, x-api-key")]
    for path, caller in product(ALL, few):
        route = ALL[path]
        expected = verdict(route, route.method, caller)
        for host in HOSTS:
            judge(line.ask(route.method, path, caller.headers, host), route.method, expected, (path, host))
        for way in _ways(path):
            answer = line.ask(route.method, way, caller.headers)
            assert answer.status in (expected[0], 400, 404), (way, answer)
            assert route.public or caller.code is None or answer.status >= 400, (way, answer)


def _ways(path: str) -> list[str]:
    last = path.rpartition("/")[2]
    return [
        f"{path}/", f"{path}//", f"/{path}", f"{path}?x=1", f"{path}?", f"{path};x=1", f"{path}%20", f"{path}%00",
        f"{path}#x", f"/.{path}", f"/x/..{path}", path.replace(last, f"%{ord(last[0]):02x}{last[1:]}"), path.upper(),
        path.replace("/", "%2f"), path.replace("/", "\\"), f"/v1{path}", f"http://localhost{path}", f"{path}.json",
    ]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/models"), ("POST", "/v1/moderations")])
def test_one_caller_never_helps_the_next(line: Line, callers: dict[str, Identity], method: str, path: str) -> None:
    """What is remembered of one identity lets no other in: every pair, one after the other on one connection."""
    for (first, before), (second, after) in product(callers.items(), repeat=2):
        if before.code is None and after.code is not None:
            assert line.ask(method, path, before.headers).status == 200
            expected = (after.status, after.code)
            judge(line.ask(method, path, after.headers), method, expected, f"{first}, then {second}")


@pytest.mark.parametrize("end", ["revoked", "expired"])
@pytest.mark.parametrize("stream", [False, True])
def test_a_key_ends_on_a_busy_connection(gateway: Gateway, end: str, stream: bool) -> None:
    """The same request, byte for byte, again and again: once the key has ended it is refused."""
    body = chat("Hello", "lab/fake", stream=stream)
    with gateway.client() as client:

        def call(key: str) -> Response:
            return client.call("POST", "/v1/chat/completions", body, key=key)

        for seconds in (2, 10, 50):  # on a busy machine the first may have expired before it was used enough
            expires = ("--expires", f"{seconds}s") if end == "expired" else ()
            name = f"{end} while {'streaming' if stream else 'asking'} {seconds}"
            key = encke(gateway, "keys", "create", "--name", name, *expires)["key"]
            if {call(key).status for _ in range(20)} == {200}:
                break
        else:
            raise AssertionError("it was never good")
        if end == "revoked":
            encke(gateway, "keys", "revoke", name, "--yes")
            soon(401, lambda: call(key).status)
        gateway.wait_for(lambda: call(key).status != 200, seconds + 30, "it is still let in")
        answer = call(key)
        code = "invalid_api_key" if end == "revoked" else "expired_api_key"
        assert (answer.status, answer.json()["error"]["code"]) == (401, code)


UNKNOWN = (
    "/", "/v1", "/v1/", "/v2/models", "/v1/chat", "/v1/chat/completions/x", "/v1/files", "/v1/keys", "/v1/admin",
    "/encke.db", "/pepper", "/data/encke.db", "/../pepper", "/%2e%2e/pepper", "/v1/../../etc/passwd", "/.env", "/.git",
    "/server-status", "/debug", "/v1/models/..", "/favicon.ico", "/robots.txt", "/v1beta/unknown", "/v1/engines",
)  # fmt: skip


def test_unknown_routes_tell_nothing(line: Line, callers: dict[str, Identity]) -> None:
    """404, and word for word the same for whoever asks: not what there is, nor whether the key was good."""
    for path in UNKNOWN:
        found = set()
        for name in ("no header", "good, bearer", "unknown, bearer", "expired, api-key", "two keys"):
            answer = line.ask("GET", path, callers[name].headers)
            if path == "/v1/models/..":  # a model's name, which needs a key
                assert answer.status == (404 if callers[name].code is None else callers[name].status)
                continue
            assert answer.status == 404, (path, answer)
            found.add(answer.body.replace((answer.header("x-request-id") or "").encode(), b""))
        assert len(found) <= 1, (path, found)
