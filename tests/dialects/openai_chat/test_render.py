"""What goes to upstream is what came in, but for the model's name and the wish for usage."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.faults import Fault
from encke.dialects.openai_chat.parse import parse_request
from encke.dialects.openai_chat.render import render_request

BODY = (
    b'{"z":1.10,"model":"ours","messages":[ {"content":"\\u00e9\\/ \xc3\xa9", "role":"user"} ],"a":{"y":1,"x":[1E3]}%b}'
)


def render(extra: bytes = b"", stream_usage: str = "option") -> bytes:
    return b"".join(render_request(parse_request("chat", BODY % extra), "theirs", stream_usage))


def test_only_the_model_changes() -> None:
    """Order, numbers, escapes and white space inside of values stay to the byte."""
    assert render() == (BODY % b"").replace(b'"ours"', b'"theirs"')
    assert render(b',"stream":false') == (BODY % b',"stream":false').replace(b'"ours"', b'"theirs"')


@pytest.mark.parametrize("given", [b"", b',"stream_options":null'])
def test_usage_is_asked_for_in_streams(given: bytes) -> None:
    """Where the provider has the option."""
    sent = json.loads(render(b',"stream":true' + given))
    assert sent["stream_options"] == {"include_usage": True}


def test_other_stream_options_stay() -> None:
    """Only the one member is set, where it stood."""
    given = b',"stream":true,"stream_options":{"include_usage":false,"include_obfuscation": false}'
    assert render(given).endswith(b'"stream_options":{"include_usage":true,"include_obfuscation":false}}')


@pytest.mark.parametrize("how", ["always", "never"])
def test_usage_is_not_asked_for_where_there_is_no_option(how: str) -> None:
    """The body goes as it came."""
    assert b"stream_options" not in render(b',"stream":true', how)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (b"", None),
        (b',"stream_options":{"include_usage":true}', None),
        (b',"stream_options":{"include_usage":true,"x": 1}', b'"stream_options":{"x":1}}'),
        (b',"stream_options":null', b'"stream_options":null}'),
        (b',"stream_options":{}', None),
    ],
)
def test_the_wish_is_left_out_where_it_would_be_refused(given: bytes, sent: bytes | None) -> None:
    """Usage comes all the same; what else stands in the options stays."""
    body = render(b',"stream":true' + given, "unasked")
    assert b"stream_options" not in body if sent is None else body.endswith(sent)


def test_what_the_client_asked_stays_as_it_is() -> None:
    """A client that asks for usage itself."""
    given = b',"stream":true,"stream_options":{ "include_usage" : true }'
    assert render(given).endswith(b'"stream_options":{ "include_usage" : true }}')


def test_the_upstream_name_is_encoded() -> None:
    """Names with quotes and letters beyond ASCII."""
    request = parse_request("chat", BODY % b"")
    assert json.loads(b"".join(render_request(request, 'a"é', "never")))["model"] == 'a"é'


KEYS = st.sampled_from(['"model"', '"messages"', '"a"', '"\\u0061"', '"é"', '"mo\\u0064el"', '"stream"', '""'])
VALUES = st.sampled_from(['"ours"', "[]", '[{"model":"x"}]', '"é"', "1", "null", '{"a" : 1}', "false", '"a\\"b"'])
SPACES = st.sampled_from(["", "", "", "", "", " ", "\n", "\t "])


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Objects with odd keys, repeated ones, and white space anywhere."""
    members = draw(st.lists(st.tuples(KEYS, VALUES), max_size=6))
    members += [('"model"', '"ours"'), ('"messages"', "[]")]
    space = [draw(SPACES) for _ in range(4)]
    text = f"{space[0]},{space[1]}".join(f"{key}{space[2]}:{space[3]}{value}" for key, value in members)
    return f"{draw(SPACES)}{{{draw(SPACES)}{text}{draw(SPACES)}}}{draw(SPACES)}".encode()


@given(bodies())
def test_what_goes_out_is_the_map_written_anew(data: bytes) -> None:
    """However the body was written: where it is taken as it came, writing the map would have given the same."""
    expected = msgspec.json.decode(data, type=dict[str, msgspec.Raw]) | {"model": msgspec.Raw(b'"theirs"')}
    try:
        request = parse_request("chat", data)
    except Fault:
        return
    assert b"".join(render_request(request, "theirs", "never")) == msgspec.json.encode(expected)


def test_a_compact_body_is_taken_as_it_came() -> None:
    """As clients write it; with white space between members it is written anew."""
    data = b'{"messages":[],"model":"ours","x":1}'
    assert parse_request("chat", data).model_at == data.index(b'"ours"')
    assert parse_request("chat", data.replace(b",", b", ")).model_at == -1
