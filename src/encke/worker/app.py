"""What a worker answers to a request: the seam between HTTP and calls."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec

from encke.calls.call import Call
from encke.calls.desk import Desk, Drained, draining
from encke.calls.life import live
from encke.calls.telling import tell
from encke.core.addresses import address, is_loopback
from encke.core.faults import Fault
from encke.core.ids import IdMint
from encke.core.redact import without_keys
from encke.dialects.table import CLIENTS
from encke.http.headers import visible
from encke.http.request import Request
from encke.http.server import ServerConnection
from encke.keys.grant import Grant, Rules
from encke.keys.rules import address_allowed, verdicts
from encke.telemetry.crash import report
from encke.telemetry.metrics import CONTENT_TYPE
from encke.worker import shapes
from encke.worker.admission import Admission
from encke.worker.models import Discovery
from encke.worker.own_key import OwnKey
from encke.worker.proxies import Proxies
from encke.worker.routes import METHODS, METRICS, METRICS_PATH, Match, match

_JSON: Final = "application/json"
_encode: Final = msgspec.json.Encoder().encode
_EXPOSED: Final = (
    "x-request-id, x-cometapi-request-id, x-client-request-id, openai-processing-ms, x-encke-model, x-encke-provider, "
    "x-encke-attempts, x-encke-dropped, x-encke-estimated, x-encke-replayed, request-id, x-encke-models-missing, "
    "x-encke-cost, x-encke-error-code, x-should-retry, retry-after, "
    "retry-after-ms, x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests, "
    "x-ratelimit-limit-tokens, x-ratelimit-remaining-tokens, x-ratelimit-reset-tokens"
)

_ROUTES: Final = (
    "The routes are under /v1, such as /v1/chat/completions, and those with the model in the path under /v1beta: "
    "/v1beta/models/MODEL:generateContent."
)
# What is asked for where there is nothing, and what there is instead.
_HINTS: Final = {
    "/v1/v1beta/": "These routes have no /v1 before them: take it off the base URL.",
    "/v1/responses/": "Answers are not kept here: there is POST /v1/responses, with the whole conversation in `input`.",
}


class Admitted:
    """What `check` found out about a request."""

    __slots__ = ("epoch", "grant", "match")

    def __init__(self, found: Match | None, epoch: int) -> None:
        self.match = found
        self.grant: Grant | None = None
        self.epoch = epoch  # of the keys it was looked up in


class WorkerApp:
    """The application (`encke.http.server.Application`)."""

    def __init__(
        self,
        desk: Desk,
        admission: Admission,
        discovery: Discovery,
        cors_origins: tuple[str, ...],
        metrics: Callable[[], bytes] | None = None,
        own_key: OwnKey | None = None,
        trusted_proxies: tuple[str, ...] = (),
    ) -> None:
        self._proxies = Proxies(trusted_proxies)
        self._own_key = own_key
        # There only where the port is this machine's own; elsewhere operators have an address of their own.
        self._metrics = metrics
        self.draining = False
        self.retiring = False
        self.journal_ready = False
        self._desk = desk
        self._admission = admission
        self._discovery = discovery
        self._ids = IdMint()
        self._any_origin = "*" in cors_origins
        self._origins = frozenset(origin.encode("latin-1") for origin in cors_origins)

    def use(
        self, desk: Desk, discovery: Discovery, cors_origins: tuple[str, ...], trusted_proxies: tuple[str, ...]
    ) -> None:
        """Other settings, for the calls that begin from now on."""
        self._proxies = Proxies(trusted_proxies)
        self._desk = desk
        self._discovery = discovery
        self._any_origin = "*" in cors_origins
        self._origins = frozenset(origin.encode("latin-1") for origin in cors_origins)

    @property
    def ready(self) -> bool:
        """Whether calls can be admitted and recorded. A worker that retires is as ready as the one that follows it."""
        return self._admission.ready and self.journal_ready and (not self.draining or self.retiring)

    # `Application`

    @property
    def epoch(self) -> int:
        """The snapshot of keys: with another one, `check` may admit another."""
        return self._admission.version

    def check(self, request: Request) -> Fault | None:
        """Phase 2, before the body is read: the route, the key, the body's type."""
        found = match(request.path)
        if found is None and self._metrics is not None and request.path == METRICS_PATH and _is_ours(request):
            found = METRICS
        request.route = admitted = Admitted(found, self._admission.version)
        if found is None:
            return Fault("not_found", self._unknown(request))
        route = found.route
        method = request.method
        if method != route.method and not (method == "OPTIONS" or (method == "HEAD" and route.method == "GET")):
            if method == "POST" and ":" in found.model and route.kind == "model":
                asked = visible(found.model.rpartition(":")[2], 40)
                return Fault("not_found", f"There is no method `{asked}` of a model; there are {', '.join(METHODS)}.")
            return Fault(
                "method_not_allowed",
                f"{method} is not allowed here; use {route.method}.",
                headers=(("allow", route.allow),),
            )
        if route.public or method == "OPTIONS":
            return None
        try:
            admitted.grant = grant = self._admission.admit(request, route.query_key)
        except Fault as fault:
            return fault
        request.lasting = grant.expires is None
        if grant.rules and not verdicts(grant.rules).route(route.name):
            return _route_fault(route.name)
        return _check_body_type(request.headers) if method == "POST" else None

    def handle(self, request: Request, connection: ServerConnection) -> Coroutine[Any, None, None]:
        """Answer it."""
        admitted = request.route
        assert isinstance(admitted, Admitted) and admitted.match is not None
        found, grant = admitted.match, admitted.grant
        refused: Fault | None = None
        if grant is not None and (admitted.epoch != self._admission.version or grant.expires is not None):
            # Its body has taken its time, or it has stood behind another call: the key may be good no more.
            try:
                grant = self._admission.admit(request, found.route.query_key)
            except Fault as fault:
                refused, grant = fault, None
        if grant is not None and grant.rules:
            refused = self._forbidden(grant, found.route.name, request, connection)
        call = Call(self._ids.new(), request, connection, found.route.name, grant, _place(found, request))
        call.cors = self._cors(request)
        if refused is not None:
            return self._reject(call, refused)
        if found.route.kind == "inference" and request.method == "POST":
            return live(self._desk, call)
        return self._answer(found, call)

    def _forbidden(self, grant: Grant, route: str, request: Request, connection: ServerConnection) -> Fault | None:
        """What the key's rules say against a request before its model is known."""
        if not verdicts(grant.rules).route(route):
            return _route_fault(route)
        caller = self._proxies.caller(connection.peer, request.headers)
        if address_allowed(grant.rules, caller):
            return None
        shown = caller if address(caller) is not None else "an unknown address"
        return Fault("address_not_allowed", f"This key may not be used from {shown}.")

    def refuse(self, request: Request | None, connection: ServerConnection, fault: Fault) -> None:
        """Answer with an error."""
        shown = request if request is not None else Request()
        admitted = shown.route
        found = admitted.match if isinstance(admitted, Admitted) else None
        grant = admitted.grant if isinstance(admitted, Admitted) else None
        call = Call(self._ids.new(), shown, connection, found.route.name if found is not None else "", grant)
        call.cors = self._cors(shown)
        _dress(call)
        call.outcome = "rejected"
        call.fail(fault)
        tell(self._desk, call)

    def crashed(self, connection: ServerConnection, error: BaseException) -> None:
        """A fault of ours: it goes to the log."""
        report(error)

    async def _reject(self, call: Call, fault: Fault) -> None:
        call.outcome = "rejected"
        call.fail(fault)
        tell(self._desk, call)

    # The answers that are not calls to a model.

    async def _answer(self, found: Match, call: Call) -> None:
        kind = found.route.kind
        shape = _dress(call)
        try:
            if call.request.method == "OPTIONS":
                # Not 204, which may not have a content-length (RFC 9110, section 8.6), as every answer here has.
                call.respond(200, _JSON, b"", self._preflight(call.request, found))
            elif kind == "healthz":
                call.respond(200, _JSON, b'{"status":"ok"}')
            elif kind == "readyz":
                self._readyz(call)
            elif kind == "metrics" and self._metrics is not None:
                call.respond(200, CONTENT_TYPE, self._metrics())
            elif kind == "models":
                await self._discovery.discover()
                missing = ",".join(self._discovery.missing)
                fields = f"x-encke-models-missing: {missing}\r\n" if missing else ""
                call.respond(200, _JSON, _encode(self._models(call, shape)), fields)
            elif kind == "key" and self._own_key is not None and call.grant is not None:
                call.respond(200, _JSON, _encode(await self._own_key.show(call.grant, call.started_ms)))
            else:
                await self._discovery.discover()
                model = self._discovery.find(found.model, _rules(call), _priced_at(call), shape)
                call.respond(200, _JSON, _encode(model))
        except Fault as fault:
            call.fail(fault)
        except Drained:
            call.fail(draining())
        if not found.route.public:
            tell(self._desk, call)

    def _models(self, call: Call, shape: str) -> dict[str, Any]:
        if shape == shapes.CHAT:
            return self._discovery.list(_rules(call), _priced_at(call))
        return self._discovery.page(shape, call.request.query, _rules(call))

    async def health(self, path: str, call: Call) -> None:
        """Answer for the operators' address."""
        if path == "/healthz":
            call.respond(200, _JSON, b'{"status":"ok"}')
        else:
            self._readyz(call)

    def _readyz(self, call: Call) -> None:
        if self.ready:
            call.respond(200, _JSON, b'{"status":"ready"}')
        elif self.draining:
            call.fail(Fault("draining", "The gateway is shutting down."))
        else:
            call.fail(Fault("unavailable", "The gateway is starting.", retry_after=1.0))

    def _unknown(self, request: Request) -> str:
        path = without_keys(visible(request.path, 120))
        for prefix, hint in _HINTS.items():
            if prefix in request.path:
                return f"There is no {request.method} {path} here. {hint}"
        return f"There is no {request.method} {path} here. {_ROUTES}"

    # CORS: off unless origins are configured, and never with credentials.

    def _cors(self, request: Request) -> str:
        if not self._origins:
            return ""
        origin = request.headers.get(b"origin")
        if origin is None or not (self._any_origin or origin in self._origins):
            return "vary: origin\r\n"
        allowed = "*" if self._any_origin else visible(origin.decode("latin-1"))
        return (
            f"access-control-allow-origin: {allowed}\r\naccess-control-expose-headers: {_EXPOSED}\r\nvary: origin\r\n"
        )

    def _preflight(self, request: Request, found: Match) -> str:
        allow = f"allow: {found.route.allow}\r\n"
        if b"access-control-request-method" not in request.headers or not self._cors(request).startswith("access"):
            return allow
        wanted = visible(request.headers.get(b"access-control-request-headers", b"authorization").decode("latin-1"))
        return (
            f"{allow}access-control-allow-methods: {found.route.allow}\r\n"
            f"access-control-allow-headers: {wanted}\r\naccess-control-max-age: 600\r\n"
        )


def _place(found: Match, request: Request) -> str:
    """What the path says beside the route, with the query: the model, where it stands there."""
    if not found.model:
        return ""
    return f"{found.model}?{request.query.decode('latin-1')}" if request.query else found.model


_SIDES: Final = {shapes.MESSAGES: CLIENTS["messages"], shapes.GENERATE: CLIENTS["generate"]}


def _dress(call: Call) -> str:
    """The dialect that a list of models is asked for in; errors are told in it, too."""
    if call.route not in ("models", "model"):
        return shapes.CHAT
    shape = shapes.shape_of(call.request.path, call.request.headers)
    call.side = _SIDES.get(shape, call.side)
    return shape


def _rules(call: Call) -> tuple[Rules, ...]:
    return call.grant.rules if call.grant is not None else ()


def _route_fault(name: str) -> Fault:
    return Fault("route_not_allowed", f"This key may not use the route {name}. GET /v1/key tells what it may do.")


def _priced_at(call: Call) -> int:
    """When prices shall be told with the models: now, if they are asked for; 0 for not."""
    return call.started_ms if call.request.headers.get(b"x-encke-include-prices", b"").lower() == b"true" else 0


def _is_ours(request: Request) -> bool:
    """Whether it names this machine: a page on the web can lead a name of its own here (DNS rebinding)."""
    return is_loopback(request.headers.get(b"host", b"").decode("latin-1"))


def _check_body_type(headers: dict[bytes, bytes]) -> Fault | None:
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding not in (b"identity", b""):
        name = visible(encoding.decode("latin-1"), 40)
        return Fault("unsupported_media_type", f"The body has content-encoding {name}; send it without.")
    kind = headers.get(b"content-type")
    if kind is None or kind == b"application/json":
        return None
    essence = kind.partition(b";")[0].strip().lower()
    if essence == b"application/json" or essence.endswith(b"+json"):
        return None
    name = visible(essence.decode("latin-1"), 80)
    return Fault(
        "unsupported_media_type", f"The body has content type {name}; send JSON with `Content-Type: application/json`."
    )
