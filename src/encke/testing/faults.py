"""Behaviours of an upstream that fails: one function a row of the failure matrix, each from an Answer to steps."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from functools import lru_cache
from time import time

import msgspec

from encke.testing import wire
from encke.testing.polite import STREAM_HEAD, Answer, delay, envelope, middle, polite, whole
from encke.testing.script import Fin, PauseReading, ResumeReading, Rst, Send, Sleep, Stall, Step, WaitGone

Behaviour = Callable[[Answer], Iterable[Step]]
MEGABYTE = 1 << 20

STATUSES: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", "invalid_value", "Invalid value for 'temperature': 9 is above the maximum of 2."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-upstream-****."),
    402: ("insufficient_quota", "insufficient_quota", "Insufficient balance."),
    403: ("permission_error", None, "This project has no access to the model."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist."),
    408: ("timeout_error", None, "Request timed out."),
    409: ("conflict_error", None, "Another operation is in progress."),
    413: ("invalid_request_error", "request_too_large", "Request too large."),
    422: ("invalid_request_error", None, "Unprocessable request."),
    425: ("server_error", None, "Too early."),
    500: ("server_error", None, "The server had an error while processing your request."),
    501: ("server_error", None, "Not implemented."),
    502: ("server_error", None, "Bad gateway."),
    503: ("server_error", "overloaded", "The engine is currently overloaded."),
    504: ("server_error", None, "Gateway timeout."),
    529: ("overloaded_error", None, "Overloaded"),
}


def refused(answer: Answer, status: int, kind: str, code: str | None, message: str) -> bytes:
    """The body of an error, as the answer's wire has it."""
    return msgspec.json.encode(answer.refusal(status, kind, code, message))


def error(status: int) -> Behaviour:
    """A refusal with `status`."""
    return lambda answer: whole(answer, refused(answer, status, *STATUSES[status]), status)


def limited(header: str, value: Callable[[Answer], str], status: int = 429) -> Behaviour:
    """A refusal with retry advice."""
    words = ("tokens", "rate_limit_exceeded", "Rate limit reached; try again later.")
    return lambda answer: whole(answer, refused(answer, status, *words), status, [(header, value(answer))])


def _retry_date(answer: Answer) -> str:
    return formatdate(time() + answer.options.seconds, usegmt=True)


def before(*steps: Step) -> Behaviour:
    """Steps instead of an answer."""
    return lambda answer: [*delay(answer.options), *steps]


def then(*steps: Step) -> Behaviour:
    """The polite answer up to its middle, then steps."""
    return lambda answer: [*middle(answer), *steps]


def raw_200(content_type: str, body: bytes) -> Behaviour:
    """A 200 with a body that is no answer."""
    response = wire.http_response(200, [("content-type", content_type)], body)
    return lambda answer: [*delay(answer.options), Send(response)]


def half_json(answer: Answer) -> list[Step]:
    """Correct framing around JSON that stops half way."""
    body = msgspec.json.encode(answer.reply())
    return whole(answer, body[: len(body) // 2])


def short_body(answer: Answer) -> list[Step]:
    """Content-Length promises more than comes before an orderly end."""
    response = wire.json_response(200, answer.reply())
    return [Send(response[:-20]), Fin()]


def body_over_cap(answer: Answer) -> Iterator[Step]:
    """A JSON answer whose content never seems to end, chunked."""
    yield Send(wire.head(200, [wire.JSON, wire.CHUNKED]) + wire.chunk(b'{"choices":[{"message":{"content":"'))
    for _ in range(answer.options.megabytes):
        yield Send(wire.chunk(b"x" * MEGABYTE))
    yield Send(wire.chunk(b'"}}]}') + wire.LAST_CHUNK)


def body_over_cap_declared(answer: Answer) -> Iterator[Step]:
    """The same with a Content-Length, so that it could be refused at once."""
    start, end = b'{"choices":[{"message":{"content":"', b'"}}]}'
    size = len(start) + answer.options.megabytes * MEGABYTE + len(end)
    yield Send(wire.head(200, [wire.JSON, ("content-length", str(size))]) + start)
    for _ in range(answer.options.megabytes):
        yield Send(b"x" * MEGABYTE)
    yield Send(end)


def endless_line(answer: Answer) -> Iterator[Step]:
    """A stream with one SSE line of `megabytes`."""
    yield Send(STREAM_HEAD + wire.chunk(b"data: "))
    for _ in range(answer.options.megabytes * 16):
        yield Send(wire.chunk(b"x" * (MEGABYTE // 16)))
    yield Send(wire.chunk(b"\n\n") + wire.LAST_CHUNK)


def extra_headers(*headers: tuple[str, str]) -> Behaviour:
    """The polite JSON answer under a head that is too much."""
    return lambda answer: whole(answer, msgspec.json.encode(answer.reply()), 200, headers)


def gzipped(answer: Answer) -> list[Step]:
    """The polite body with gzip, though nobody asked for it."""
    kind, body = wire.JSON, msgspec.json.encode(answer.reply())
    if answer.request.stream:
        kind, body = wire.EVENT_STREAM, b"".join(data for data, _ in [*answer.events(), *answer.done])
    return [Send(wire.http_response(200, [kind, ("content-encoding", "gzip")], gzip.compress(body)))]


@lru_cache(maxsize=4)
def _bomb(megabytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*(packer.compress(b" " * MEGABYTE) for _ in range(megabytes)), packer.flush()])


def gzip_bomb(answer: Answer) -> list[Step]:
    """A thousandth of `megabytes` on the wire."""
    head = [wire.JSON, ("content-encoding", "gzip")]
    return [Send(wire.http_response(200, head, _bomb(answer.options.megabytes)))]


def redirect(status: int) -> Behaviour:
    """To wherever the options say."""
    return lambda answer: [Send(wire.http_response(status, [("location", answer.options.location)], b""))]


EARLY = wire.json_response(400, envelope(*STATUSES[400]), [("connection", "close")])

FAULTS: dict[str, Behaviour] = {
    **{str(status): error(status) for status in STATUSES},
    "429": lambda answer: whole(answer, refused(answer, 429, "tokens", None, "Rate limit reached."), 429),
    "429_seconds": limited("retry-after", lambda answer: str(answer.options.seconds)),
    "429_ms": limited("retry-after-ms", lambda answer: str(answer.options.seconds * 1000)),
    "429_date": limited("retry-after", _retry_date),
    "429_absurd": limited("retry-after", lambda _: "99999999999999999999"),
    "503_seconds": limited("retry-after", lambda answer: str(answer.options.seconds), 503),
    "429_garbage": limited("retry-after", lambda _: "soon, -5"),
    "reset_before_head": before(Rst()),
    "fin_before_head": before(Fin()),
    "reset_in_head": before(Send(b"HTTP/1.1 200 OK\r\ncontent-ty"), Rst()),
    "fin_in_head": before(Send(b"HTTP/1.1 200 OK\r\ncontent-ty"), Fin()),
    "reset_mid_stream": then(Sleep(0.01), Rst()),
    "fin_mid_stream": then(Fin()),
    "stall_before_head": before(Stall()),
    "stall_in_head": before(Send(b"HTTP/1.1 200 OK\r\n"), Stall()),
    "stall_mid_stream": then(Stall()),
    "garbage_200": raw_200("application/json", b"\x00\xff\xfe{]not json at all"),
    "garbage_http": before(Send(b"\x16\x03\x01SSH-2.0-nothing like HTTP\r\n\r\n"), Fin()),
    "html_200": raw_200("text/html; charset=utf-8", b"<!doctype html><title>Sign in</title><h1>Captive portal</h1>"),
    "empty_200": raw_200("application/json", b""),
    "null_200": raw_200("application/json", b"null"),
    "half_json": half_json,
    "short_body": short_body,
    "body_over_cap": body_over_cap,
    "body_over_cap_declared": body_over_cap_declared,
    "endless_line": endless_line,
    "header_over_64k": extra_headers(("x-long", "h" * 70_000)),
    "many_headers": extra_headers(*((f"x-h{n}", "v") for n in range(100_000))),
    "gzip_though_identity": gzipped,
    "gzip_bomb": gzip_bomb,
    "redirect_301": redirect(301),
    "redirect_302": redirect(302),
    "redirect_307": redirect(307),
    "error_200": lambda answer: whole(answer, refused(answer, 500, *STATUSES[500])),
    "early_400_before_body": before(PauseReading(), Send(EARLY), Sleep(0.3), ResumeReading(), WaitGone(2), Fin()),
    "close_after_answer": lambda answer: [*polite(answer), Fin()],
    "reset_after_answer": lambda answer: [*polite(answer), Sleep(0.05), Rst()],
}
