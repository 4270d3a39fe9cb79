"""An event is one line, whatever white space the caller and the model wrote into their JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.core.delta import ARGUMENTS, FINISH, START, TEXT, TOOL, Delta
from tests.dialects.recorded import drive
from tests.dialects.recorded.cases import STREAMED, grammar, read_stream

SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
HELLO = [{"role": "user", "content": "Hello"}]
ASKED: dict[str, dict[str, Any]] = {
    "chat": {"model": "m", "stream": True, "messages": HELLO, "metadata": {"a": "b"}},
    "responses": {
        "model": "m",
        "stream": True,
        "input": "Hello",
        "tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": True}],
        "tool_choice": {"type": "function", "name": "f"},
        "metadata": {"a": "b"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA}},
    },
    "messages": {"model": "m", "stream": True, "max_tokens": 9, "messages": HELLO, "metadata": {"user_id": "b"}},
    "generate": {"contents": [{"parts": [{"text": "Hello"}]}]},
}
ANSWER = (
    Delta(START, id="x\ny", name="m", data=1),
    Delta(TEXT, text="Hi\n\nthere\r\n"),
    Delta(TOOL, key=3, id="c\n1", name="f"),
    Delta(ARGUMENTS, key=3, text='{\r\n  "a":\n'),
    Delta(ARGUMENTS, key=3, text='  "b\\n"\n}'),
    Delta(FINISH, name="tool_calls", id="stop\n"),
)


@pytest.mark.parametrize("route", ASKED)
def test_line_ends_in_json_do_not_end_an_event(route: str) -> None:
    """A pretty-printed request and pretty-printed arguments give a stream that its grammar takes, with all of it."""
    side = drive.side_of(route)
    request = side.read(json.dumps(ASKED[route], indent=2).encode(), STREAMED[route][0], {})
    writer = side.writer(request, drive.CALL_ID, drive.CREATED)
    for delta in ANSWER:
        writer.feed(delta)
    writer.finish(None)
    out = b"".join(writer.out)
    assert not grammar(route, out).breaches
    answer = read_stream(route, out).answers[0]
    assert answer.text == "Hi\n\nthere\r\n" and answer.calls == [("f", {"a": "b\n"})]
