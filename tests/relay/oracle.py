"""What must come out of the gateway for a given request and upstream answer, by the rules of the surface.

Written from the rules alone and sharing no code with what it judges: standard library only, nothing of `encke`.

    stream, 200    whole events as sent, line ends made LF, a byte order mark taken off; an event with `choices: []` and
                   usage dropped unless asked for; `[DONE]` ends it; a missing one is added if every choice finished
                   and the answer ended cleanly; anything else is an error: an event after content, a status before it
    whole, 200     the same bytes, if they are an answer; else 502
    not 200        the caller's own faults (400 404 413 422) keep status and message; the gateway's credential (401 402
                   403) is 502; 429 stays; 408 and 504 are 504; 503 and 529 are 503; other failures 502
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

END = b"data: [DONE]\n\n"
_CONTENT = ("content", "reasoning_content", "reasoning", "tool_calls", "function_call", "refusal", "audio")
# What providers of this dialect call a prompt that is too long.
_TOO_LONG = (
    "context_length_exceeded",
    "maximum context length",
    "max context length",
    "exceed_context_size",
    "exceeds the available context",
    "too_many_prompt_tokens",
    "prompt is too long",
    "prompt too long",
)
_SECRETIVE = re.compile(r"https?://|\b(sk|pk|rk|gsk|xai|hf|or)[-_]\w|bearer|key=|token=", re.I)
_SAME_STATUS = {400, 404, 413, 422}
_OTHER_STATUS = {
    401: (502, "upstream_auth"),
    402: (502, "upstream_auth"),
    403: (502, "upstream_auth"),
    408: (504, "upstream_timeout"),
    429: (429, "upstream_rate_limited"),
    503: (503, "overloaded"),
    504: (504, "upstream_timeout"),
    529: (503, "overloaded"),
}


@dataclass
class Expected:
    """What must come out. `body` is exact; where it is None an error envelope comes, alone or (`events` given) as the
    last event after `events`. `code` and `message` are None where the rules leave them open.
    """

    status: int
    body: bytes | None = None
    events: bytes | None = None
    code: str | None = None
    message: str | None = None
    broken: bool = False  # the connection must be cut instead of ended in order
    notes: list[str] = field(default_factory=list)


def expect(
    stream: bool, wants_usage: bool, status: int, body: bytes, *, field: str = "choices", clean: bool = True
) -> Expected:
    """For an upstream answer of `status` and `body`; `clean` if its framing said that it was whole.

    `field` is what a good answer that is no stream must have.
    """
    if status != 200:
        return _refusal(status, body)
    if stream:
        return _stream(body, wants_usage, clean)
    value = _json(body)
    if clean and isinstance(value, dict) and not value.get("error") and value.get(field) is not None:
        return Expected(200, body)
    return Expected(502)


def upstream_request(body: dict[str, Any], model: str, stream_usage: str) -> dict[str, Any]:
    """What upstream must get: the same members in the same order, but for `model` and the wish for usage.

    `stream_usage` is "option" where the wish is added, "unasked" where it is taken out, else nothing changes.
    """
    sent = dict(body)
    sent["model"] = model
    if body.get("stream") is True and stream_usage == "option":
        sent["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
    if body.get("stream") is True and stream_usage == "unasked" and isinstance(body.get("stream_options"), dict):
        left = {name: value for name, value in body["stream_options"].items() if name != "include_usage"}
        sent = {name: left if name == "stream_options" else value for name, value in sent.items()}
        sent = {name: value for name, value in sent.items() if name != "stream_options" or value}
    return sent


def usage(stream: bool, body: bytes) -> tuple[int, int] | None:
    """Tokens read and written that the ledger must show for a whole answer: what upstream said last, in whole numbers.

    The two totals hold, whatever their parts say; what `total_tokens` has on top of them was thought (or
    heard, where seconds of sound are told). Without
    it, parts that are larger than what was written were written besides. Tokens that were read from a cache and written
    into it count twice. None where nothing to be believed was said.
    """
    texts = [data for data in map(data_of, blocks(body)[0]) if data] if stream else [body]
    found = None
    for value in map(_json, texts):
        said = value.get("usage") if isinstance(value, dict) else None
        if isinstance(value, dict) and not said and isinstance(value.get("x_groq"), dict):
            said = value["x_groq"].get("usage")
        if isinstance(said, dict) and said:
            outs = said.get("completion_tokens_details") or {}
            parts = (outs.get("reasoning_tokens") or 0) + (outs.get("audio_tokens") or 0)
            read, written = said.get("prompt_tokens") or 0, said.get("completion_tokens") or 0
            twice = _cached_twice(said.get("prompt_tokens_details") or {}, read)
            if not said.get("total_tokens"):
                found = (read + twice, written if parts <= written else written + parts)
            else:
                on_top = max(said["total_tokens"] - read - written, 0)
                sound = on_top if said.get("prompt_audio_seconds") not in (None, {}) else 0
                found = (read + twice + sound, written + on_top - sound)
    return found


def _cached_twice(ins: dict[str, Any], read: int) -> int:
    cached, kept = ins.get("cached_tokens") or 0, ins.get("cache_write_tokens") or 0
    return cached if cached == kept and cached + kept > read else 0


def finish(stream: bool, body: bytes) -> str:
    """Why the answer ended, as upstream said last of a stream, or of the first choice."""
    texts = [data for data in map(data_of, blocks(body)[0]) if data] if stream else [body]
    found = ""
    for value in map(_json, texts):
        choices = (value.get("choices") if isinstance(value, dict) else None) or []
        for choice in choices if stream else choices[:1]:
            if isinstance(choice.get("finish_reason"), str):
                found = choice["finish_reason"]
    return found


# streams


def blocks(body: bytes) -> tuple[list[bytes], bytes]:
    """The events of a stream as blocks of lines, LF, without their blank line; and what was left unfinished."""
    text = body.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    *whole, rest = re.split(rb"\n\n", text)
    return [block for block in (one.strip(b"\n") for one in whole) if block], rest.strip(b"\n")


def data_of(block: bytes) -> bytes | None:
    """The data of an event; None if it has no data line."""
    lines = [line for line in block.split(b"\n") if line == b"data" or line.startswith(b"data:")]
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines) if lines else None


def _stream(body: bytes, wants_usage: bool, clean: bool) -> Expected:
    out: list[bytes] = []
    open_choices: set[int] = set()
    finished: set[int] = set()
    content = False
    whole, rest = blocks(body)
    said = rest[5:].strip() if rest.startswith(b"data:") else b""
    if clean and (said == b"[DONE]" or isinstance(_json(said), dict)):
        whole.append(rest)  # a last event without its blank line, told to be whole by the end of the answer
    dropped = 0
    for block in whole:
        data = data_of(block)
        if data is not None and data.strip() == b"[DONE]":
            return Expected(200, b"".join(out) + block + b"\n\n", notes=["usage events dropped"] * dropped)
        event = _json(data) if data is not None else None
        if isinstance(event, dict):
            if event.get("error"):
                return _error_in_stream(event["error"], out, content)
            choices = event.get("choices")
            if choices == [] and event.get("usage") is not None and not wants_usage:
                dropped += 1
                continue
            for choice in choices if isinstance(choices, list) else []:
                index = choice.get("index") or 0
                open_choices.add(index)
                if choice.get("finish_reason") is not None:
                    finished.add(index)
                    content = True
                content = content or _has_content(choice)
        out.append(block + b"\n\n")
    if clean and finished and finished >= open_choices:
        return Expected(200, b"".join(out) + END, notes=["end added"])
    if content:
        return Expected(200, events=b"".join(out), broken=True, notes=["truncated"])
    return Expected(502, notes=["nothing came"])


def _has_content(choice: dict[str, Any]) -> bool:
    delta = choice.get("delta")
    found = [delta.get(name) for name in _CONTENT] if isinstance(delta, dict) else [choice.get("text")]
    return any(value.strip() if isinstance(value, str) else value for value in found)


def _error_in_stream(error: Any, out: list[bytes], content: bool) -> Expected:
    found = error if isinstance(error, dict) else {"message": error}
    numbers = [int(v) for v in (str(found.get(n)) for n in ("code", "status", "status_code")) if v.isdigit()]
    status = next((number for number in numbers if 400 <= number < 600), 0)
    if not status and found.get("type") == "invalid_request_error":
        status = 400
    expected = _refusal(status or 500, json.dumps({"error": found}).encode())
    expected.notes.append("error in stream")
    if content:
        expected.status, expected.events, expected.broken = 200, b"".join(out), True
    return expected


# refusals


def _refusal(status: int, body: bytes) -> Expected:
    said = _message(body)
    plain = said if said and not _SECRETIVE.search(said) and len(said.encode()) <= 4096 else None
    if 300 <= status < 400:
        return Expected(502, code="upstream_redirect")
    if status < 500 and any(word in body.decode("utf-8", "replace").lower() for word in _TOO_LONG):
        return Expected(400, code="context_length_exceeded", message=plain)
    if status == 400 and re.search(
        rb'"(API key not valid|Incorrect API key)|"(no_db_connection|invalid_api_key)"', body
    ):
        return Expected(502, code="upstream_auth")
    if status in _SAME_STATUS:
        return Expected(status, message=plain)
    if status in _OTHER_STATUS:
        ours, code = _OTHER_STATUS[status]
        return Expected(ours, code=code)
    return Expected(502, code="upstream_error")


def _message(body: bytes) -> str | None:
    value = _json(body)
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict):
        several = value.get("errors")
        value = value.get("error", several[0] if isinstance(several, list) and several else value)
    if isinstance(value, dict):
        value = value.get("message", value.get("detail"))
    return value if isinstance(value, str) else None


def _json(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return None
