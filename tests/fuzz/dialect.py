"""The wire format's readers: what callers and providers send, of whatever shape, gives a value or a Fault."""

from __future__ import annotations

import json
import re

import msgspec

from encke.core.faults import FAULTS, Fault
from encke.core.usage import Usage
from encke.dialects.faults import MAX_TEXT, fault_in_stream, parse_fault, parse_retry_after, redact
from encke.dialects.openai_chat.faults import render_fault
from encke.dialects.openai_chat.parse import parse_reply, parse_request, parse_usage
from encke.dialects.openai_chat.render import render_request
from encke.dialects.openai_chat.stream import ChatTap, is_whole
from encke.dialects.openai_chat.usage import MOST_TOKENS
from encke.dialects.openai_chat.wire import ROUTES
from encke.dialects.port import ERROR
from tests.fuzz.bits import Bits

NAMES = tuple(ROUTES)
STATUSES = (*range(300, 310), *range(400, 432), 451, 499, *range(500, 512), 529, 599, 600, 999, 199, 204)
ENDS = (b"\n\n", b"\n")
READ = frozenset({"invalid_json", "missing_required_parameter", "invalid_type", "invalid_value"})
USAGE_OPTIONS = ("option", "always", "never")


def request(data: bytes) -> None:
    """Only Faults of the caller's; what is taken goes on as it was read, but for the model and the usage option."""
    bits = Bits(data)
    route, option = NAMES[bits.number(4)], USAGE_OPTIONS[bits.number(3)]
    body = bits.rest
    try:
        read = parse_request(route, body)
    except Fault as fault:
        assert fault.code in READ and fault.status == 400, fault
        _is_envelope(fault)
        return
    sent = b"".join(render_request(read, "other/model", option))
    again = parse_request(route, sent)
    assert again.model == "other/model" and again.stream == read.stream
    # Python's own reader has the last word on what the body said. It has a limit of depth, and one of digits.
    try:
        said, forwarded = json.loads(body), json.loads(sent)
    except (RecursionError, ValueError) as error:
        assert isinstance(error, RecursionError) or "digits" in str(error), error
        return
    asks = read.stream and option == "option"
    assert list(said) == list(read.body) == list(forwarded)[: len(said)]
    for key, value in said.items():
        if key == "stream_options" and asks:
            assert repr({**(value or {}), "include_usage": True}) == repr(forwarded[key])
        elif key != "model":
            assert repr(value) == repr(forwarded[key])
    assert set(forwarded) - set(said) <= ({"stream_options"} if asks else set())


def reply(data: bytes) -> None:
    """Only Faults of the provider's; usage is none, or can be believed."""
    bits = Bits(data)
    route = NAMES[bits.number(4)]
    try:
        read = parse_reply(route, bits.rest)
    except Fault as fault:
        assert fault.status >= 500 and FAULTS[fault.code].owner == "upstream", fault
        _is_envelope(fault)
        return
    assert isinstance(read.finish_reason, str)
    if read.usage is not None:
        _is_believable(read.usage)


def usage(data: bytes) -> None:
    """Buckets are never negative, and never beyond what a call can use."""
    read = parse_usage(msgspec.Raw(data))
    if read is not None:
        _is_believable(read)


def _is_believable(read: Usage) -> None:
    buckets = [getattr(read, name) for name in read.__struct_fields__]
    assert all(isinstance(value, int) and value >= 0 for value in buckets), read
    assert max(buckets) <= MOST_TOKENS, read


def tap(data: bytes) -> None:
    """A tap never raises, counts only upwards, and an error always comes with its Fault."""
    bits = Bits(data)
    watching, end = ChatTap(bool(bits.number(2))), ENDS[bits.number(2)]
    before = 0
    for event in bits.rest.split(end):
        flags = watching.feed(event)
        assert 0 <= flags < 16
        assert watching.content_bytes >= before
        before = watching.content_bytes
        if flags & ERROR:
            assert watching.fault is not None
            _is_envelope(watching.fault)
        if watching.usage is not None:
            _is_believable(watching.usage)
        assert isinstance(is_whole(event), bool) and isinstance(watching.finish_reason, str)


def fault(data: bytes) -> None:
    """A provider's refusal becomes a Fault of the right side, whose text is short, printable and holds no secret."""
    bits = Bits(data)
    status = STATUSES[bits.number(len(STATUSES))]
    body = bits.rest
    made = parse_fault(status, body, None)
    _is_envelope(made)
    if status >= 500:
        assert made.status >= 500, made
    if 300 <= status < 400:
        assert made.code == "upstream_redirect"
    _is_clean(body)
    try:
        raw = msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return
    _is_envelope(fault_in_stream(raw))


def _is_clean(body: bytes) -> None:
    text = redact(body.decode("utf-8", "surrogateescape"))
    assert len(text.encode("utf-8", "replace")) <= MAX_TEXT + 3
    assert all(char.isprintable() or char in "\n\t" for char in text)
    assert not re.search(r"\bsk-[A-Za-z0-9]{12}|\bhttps?://[a-z0-9]{2}", text), text


def _is_envelope(fault: Fault) -> None:
    """It can be told to a caller: JSON that every reader takes."""
    assert fault.code in FAULTS and 400 <= fault.status <= 599
    said = json.loads(render_fault(fault, "id").decode())
    assert set(said["error"]) == {"message", "type", "param", "code"} and said["error"]["message"]
    assert len(said["error"]["message"].encode("utf-8", "replace")) <= 2 * MAX_TEXT


def retry_after(data: bytes) -> None:
    """A wait is 1 to 600 seconds, or nothing can be told."""
    bits = Bits(data)
    scale = (1.0, 1000.0)[bits.number(2)]
    seconds = parse_retry_after(bits.rest.decode("latin-1"), 1_795_000_000.0, scale)
    assert seconds is None or 1.0 <= seconds <= 600.0
