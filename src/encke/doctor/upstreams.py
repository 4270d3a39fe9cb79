"""Each provider, step by step as a call would reach it: name, connection, TLS, answer, key, clock."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

from encke.config.addresses import allowed
from encke.doctor.finding import Finding, Level, guarded
from encke.providers.provider import Provider

CLOCK_SECONDS = 5.0
EXPIRY_DAYS = 14.0
ANSWER_SECONDS = 15.0
AT_ONCE = 16


@dataclass(slots=True)
class Visit:
    """A visit to one provider. `steps` has what went well the last time, in words; `days` how long its certificate is
    good yet; `skew` how far its clock is ahead, in seconds."""

    provider: Provider
    steps: list[str] = field(default_factory=list)
    days: float | None = None
    skew: float | None = None


def upstreams(providers: Sequence[tuple[Provider, Sequence[bytes]]]) -> list[Finding]:
    """Visit all of them at once. With each comes the request of its list of models, one for each credential; none where
    it has no such list."""
    visits = [(Visit(provider), heads) for provider, heads in providers]
    if not visits:
        return [Finding("upstream", "note", "no provider is configured", "see docs/configuration.md")]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda one: guarded("upstream", lambda: _visit(one[0], one[1])), visits))
    return [finding for part in found for finding in part] + list(_clock([visit for visit, _ in visits]))


def _visit(visit: Visit, heads: Sequence[bytes]) -> Iterator[Finding]:
    name = visit.provider.name
    answers: list[tuple[int, str]] = []
    try:
        for head in heads or (b"",):
            visit.steps.clear()
            with _reach(visit) as sock:
                if head:
                    answers.append((_ask(visit, sock, head), ", ".join(visit.steps)))
    except _Trouble as trouble:
        steps = f" ({', '.join(visit.steps)})" if visit.steps else ""
        yield Finding("upstream", "error", f"{name}: {trouble.text}{steps}", trouble.todo)
        return
    if visit.days is not None and visit.days < EXPIRY_DAYS:
        text = f"{name}: its certificate is good for {max(visit.days, 0):.0f} days only"
        yield Finding("upstream", "warning", text, "see to it that it is renewed")
    if not answers:
        yield Finding("upstream", "ok", f"{name}: {', '.join(visit.steps)}; it has no cheap call to try the key with")
    for number, (status, steps) in enumerate(answers):
        credential = visit.provider.credentials[number] if visit.provider.credentials else None
        which = f" {credential.name or number + 1}" if credential is not None and len(answers) > 1 else ""
        level, text, todo = _verdict(status, f"key{which}" if credential is not None else "call")
        yield Finding("upstream", level, f"{name}: {steps}, {text}", todo)


def _verdict(status: int, what: str) -> tuple[Level, str, str]:
    """What the answer to a list of models tells."""
    if status == 200:
        return "ok", f"{what} accepted", ""
    if status in (401, 403):
        return "error", f"{what} refused ({status})", "check api_key, and what the key may do there"
    if status in (404, 405):
        return (
            "warning",
            f"it has no list of models ({status}): {what} not tried",
            "check base_url; name models = [...]",
        )
    if status == 429:
        return "warning", f"{what} accepted, and over its limit (429)", "wait, or ask the provider for more"
    if status >= 500:
        return "error", f"it answers {status}", "look at the provider's own status, or its log"
    return "warning", f"it answers {status}", "check base_url"


def _ask(visit: Visit, sock: socket.socket, head: bytes) -> int:
    """The status of the answer to one request; the clock of who answers is noted."""
    began, at = time.monotonic(), time.time()
    sock.settimeout(ANSWER_SECONDS)
    try:
        sock.sendall(head)
        with contextlib.closing(http.client.HTTPResponse(sock, method="GET")) as answer:
            answer.begin()
            date = answer.headers.get("date")
            status = answer.status
    except (OSError, http.client.HTTPException) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
        raise _Trouble(
            f"it does not answer: {why}", "check base_url: is it an HTTP server that speaks this API?"
        ) from None
    visit.steps.append(f"answer {_ms(began)}")
    with contextlib.suppress(TypeError, ValueError):
        # The header has whole seconds, cut off; the answer was made between the two moments.
        there = parsedate_to_datetime(date or "").timestamp() + 0.5
        visit.skew = there - (at + time.time()) / 2
    return status


def _clock(visits: Sequence[Visit]) -> Iterator[Finding]:
    """This machine's clock against those of the providers."""
    skews = sorted(visit.skew for visit in visits if visit.skew is not None)
    if not skews:
        yield Finding("clock", "note", "no provider told its time")
        return
    middle = skews[len(skews) // 2]
    if abs(middle) <= CLOCK_SECONDS:
        yield Finding("clock", "ok", f"within {abs(middle) + 0.5:.0f} s of the providers'")
        return
    way = "behind" if middle > 0 else "ahead of"
    text = f"this machine's clock is {abs(middle):.0f} s {way} the providers'"
    yield Finding("clock", "warning", text, "set it (NTP): records, expiry of keys and certificates depend on it")


def _ms(began: float) -> str:
    return f"{(time.monotonic() - began) * 1000:.0f} ms"


class _Trouble(Exception):
    def __init__(self, text: str, todo: str) -> None:
        super().__init__(text)
        self.text = text
        self.todo = todo


def _reach(visit: Visit) -> socket.socket:
    """A connection, with TLS where it is used."""
    provider = visit.provider
    began = time.monotonic()
    try:
        found = socket.getaddrinfo(provider.host, provider.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or type(error).__name__
        raise _Trouble(
            f"the name {provider.host} cannot be resolved: {why}", "check base_url and the network"
        ) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    good = [address for address in addresses if allowed(address, provider.allow_private)]
    visit.steps.append(f"name {_ms(began)}")
    if not good:
        raise _Trouble(f"{addresses[0]} is a private address", "say allow_private = true if that is meant")
    began = time.monotonic()
    sock = _connect(provider, good)
    visit.steps.append(f"connection {_ms(began)}")
    if provider.scheme != "https":
        return sock
    try:
        return _with_tls(visit, sock)
    except BaseException:
        sock.close()
        raise


def _connect(provider: Provider, addresses: Sequence[str]) -> socket.socket:
    problem = "no address"
    for address in addresses:
        try:
            return socket.create_connection((address, provider.port), provider.timeouts.connect)
        except OSError as error:
            problem = error.strerror or str(error) or type(error).__name__
    todo = "check that it runs, its address, and what stands between: firewall, proxy, route"
    raise _Trouble(f"no connection to {addresses[0]} port {provider.port}: {problem}", todo)


def _with_tls(visit: Visit, sock: socket.socket) -> socket.socket:
    provider = visit.provider
    began = time.monotonic()
    try:
        secure = ssl.create_default_context(cafile=provider.ca_file).wrap_socket(sock, server_hostname=provider.host)
    except ssl.SSLCertVerificationError as error:
        todo = (
            "check the clock of this machine, the certificate there, and whose it is (ca_file names other authorities)"
        )
        raise _Trouble(f"its certificate is not trusted: {error.verify_message}", todo) from None
    except OSError as error:
        why = getattr(error, "reason", None) or error.strerror or type(error).__name__
        raise _Trouble(f"TLS failed: {why}", "check base_url: does it speak https there?") from None
    certificate = secure.getpeercert() or {}
    visit.days = (ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()) / 86400
    visit.steps.append(f"TLS {_ms(began)}")
    return secure
