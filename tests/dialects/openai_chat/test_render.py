"""What goes to upstream is what came in, but for the model's name and the wish for usage."""

from __future__ import annotations

import json

import pytest

from encke.dialects.openai_chat.parse import parse_request
from encke.dialects.openai_chat.render import render_request

BODY = (
    b'{"z":1.10,"model":"ours","messages":[ {"content":"\\u00e9\\/ \xc3\xa9", "role":"user"} ],"a":{"y":1,"x":[1E3]}%b}'
)


def render(extra: bytes = b"", stream_usage: str = "option") -> bytes:
    return render_request(parse_request("chat", BODY % extra), "theirs", stream_usage)


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
    assert json.loads(render_request(request, 'a"é', "never"))["model"] == 'a"é'
