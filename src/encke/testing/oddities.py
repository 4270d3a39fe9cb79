"""Behaviours of an upstream that answers, but oddly: framing, streams and usage that a gateway must read or refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from encke.testing import wire
from encke.testing.faults import Behaviour
from encke.testing.polite import STREAM_HEAD, Answer, polite, stream, usage, whole
from encke.testing.script import Fin, Send, Sleep, Step

Events = list[tuple[bytes, int]]
COMMENT = (b": still working\n\n", 0)


def events(change: Callable[[Answer, Events], Events]) -> Behaviour:
    """Change the events of a polite stream (the last is its end mark); an answer that is not streamed stays polite."""

    def behave(answer: Answer) -> list[Step]:
        return (
            stream(answer, change(answer, [*answer.events(), *answer.done]))
            if answer.request.stream
            else polite(answer)
        )

    return behave


def stream_bytes(change: Callable[[bytes], bytes], size: int = 0) -> Behaviour:
    """Change the text of a polite stream; with `size`, cut it into chunks of that many bytes."""

    def behave(answer: Answer) -> list[Step]:
        if not answer.request.stream:
            return polite(answer)
        body = change(b"".join(data for data, _ in [*answer.events(), *answer.done]))
        step = size or max(len(body), 1)
        cut = [Send(wire.chunk(body[at : at + step])) for at in range(0, len(body), step)]
        return [Send(answer.stream_head), *cut, Send(wire.LAST_CHUNK, len(answer.pieces))]

    return behave


def with_usage(value: Callable[[Answer], Any]) -> Behaviour:
    """A polite answer with another usage; `None` leaves it out."""

    def behave(answer: Answer) -> list[Step]:
        answer.usage = value(answer)
        if answer.request.stream:
            end = [*answer.events(), *answer.done]
            return stream(answer, end if answer.usage is not None else [one for one in end if b'"usage"' not in one[0]])
        reply = answer.reply()
        if answer.usage is None:
            del reply["usage"]
        return whole(answer, msgspec.json.encode(reply))

    return behave


def _split_utf8(answer: Answer) -> list[Step]:
    """Text of two, three and four bytes a character, each byte in a chunk of its own."""
    answer.pieces = [*answer.pieces, " é 漢字 🙂", " ñ"]
    if answer.request.stream:
        body = b"".join(wire.event(one) for one in (answer.opening(), *answer.contents(), *answer.closing(), "[DONE]"))
    else:
        body = msgspec.json.encode(answer.reply())
    kind = wire.EVENT_STREAM if answer.request.stream else wire.JSON
    steps: list[Step] = [Send(wire.head(200, [kind, wire.CHUNKED]))]
    steps += [Send(wire.chunk(body[at : at + 1])) for at in range(len(body))]
    return [*steps, Send(wire.LAST_CHUNK, len(answer.pieces))]


def _backwards(answer: Answer, sent: Events) -> Events:
    """Usage in every content chunk, and it shrinks."""
    counted = zip(answer.pieces, range(len(answer.pieces) + 5, 5, -1), strict=True)
    chunks = [answer.chunk({"content": piece}, usage=usage(9, count)) for piece, count in counted]
    return [sent[0], *((wire.event(one), 1) for one in chunks), *sent[1 + len(answer.pieces) :]]


def _blank_first(answer: Answer, sent: Events) -> Events:
    """Content that is nothing but white space before the real one."""
    blanks = [answer.chunk({"content": text}) for text in ("", " \n", "\t")]
    return [sent[0], *((wire.event(one), 0) for one in blanks), *sent[1:]]


def _body(answer: Answer) -> tuple[tuple[str, str], bytes]:
    if answer.request.stream:
        return wire.EVENT_STREAM, b"".join(data for data, _ in [*answer.events(), *answer.done])
    return wire.JSON, msgspec.json.encode(answer.reply())


def _http10(answer: Answer) -> list[Step]:
    """HTTP/1.0: no length, the end of the connection ends the body."""
    kind, body = _body(answer)
    return [Send(wire.head(200, [kind], "HTTP/1.0") + body, len(answer.pieces)), Fin()]


def _http10_cut(answer: Answer) -> list[Step]:
    """The same without its end: nothing in HTTP says that something is missing."""
    kind, body = _body(answer)
    keep = body.rindex(b"data:", 0, body.rindex(b"[DONE]") - 8) if answer.request.stream else len(body) // 2
    return [Send(wire.head(200, [kind], "HTTP/1.0") + body[:keep]), Fin()]


def _trailers(answer: Answer) -> list[Step]:
    """Chunked, with trailer fields after the last chunk."""
    kind, body = _body(answer)
    head = wire.head(200, [kind, wire.CHUNKED, ("trailer", "x-checksum, x-cost")])
    return [Send(head), Send(wire.chunk(body), len(answer.pieces)), Send(b"0\r\nx-checksum: 1\r\nx-cost: 2\r\n\r\n")]


def _interim(answer: Answer) -> list[Step]:
    """Three 1xx answers before the real one."""
    link = wire.head(103, [("link", "</style.css>; rel=preload")])
    return [Send(wire.head(100)), Sleep(0.01), Send(link + wire.head(102)), Sleep(0.01), *polite(answer)]


def _big_stream(answer: Answer) -> Iterator[Step]:
    """`megabytes` of content in events of 16 KiB, as fast as the peer reads."""
    one = wire.chunk(wire.event(answer.chunk({"content": "x" * 16_000})))
    yield Send(STREAM_HEAD + wire.chunk(wire.event(answer.opening())))
    for _ in range(answer.options.megabytes * 64):
        yield Send(one, 1)
    yield Send(b"".join(wire.chunk(wire.event(last)) for last in (*answer.closing(), "[DONE]")) + wire.LAST_CHUNK)


def _slow(answer: Answer) -> list[Step]:
    """Pieces with a pause after each: `interval`, or 50 ms."""
    interval = answer.options.interval or 0.05
    answer.options = msgspec.structs.replace(answer.options, interval=interval)
    return polite(answer)


def framed(headers: list[tuple[str, str]], change: Callable[[bytes], bytes] = lambda body: body) -> Behaviour:
    """The polite JSON body under a framing of our own; `{n}` in a header is its length."""

    def behave(answer: Answer) -> list[Step]:
        body = msgspec.json.encode(answer.reply())
        given = [(name, value.format(n=len(body), more=len(body) + 5)) for name, value in headers]
        return [Send(wire.head(200, [wire.JSON, *given]) + change(body), len(answer.pieces))]

    return behave


def _after(more: bytes) -> Behaviour:
    return lambda answer: [*polite(answer)[:-1], _appended(polite(answer)[-1], more)]


def _appended(step: Step, more: bytes) -> Step:
    assert isinstance(step, Send)
    return Send(step.data + more, step.tokens)


SMUGGLED = wire.json_response(200, {"id": "smuggled", "choices": []})

ODDITIES: dict[str, Behaviour] = {
    "polite": polite,
    "slow_chunks": _slow,
    "big_stream": _big_stream,
    "sse_no_terminal": events(lambda answer, sent: sent[: 1 + len(answer.pieces)]),
    "missing_done": events(lambda answer, sent: sent[: len(sent) - len(answer.done)]),
    "empty_stream": events(lambda *_: []),
    "done_only": events(lambda answer, _: answer.done),
    "data_after_done": events(lambda answer, sent: [*sent, (wire.event(answer.chunk({"content": "late"})), 0)]),
    "doubled_done": events(lambda answer, sent: [*sent, *answer.done]),
    "comments": events(lambda _, sent: [COMMENT, *(part for one in sent for part in (one, COMMENT))]),
    "whitespace_then_content": events(_blank_first),
    "error_in_stream": events(lambda answer, sent: [*sent[: 1 + answer.options.after], (answer.broken, 0)]),
    "error_first_in_stream": events(lambda answer, _: [(answer.broken, 0)]),
    "bad_event": events(lambda answer, sent: [*sent[:2], (b"data: {not json\n\n", 0), *sent[2:]]),
    "bom": stream_bytes(lambda body: b"\xef\xbb\xbf" + body),
    "bare_cr": stream_bytes(lambda body: body.replace(b"\n", b"\r")),
    "crlf": stream_bytes(lambda body: body.replace(b"\n", b"\r\n")),
    "multi_line_data": stream_bytes(lambda body: body.replace(b'"choices":', b'\ndata: "choices":')),
    "no_space_after_colon": stream_bytes(lambda body: body.replace(b"data: ", b"data:")),
    "chunk_dust": stream_bytes(lambda body: body, size=1),
    "split_utf8": _split_utf8,
    "usage_missing": with_usage(lambda _: None),
    "usage_negative": with_usage(lambda _: usage(-5, -7)),
    "usage_float": with_usage(lambda _: {"prompt_tokens": 5.5, "completion_tokens": 1e3, "total_tokens": 1005.5}),
    "usage_string": with_usage(lambda _: {"prompt_tokens": "5", "completion_tokens": "many", "total_tokens": None}),
    "usage_huge": with_usage(lambda _: usage(10**15, 10**18)),
    "usage_backwards": events(_backwards),
    "http10_close_delimited": _http10,
    "http10_close_delimited_stream": _http10,
    "http10_stream_cut": _http10_cut,
    "trailers": _trailers,
    "1xx_then_answer": _interim,
    "extra_bytes": _after(b"extra bytes that nobody asked for"),
    "two_responses": _after(SMUGGLED),
    "length_and_chunked": framed([("content-length", "{n}"), wire.CHUNKED], wire.chunked),
    "two_lengths": framed([("content-length", "{n}"), ("content-length", "{more}")]),
    "negative_length": framed([("content-length", "-{n}")]),
    "bad_chunk_size": framed([wire.CHUNKED], lambda body: b"zz\r\n" + body + b"\r\n0\r\n\r\n"),
    "folded_header": framed([("content-length", "{n}\r\nx-folded: a\r\n b")]),
}
