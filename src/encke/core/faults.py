"""Fault: any failure. What it is, whose it is, and whether trying again may help.

`FAULTS` is the whole error table of the surface: every code a caller can meet, with its status, type and retry advice.
The documentation's table is made from it.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Owner = Literal["caller", "gateway", "upstream"]

# What may help after a failed attempt: another target, or else the same again after a pause; only another target; or
# nothing.
Verdict = Literal["again", "next", "stop"]


class FaultKind(NamedTuple):
    """A row of the error table: HTTP status, `error.type`, whose fault, whether the client may try again, and a
    sentence.
    """

    status: int
    type: str
    owner: Owner
    retry: bool
    meaning: str


_INVALID: Final = "invalid_request_error"
_DENIED: Final = "permission_error"

FAULTS: Final[dict[str, FaultKind]] = {
    "invalid_json": FaultKind(400, _INVALID, "caller", False, "The body is not one JSON object in UTF-8."),
    "missing_required_parameter": FaultKind(400, _INVALID, "caller", False, "A required field is absent."),
    "invalid_type": FaultKind(400, _INVALID, "caller", False, "A field has the wrong type."),
    "invalid_value": FaultKind(
        400, _INVALID, "caller", False, "A field, header or path has a value that cannot be used."
    ),
    "bad_request": FaultKind(400, _INVALID, "caller", False, "The request is not valid HTTP/1.1."),
    "context_length_exceeded": FaultKind(400, _INVALID, "caller", False, "The prompt is too long for the model."),
    "unsupported_parameter": FaultKind(
        400, _INVALID, "caller", False, "The model or its provider cannot be asked for it, and it may not be left out."
    ),
    "upstream_invalid_request": FaultKind(
        400, _INVALID, "caller", False, "The provider refused the request as invalid."
    ),
    # On OpenAI routes 401 keeps OpenAI's own type, because SDKs and scripts match on it.
    "missing_api_key": FaultKind(401, _INVALID, "caller", False, "No key was sent."),
    "invalid_api_key": FaultKind(401, _INVALID, "caller", False, "The key is malformed, unknown or revoked."),
    "expired_api_key": FaultKind(401, _INVALID, "caller", False, "The key has expired."),
    "model_not_allowed": FaultKind(403, _DENIED, "caller", False, "The key may not use this model."),
    "route_not_allowed": FaultKind(403, _DENIED, "caller", False, "The key may not use this route."),
    "address_not_allowed": FaultKind(403, _DENIED, "caller", False, "The key may not be used from this address."),
    "model_not_found": FaultKind(
        404, _INVALID, "caller", False, "No model of that name; the message lists the nearest."
    ),
    "not_found": FaultKind(404, _INVALID, "caller", False, "No such path."),
    "method_not_allowed": FaultKind(
        405, _INVALID, "caller", False, "The path exists, the method does not; see `Allow`."
    ),
    "request_timeout": FaultKind(408, _INVALID, "caller", False, "The request did not arrive in time."),
    "idempotency_conflict": FaultKind(
        409, _INVALID, "caller", False, "The Idempotency-Key was used with another body, or its answer is not kept."
    ),
    "idempotency_in_progress": FaultKind(
        409, _INVALID, "caller", True, "The first call with this Idempotency-Key is still running."
    ),
    "request_too_large": FaultKind(413, _INVALID, "caller", False, "The body is larger than `server.max_body`."),
    "unsupported_media_type": FaultKind(
        415, _INVALID, "caller", False, "The body is encoded, or its content type is not JSON."
    ),
    "headers_too_large": FaultKind(431, _INVALID, "caller", False, "More than 64 KiB or 100 fields of headers."),
    "unpriced_model": FaultKind(
        400, _INVALID, "caller", False, "The model has no price and a budget applies; see `price` in the settings."
    ),
    "rate_limit_exceeded": FaultKind(
        429, "rate_limit_error", "caller", True, "A limit of requests, tokens or concurrent calls is reached."
    ),
    "insufficient_quota": FaultKind(
        429, "insufficient_quota", "caller", False, "A budget is spent; the message says which, and until when."
    ),
    "budget_exceeded": FaultKind(
        429, "insufficient_quota", "caller", False, "A budget ran out during a stream (an error event)."
    ),
    "upstream_rate_limited": FaultKind(
        429, "rate_limit_error", "upstream", True, "The provider said 429 and no target is left."
    ),
    "upstream_unreachable": FaultKind(502, "upstream_error", "upstream", True, "No connection to the provider."),
    "upstream_reset": FaultKind(502, "upstream_error", "upstream", True, "The provider broke the connection."),
    "upstream_bad_response": FaultKind(502, "upstream_error", "upstream", True, "The provider's answer made no sense."),
    "upstream_error": FaultKind(502, "upstream_error", "upstream", True, "The provider reported a failure of its own."),
    "upstream_redirect": FaultKind(
        502, "upstream_error", "upstream", True, "The provider redirected; it is never followed."
    ),
    "upstream_too_large": FaultKind(502, "upstream_error", "upstream", True, "The provider's answer exceeds a limit."),
    "upstream_auth": FaultKind(
        502, "upstream_error", "gateway", False, "The provider refused the gateway's own credential."
    ),
    "overloaded": FaultKind(
        503, "overloaded_error", "upstream", True, "No capacity: provider overloaded, or its breaker open."
    ),
    "unavailable": FaultKind(503, "overloaded_error", "gateway", True, "The gateway cannot record calls just now."),
    "draining": FaultKind(
        503, "overloaded_error", "gateway", True, "The gateway, or this process of it, is stopping; another may answer."
    ),
    "upstream_timeout": FaultKind(504, "timeout_error", "upstream", True, "The provider did not answer in time."),
    "upstream_idle": FaultKind(504, "timeout_error", "upstream", True, "The provider fell silent in the middle."),
    "internal_error": FaultKind(500, "internal_error", "gateway", True, "A fault of the gateway."),
}


class Fault(Exception):
    """A failure on its way to the caller, or to routing.

    `code` names a row of `FAULTS`; `status` may differ from the row's where upstream's own 4xx is kept. `verdict` is
    for routing: what may be tried after it. `retry_after` is in seconds. `headers` go out with the answer (405's
    `Allow`). `body` is an upstream error body to relay as it is, already redacted and capped.
    """

    __slots__ = ("body", "code", "headers", "message", "param", "retry_after", "status", "verdict")

    def __init__(
        self,
        code: str,
        message: str,
        *,
        param: str | None = None,
        verdict: Verdict = "stop",
        status: int | None = None,
        retry_after: float | None = None,
        headers: tuple[tuple[str, str], ...] = (),
        body: dict[str, object] | None = None,
    ) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.param = param
        self.verdict: Verdict = verdict
        self.status = FAULTS[code].status if status is None else status
        self.retry_after = retry_after
        self.headers = headers
        self.body = body

    @property
    def kind(self) -> FaultKind:
        """The fault's row of the error table."""
        return FAULTS[self.code]

    def __repr__(self) -> str:
        return f"<Fault {self.status} {self.code} {self.verdict}: {self.message}>"
