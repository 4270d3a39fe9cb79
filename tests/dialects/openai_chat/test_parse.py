"""Requests are read as far as the gateway needs them; what it reads is checked, what it does not read is kept."""

from __future__ import annotations

import json
import tracemalloc
from typing import Any

import pytest

from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.body import MOST_FIELDS
from encke.dialects.openai_chat.parse import parse_reply, parse_request

GOOD: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
ROUTES: dict[str, dict[str, Any]] = {
    "chat": {"messages": []},
    "completions": {"prompt": "Hi"},
    "embeddings": {"input": ["Hi"]},
    "moderations": {"input": "Hi"},
}


def encode(value: object) -> bytes:
    return json.dumps(value).encode()


def refused(data: bytes, route: str = "chat") -> Fault:
    """The fault of a body that must not be read."""
    with pytest.raises(Fault) as caught:
        parse_request(route, data)
    fault = caught.value
    assert fault.status == 400 and fault.kind.owner == "caller" and fault.verdict == "stop"
    return fault


def test_what_is_read() -> None:
    """Model, stream and the wish for usage; the body keeps every field in its order, as raw JSON."""
    options = b'"stream":true, "stream_options":{"include_usage":true}'
    data = b'{"x": [1, 2], "model":"a/b", "messages": [ ], %b , "y":1e2}' % options
    request = parse_request("chat", data)
    assert (request.model, request.stream, request.include_usage) == ("a/b", True, True)
    assert list(request.body) == ["x", "model", "messages", "stream", "stream_options", "y"]
    assert bytes(request.body["x"]) == b"[1, 2]" and bytes(request.body["y"]) == b"1e2"


def test_a_repeated_key_counts_once() -> None:
    """The last of several same keys wins, for us and for upstream."""
    request = parse_request("chat", b'{"model":"a","messages":[],"stream":true,"model":"b","stream":false}')
    assert (request.model, request.stream) == ("b", False)
    assert bytes(request.body["model"]) == b'"b"'


def test_names_are_decoded() -> None:
    """Escapes in the model's name and in keys mean what they stand for."""
    request = parse_request("chat", rb'{"m\u006fdel":"caf\u00e9","messages":[]}')
    assert request.model == "café"


@pytest.mark.parametrize("value", [1, 1.5, True, None, [], {}])
def test_model_must_be_a_string(value: object) -> None:
    """Any other type is an invalid_type that names it."""
    fault = refused(encode({**GOOD, "model": value}))
    assert (fault.code, fault.param) == ("invalid_type", "model")
    assert "`model` must be a string, not " in fault.message


def test_model_must_be_there_and_of_a_fair_length() -> None:
    """Absent, empty and endless names."""
    assert refused(encode({"messages": []})).code == "missing_required_parameter"
    assert refused(encode({**GOOD, "model": ""})).code == "invalid_value"
    assert refused(encode({**GOOD, "model": "x" * 257})).code == "invalid_value"
    assert parse_request("chat", encode({**GOOD, "model": "x" * 256})).model == "x" * 256


@pytest.mark.parametrize("route", ROUTES)
def test_the_routes_own_field_must_be_there(route: str) -> None:
    """Messages, prompt or input: absent or of a wrong type, by name."""
    (field,) = ROUTES[route]
    assert parse_request(route, encode({"model": "m", **ROUTES[route]})).stream is False
    missing = refused(encode({"model": "m"}), route)
    assert (missing.code, missing.param) == ("missing_required_parameter", field)
    for value in (1, 1.5, True, None, {}, *(("text",) if route == "chat" else ())):
        wrong = refused(encode({"model": "m", field: value}), route)
        assert (wrong.code, wrong.param) == ("invalid_type", field), value


@pytest.mark.parametrize("value", [0, 1, 1.5, "true", "", [], {}])
def test_stream_must_be_a_boolean(value: object) -> None:
    """Nothing is taken for true or false."""
    fault = refused(encode({**GOOD, "stream": value}))
    assert (fault.code, fault.param) == ("invalid_type", "stream")


def test_stream_null_is_false() -> None:
    """SDKs send null for what was not given."""
    assert parse_request("chat", encode({**GOOD, "stream": None, "stream_options": None})).stream is False
    assert parse_request("chat", encode({**GOOD, "stream": True, "stream_options": None})).include_usage is False


@pytest.mark.parametrize("options", [1, True, "x", [], {"include_usage": 1}, {"include_usage": "yes"}])
def test_stream_options_are_checked(options: object) -> None:
    """They are an object, and the wish for usage is a boolean."""
    fault = refused(encode({**GOOD, "stream": True, "stream_options": options}))
    assert fault.code == "invalid_type" and (fault.param or "").startswith("stream_options")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"  ",
        b"{",
        b"{}x",
        b"{'model':'m'}",
        b'{"model":"m",}',
        b'{"model":"m","messages":[NaN]}',
        b'{"model":"m","messages":[],"temperature":NaN}',
        b'{"model":"m","messages":[],"temperature":-Infinity}',
        b'{"model":"m","messages":[],"stop":"\n"}',
        b'{"model":"\\ud800","messages":[]}',
        b'{"model":"m","messages":[}',
        b'\xef\xbb\xbf{"model":"m","messages":[]}',
        b'{"model":"m","messages":["\xff"]}',
        '{"model":"m","messages":[]}'.encode("utf-16"),
        b"[]",
        b"1",
        b'"x"',
        b"null",
        b"true",
    ],
)
def test_what_is_not_a_json_object_is_refused(data: bytes) -> None:
    """Bad syntax, bad UTF-8, NaN, and JSON that is no object: 400 invalid_json, never a crash."""
    fault = refused(data)
    assert fault.code == "invalid_json"
    assert fault.message


@pytest.mark.parametrize("where", [b'"messages":%b', b'"messages":[],"x":%b', b'"messages":[],"stream":%b'])
@pytest.mark.parametrize("pair", [(b"[", b"]"), (b'{"a":', b"}")])
def test_deep_nesting_does_not_crash(where: bytes, pair: tuple[bytes, bytes]) -> None:
    """A body nested a million deep is either refused with a 400 or kept as it is."""
    deep = pair[0] * 1_000_000 + b"1" + pair[1] * 1_000_000
    data = b'{"model":"m",' + where % deep + b"}"
    try:
        request = parse_request("chat", data)
    except Fault as fault:
        assert fault.status == 400
    else:
        assert deep in [bytes(value) for value in request.body.values()]


# answers


def test_a_good_reply() -> None:
    """Usage and the first choice's end are read."""
    reply = parse_reply(
        "chat", b'{"choices":[{"finish_reason":"length"}],"usage":{"prompt_tokens":3,"completion_tokens":4}}'
    )
    assert (reply.usage, reply.finish_reason) == (Usage(input=3, output=4), "length")


@pytest.mark.parametrize(
    "route, field", [("embeddings", "data"), ("moderations", "results"), ("completions", "choices")]
)
def test_replies_of_the_other_routes(route: str, field: str) -> None:
    """Each route has the field that makes its answer one."""
    assert parse_reply(route, encode({field: []})).usage is None
    with pytest.raises(Fault, match=field):
        parse_reply(route, encode({"other": []}))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"{}",
        b'{"choices":null}',
        b'{"choices":3}',
        b'{"choices":["x"]}',
        b"<html>",
        b"\xff",
        b'{"choices":[],"x":"\xf6"}',
        b"[" * 10**6,
    ],
)
def test_what_is_no_reply_is_refused(data: bytes) -> None:
    """It is the provider's fault, and another may be tried."""
    with pytest.raises(Fault) as caught:
        parse_reply("chat", data)
    assert (caught.value.code, caught.value.verdict) == ("upstream_bad_response", "next")


def test_an_error_inside_a_200_is_an_error() -> None:
    """Some providers answer 200 with an error object."""
    with pytest.raises(Fault) as caught:
        parse_reply("chat", b'{"error":{"message":"no"},"choices":[]}')
    assert caught.value.code == "upstream_error"
    assert parse_reply("chat", b'{"error":null,"choices":[{}]}').finish_reason == ""


LONG = b'"t":"' + b"x" * (1 << 20) + b'"'


@pytest.mark.parametrize("name", [b'"%x":1', b'"%x" :1', b'"%x"\t\n:1', b'"%x\\\\":1'])
def test_very_many_fields(name: bytes) -> None:
    """A large body may not name more fields than any request does, however the colons are written."""
    start = b'{"model":"m","messages":[],' + LONG
    few, many = (b",".join(name % number for number in range(count)) for count in (50_000, MOST_FIELDS + 1))
    assert len(parse_request("chat", start + b"," + few + b"}").body) == 50_003
    with pytest.raises(Fault, match="more than 100000 fields") as raised:
        parse_request("chat", start + b"," + many + b"}")
    assert raised.value.code == "invalid_json"


@pytest.mark.parametrize("text", [b'{\\"name\\":1},', b"a: b, c: d\\n", b'\\": '])
def test_json_inside_a_prompt_is_text(text: bytes) -> None:
    """A prompt may hold as many names and colons as fit."""
    body = b'{"model":"m","messages":[{"role":"user","content":"' + text * 400_000 + b'"}]}'
    assert parse_request("chat", body).model == "m"


@pytest.mark.parametrize("at", [10, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f\x98"])
def test_utf8_is_checked_to_the_end(at: int, bad: bytes) -> None:
    """Large bodies are checked in pieces: characters across the seams pass, wrong bytes are told by their place."""
    euro = "€😀é".encode() * ((4 << 20) // 9)
    good = b'{"model":"m","messages":[],"t":"' + euro + b'"}'
    assert parse_request("chat", good).model == "m"
    cut = len('{"model":"m","messages":[],"t":"') + 9 * (at // 9)
    with pytest.raises(Fault, match=f"not UTF-8: byte {cut}") as raised:
        parse_request("chat", good[:cut] + bad + b" " + good[cut:])
    assert raised.value.code == "invalid_json"


@pytest.mark.parametrize(
    "choice", [b"{}", b'{"finish_reason":[]}', b'{"message":{"content":"x"},"finish_reason":"stop"}']
)
def test_millions_of_choices_are_not_looked_at(choice: bytes) -> None:
    """They would stop everybody else for seconds: no object is made of any of them, and the rest is read."""
    data = b'{"choices":[%b],"usage":{"prompt_tokens":7,"completion_tokens":2}}' % b",".join([choice] * 200_000)
    tracemalloc.start()
    try:
        reply = parse_reply("chat", data)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (reply.usage, reply.finish_reason) == (Usage(input=7, output=2), "")
    assert most < 1 << 20, "about forty bytes for each of them"


@pytest.mark.parametrize("choices", [b'"%b"' % (b"{" * 300_000), b"{%b}" % b",".join([b'"a":{}'] * 60_000), b"7"])
def test_choices_that_are_none(choices: bytes) -> None:
    """However large: what is no list of choices is no answer."""
    with pytest.raises(Fault) as raised:
        parse_reply("chat", b'{"choices":%b}' % choices)
    assert raised.value.code == "upstream_bad_response"


@pytest.mark.parametrize(
    ("finish", "told"),
    [(b'"stop"', "stop"), (b"null", ""), (b"[1]", ""), (b'{"a":1}', ""), (b'"' + b"x" * 500 + b'"', ""), (b"7", "")],
)
def test_odd_ends_are_no_reason(finish: bytes, told: str) -> None:
    """An end that is no text, or too long a one, is left out; the answer is good. (Usage of an odd type beside it.)"""
    reply = parse_reply("chat", b'{"choices":[{"finish_reason":%b}],"usage":{"prompt_tokens":"x"}}' % finish)
    assert (reply.usage, reply.finish_reason) == (None, told)


def test_a_large_answer_of_few_choices_is_read() -> None:
    """What the bound is for is many objects, not a long text."""
    data = b'{"choices":[{"message":{"content":"%b"},"finish_reason":"length"}]}' % (b"{" * 40_000 + b"x" * 400_000)
    assert parse_reply("chat", data).finish_reason == "length"
