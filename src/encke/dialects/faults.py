"""Errors of providers, read: one table for all dialects, since their envelopes differ less than their words do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from encke.core.faults import Fault, Verdict

MAX_TEXT: Final = 4096

_any: Final = msgspec.json.Decoder()
_encode: Final = msgspec.json.Encoder().encode

# Answers whose status and message are the caller's business and stay as upstream sent them.
_CALLERS: Final = frozenset({400, 404, 413, 422})

# Other upstream statuses: our code, and what routing may try next. Who gave up waiting for the model (408, 504) has
# waited for long, and would again.
_STATUSES: Final[dict[int, tuple[str, Verdict]]] = {
    401: ("upstream_auth", "next"),
    402: ("upstream_auth", "next"),
    403: ("upstream_auth", "next"),
    408: ("upstream_timeout", "next"),
    409: ("upstream_error", "again"),
    425: ("upstream_error", "again"),
    429: ("upstream_rate_limited", "again"),
    500: ("upstream_error", "again"),
    502: ("upstream_error", "again"),
    503: ("overloaded", "again"),
    504: ("upstream_timeout", "next"),
    529: ("overloaded", "again"),
}

_TEXTS: Final = {
    "upstream_auth": "The provider refused the gateway's credential (status {status}). The gateway's operator must "
    "check its key; your own key is fine.",
    "upstream_rate_limited": "The provider limits the rate of requests (status {status}). Try again later.",
    "overloaded": "The provider is overloaded (status {status}). Try again later.",
    "upstream_timeout": "The provider gave up waiting (status {status}).",
    "upstream_error": "The provider reported a failure of its own (status {status}).",
    "upstream_redirect": "The provider answered with a redirect (status {status}), which is never followed.",
}

# Failures that are told by a word and without a status, inside a stream or an answer with 200: what status they are.
# OpenAI's description, ResponseErrorCode, and what it sends beside that.
_NAMED: Final[dict[str, int]] = {
    "server_error": 500,
    "vector_store_timeout": 504,
    "server_is_overloaded": 503,
    "slow_down": 503,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "context_length_exceeded": 400,
    "data_residency_mismatch": 400,
    "invalid_prompt": 400,
    "bio_policy": 400,
    "cyber_policy": 400,
    # Anthropic's types (platform.claude.com/docs/en/api/errors).
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
_PICTURES: Final = re.compile(r"(?:invalid|unsupported|empty|failed_to_download)_[a-z0-9_]*image|image_")

# What servers of this dialect call a prompt that is too long (OpenAI, vLLM, llama.cpp, Ollama, Perplexity, and those in
# front of Anthropic).
_CONTEXT: Final = re.compile(
    r"exceed_context_size|context_length_exceeded|max(?:imum)? context length|exceeds the available context"
    r"|too_many_prompt_tokens|too many tokens: size limit|prompt (?:is )?too long|exceed context limit",
    re.I,
)

# How some say with status 400 that they do not know the key, or that there is no money behind it: Google, xAI and
# Anthropic in the message's first words, LiteLLM's proxy, which without a database knows but one key, in the type.
_BAD_KEY_MESSAGES: Final = (
    "API key not valid",
    "Incorrect API key provided",
    "Incorrect%20API%20key%20provided",
    "Your credit balance is too low",
    "You have reached your specified API usage limits",
)
_BAD_KEY_CODES: Final = frozenset({"invalid_api_key", "no_db_connection"})

# Things that look like secrets, wherever upstream put them: keys, bearer tokens, keys in URLs; and addresses of hosts.
_SECRETS: Final = re.compile(
    r"\b(?:sk|pk|rk|xai|gsk|hf|or)[-_][A-Za-z0-9_*\-]{6,}|(?i:bearer)\s+[A-Za-z0-9._~+/=\-]{8,}|AIza[A-Za-z0-9_\-]{20,}"
    r"|(?i:key|token)=[A-Za-z0-9._\-]{8,}"
)
_URLS: Final = re.compile(r"\b(?:https?|wss?)://[^\s\"'<>]+")


def redact(text: str) -> str:
    """Upstream's text made fit for a caller: no keys, no addresses, no control characters, 4 KiB at most."""
    text = _SECRETS.sub("[redacted]", _URLS.sub("[address]", text[: 4 * MAX_TEXT]))
    text = "".join(char if char.isprintable() or char in "\n\t" else " " for char in text)
    data = text.encode("utf-8", "replace")
    return text if len(data) <= MAX_TEXT else data[:MAX_TEXT].decode("utf-8", "ignore") + "…"


def parse_retry_after(value: str, now: float, scale: float = 1.0) -> float | None:
    """Seconds from a Retry-After: a number, or an HTTP date against `now` (Unix seconds); None for anything else.

    `scale` is what a second counts in the number: 1000 where it is in milliseconds.
    """
    value = value.strip()
    try:
        seconds = float(value) / scale
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 1.0), 600.0) if seconds == seconds else None


def retry_advice(headers: Mapping[bytes, bytes], now: float) -> float | None:
    """Seconds that upstream asks to wait, 1 to 600: `retry-after-ms` (OpenAI's and Azure's own), else `Retry-After`."""
    for name, scale in ((b"retry-after-ms", 1000.0), (b"retry-after", 1.0)):
        value = headers.get(name)
        seconds = None if value is None else parse_retry_after(value.decode("latin-1"), now, scale)
        if seconds is not None:
            return seconds
    return None


def parse_fault(status: int, body: bytes, retry_after: float | None = None) -> Fault:
    """The Fault of an upstream answer that is not a success."""
    if 300 <= status < 400:
        return Fault("upstream_redirect", _TEXTS["upstream_redirect"].format(status=status))
    details = _details(body)
    if _CONTEXT.search(f"{details.get('code')} {details.get('type')} {details.get('message')}") and status < 500:
        message = redact(str(details.get("message") or "The prompt is too long for the model."))
        return Fault("context_length_exceeded", message, param="messages")
    if status == 400 and _refuses_the_key(details):
        return Fault("upstream_auth", _TEXTS["upstream_auth"].format(status=status), verdict="next")
    if status in _CALLERS or (400 <= status < 500 and status not in _STATUSES and status != 498):
        return _callers(status, details)
    # 498 stands in no register: Groq has no capacity left, Cohere's token is "blocked or invalid".
    known = (503 if details.get("type") == "server_error" else 401) if status == 498 else status
    code, verdict = _STATUSES.get(known, ("upstream_error", "again"))
    message = _TEXTS[code].format(status=status)
    if code != "upstream_auth" and details.get("message"):
        # What a provider says to its own bad credential may quote it; what it says of limits helps the caller.
        message = f"{message} It said: {redact(str(details['message']))}"
    return Fault(code, message, verdict=verdict, retry_after=retry_after)


def _refuses_the_key(details: dict[str, object]) -> bool:
    """Whether a 400 is about the gateway's key, and not about what the caller sent."""
    message = details.get("message")
    return (isinstance(message, str) and message.startswith(_BAD_KEY_MESSAGES)) or not _BAD_KEY_CODES.isdisjoint(
        {str(details.get("code")), str(details.get("type"))}
    )


def fault_in_stream(raw: msgspec.Raw) -> Fault:
    """The Fault of an error event inside a stream that began with 200."""
    details = _details(b'{"error":' + bytes(raw) + b"}")
    said = (details.get("code"), details.get("status"), details.get("status_code"))
    status = next((s for s in map(_status, said) if s), 0) or _named(details.get("code")) or _named(details.get("type"))
    if not status and details.get("type") == "invalid_request_error" and details.get("code") != "invalid_api_key":
        status = 400  # the type alone tells whose fault it is
    if status:
        return parse_fault(status, _encode({"error": details}))
    message = redact(str(details.get("message") or "no reason given"))
    return Fault("upstream_error", f"The provider reported a failure: {message}", verdict="again")


def _named(word: object) -> int:
    if not isinstance(word, str):
        return 0
    return 400 if _PICTURES.match(word) else _NAMED.get(word, 0)


def _status(value: object) -> int:
    if isinstance(value, str) and len(value) == 3 and value.isdecimal():
        value = int(value)
    return value if isinstance(value, int) and 400 <= value <= 599 else 0


def _details(body: bytes) -> dict[str, object]:
    """The error object of a body, whatever a provider wraps it in: {"error": {...}}, {"error": "text"}, [{...}],
    {"message"}, {"errors": [{...}]}.
    """
    try:
        value = _any.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return {}
    if isinstance(value, list) and value:
        value = value[0]
    if not isinstance(value, dict):
        return {}
    errors = value.get("errors")
    if isinstance(errors, list) and errors and "error" not in value and "message" not in value:
        value = {"error": errors[0]}
    inner = value.get("error", value)
    if isinstance(inner, str):
        return {"message": inner, "code": value.get("code")}
    if not isinstance(inner, dict):
        return {}
    said = inner.get("message", inner.get("detail"))
    if said is not None and not isinstance(said, str):
        said = _encode(said).decode()
    return {**inner, "message": said}


def _callers(status: int, details: dict[str, object]) -> Fault:
    text = details.get("message")
    message = redact(str(text)) if text else f"The provider refused the request (status {status})."
    kind, code, param = details.get("type"), details.get("code", details.get("error_code")), details.get("param")
    body: dict[str, object] = {
        "message": message,
        "type": redact(kind) if isinstance(kind, str) and kind else "invalid_request_error",
        "param": redact(param) if isinstance(param, str) else None,
        "code": redact(code) if isinstance(code, str) else None,
    }
    return Fault("upstream_invalid_request", message, status=status, body=body)
