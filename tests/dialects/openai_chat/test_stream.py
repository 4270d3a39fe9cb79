"""The tap says of each event what it means, and is put off by none."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.core.usage import Usage
from encke.dialects.openai_chat.stream import MAX_LEARNED, ChatTap, is_whole
from encke.dialects.port import CONTENT, DROP, END, ERROR, PASS


def chunk(delta: Any = None, finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    return json.dumps({"choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more}).encode()


USAGE = {"prompt_tokens": 3, "completion_tokens": 2}
USAGE_ONLY = json.dumps({"choices": [], "usage": USAGE}).encode()


@pytest.mark.parametrize(
    "delta",
    [
        {"content": "Hi"},
        {"content": " Hi"},
        {"content": "x" * 100},
        {"content": " " * 100 + "x"},
        {"content": [{"type": "text", "text": "Hi"}]},
        {"reasoning_content": "hm"},
        {"reasoning": "hm"},
        {"refusal": "no"},
        {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f", "arguments": ""}}]},
        {"function_call": {"name": "f"}},
        {"audio": {"data": "AAAA"}},
    ],
)
def test_content(delta: Any) -> None:
    """Text, reasoning, refusals, tools and audio are content, and are counted."""
    tap = ChatTap(False)
    assert tap.feed(chunk(delta)) == CONTENT
    assert tap.content_bytes > 0
    assert not tap.finished


@pytest.mark.parametrize(
    "delta",
    [
        None,
        {},
        {"role": "assistant"},
        {"role": "assistant", "content": ""},
        {"content": None},
        {"content": " \n\t"},
        {"content": "\u00a0 "},
        {"tool_calls": []},
        {"audio": {}},
        {"reasoning": None, "refusal": None},
    ],
)
def test_no_content(delta: Any) -> None:
    """Roles, nothing and white space are not."""
    assert ChatTap(False).feed(chunk(delta)) == PASS


def test_the_older_completions_have_text() -> None:
    """Their choices have no delta."""
    tap = ChatTap(False)
    assert tap.feed(b'{"choices":[{"index":0,"text":"","finish_reason":null}]}') == PASS
    assert tap.feed(b'{"choices":[{"index":0,"text":"Hi","finish_reason":null}]}') == CONTENT


@pytest.mark.parametrize("mark", [b"[DONE]", b"[DONE] "])
def test_the_end_mark(mark: bytes) -> None:
    """Also with the white space that some providers write after it."""
    assert ChatTap(False).feed(mark) == END


def test_every_choice_has_to_finish() -> None:
    """`finished` is whether all choices seen so far have their finish_reason; a new one opens it again."""
    tap = ChatTap(False)
    steps = [
        (chunk({"content": "a"}, index=0), False),
        (chunk({"content": "a"}, index=1), False),
        (chunk({}, "stop", index=1), False),
        (chunk({}, "length", index=0), True),
        (chunk({"content": "a"}, index=2), False),
    ]
    for data, finished in steps:
        assert tap.feed(data) == CONTENT
        assert tap.finished is finished
    assert tap.finish_reason == "length"


@pytest.mark.parametrize(
    "data, wants, flags",
    [
        (USAGE_ONLY, False, DROP),
        (USAGE_ONLY, True, PASS),
        (b'{"choices":[],"usage":null}', False, PASS),
        (b'{"choices":[],"prompt_filter_results":[{}]}', False, PASS),
        (b'{"usage":{"prompt_tokens":3,"completion_tokens":2}}', False, PASS),
        (b'{"choices":null,"usage":{"prompt_tokens":3,"completion_tokens":2}}', False, PASS),
        (chunk({}, "stop", usage=USAGE), False, CONTENT),
        (b'{"choices":[],"usage":{"odd":"x"}}', False, DROP),
    ],
)
def test_only_usage_that_stands_alone_is_dropped(data: bytes, wants: bool, flags: int) -> None:
    """Empty choices with anything else pass, and so does usage beside a choice."""
    assert ChatTap(wants).feed(data) == flags


def test_usage_beside_the_usual_place() -> None:
    """Some tell it in a member of their own; what stands at the top comes first; the event is not dropped for it."""
    tap = ChatTap(False)
    aside = b'"x_groq":{"id":"r","usage":{"prompt_tokens":7,"completion_tokens":2}}'
    assert tap.feed(b'{"choices":[],' + aside + b"}") == PASS
    assert tap.usage == Usage(input=7, output=2)
    tap.feed(b'{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":1},' + aside + b"}")
    assert tap.usage == Usage(input=4, output=1)
    tap.feed(b'{"choices":[],"x_groq":{"id":"r"}}')
    tap.feed(b'{"choices":[],"x_groq":7}')
    assert tap.usage == Usage(input=4, output=1)


def test_the_last_usage_that_can_be_believed_counts() -> None:
    """Later ones replace earlier ones; nonsense does not."""
    tap = ChatTap(True)
    tap.feed(USAGE_ONLY)
    tap.feed(b'{"choices":[],"usage":{"prompt_tokens":4,"completion_tokens":1}}')
    tap.feed(b'{"choices":[],"usage":{"prompt_tokens":-4,"completion_tokens":1}}')
    tap.feed(b'{"choices":[],"usage":{"prompt_tokens":"many"}}')
    assert tap.usage == Usage(input=4, output=1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"not json",
        b"[1]",
        b"3",
        b'"x"',
        b"null",
        b"\xff",
        b'{"choices":[{"finish_reason":"\xff"}]}',
        b'{"choices":[{"finish_reason":3,"delta":{"role":"\xff"}}]}',
        b"[" * 100_000,
        b'{"choices":[{"delta":{"content":NaN}}]}',
    ],
)
def test_what_cannot_be_read_passes(data: bytes) -> None:
    """It is the client's to judge; the tap remembers that it was blind."""
    tap = ChatTap(False)
    assert tap.feed(data) == PASS
    assert tap.opaque == 1 and tap.fault is None


@pytest.mark.parametrize(
    "data, flags",
    [
        (b'{"choices":{"0":1}}', PASS),
        (b'{"choices":["x"]}', PASS),
        (b'{"choices":[{"index":"0","delta":{"content":"Hi"}}]}', CONTENT),
        (b'{"choices":[{"index":null,"delta":{"content":"Hi"}}]}', CONTENT),
        (b'{"choices":[{"index":null,"delta":{"content":" "}}]}', PASS),
        (b'{"choices":[{"index":null,"delta":{"content":""},"finish_reason":"stop"}]}', CONTENT),
        (b'{"choices":[{"delta":"text","finish_reason":7}]}', PASS),
        (b'{"choices":[{"index":[],"text":"Hi"}]}', CONTENT),
    ],
)
def test_odd_types_are_looked_at_all_the_same(data: bytes, flags: int) -> None:
    """Content with an index of a wrong type is content."""
    tap = ChatTap(False)
    assert tap.feed(data) == flags
    assert tap.opaque == 0


def test_odd_types_do_not_hide_usage() -> None:
    """Usage beside a choice of a wrong type is still believed."""
    tap = ChatTap(False)
    tap.feed(chunk({"content": "Hi"}, index=None, usage=USAGE))  # type: ignore[arg-type]
    assert tap.usage == Usage(input=3, output=2)


@pytest.mark.parametrize(
    "error, status, code",
    [
        ({"message": "boom"}, 502, "upstream_error"),
        ("boom", 502, "upstream_error"),
        ({"message": "boom", "code": 429}, 429, "upstream_rate_limited"),
        ({"message": "boom", "code": "503"}, 503, "overloaded"),
        ({"message": "boom", "status": 400}, 400, "upstream_invalid_request"),
        ({"message": "boom", "code": "tool_use_failed", "status_code": 400}, 400, "upstream_invalid_request"),
        ({"message": "boom", "type": "invalid_request_error", "code": "x"}, 400, "upstream_invalid_request"),
        ({"message": "boom", "type": "invalid_request_error", "code": "invalid_api_key"}, 502, "upstream_error"),
        ({"message": "boom", "code": 200}, 502, "upstream_error"),
    ],
)
def test_an_error_event(error: Any, status: int, code: str) -> None:
    """Its status is what upstream would have answered had it known earlier."""
    for event in ({"error": error}, {"error": error, "choices": []}, {"error": error, "choices": [{"index": "x"}]}):
        tap = ChatTap(False)
        assert tap.feed(json.dumps(event).encode()) == ERROR
        assert tap.fault is not None
        assert (tap.fault.status, tap.fault.code) == (status, code)
        assert "boom" in tap.fault.message


@pytest.mark.parametrize("error", [None, "", {}, []])
def test_an_empty_error_is_none(error: Any) -> None:
    """Some providers put a null error into every event."""
    assert ChatTap(False).feed(chunk({"content": "Hi"}, error=error)) == CONTENT


@pytest.mark.parametrize(
    "rest, whole",
    [
        (b"data: [DONE]", True),
        (b"\ndata:[DONE] \n", True),
        (b'data: {"choices":[]}', True),
        (b'data: {"choices":[]}\n', True),
        (b"data: [DON", False),
        (b'data: {"choices":[{"delta":{}', False),
        (b"data: 3", False),
        (b'data: {"x":"\xff"}', False),
        (b"data:", False),
        (b"", False),
        (b": comment}", False),
        (b'{"choices":[]}', False),
        (b"data: " + b"[" * 100_000, False),
    ],
)
def test_a_last_event_without_its_blank_line(rest: bytes, whole: bool) -> None:
    """It counts if it is all there; a JSON text cut after an inner brace is not."""
    assert is_whole(rest) is whole


# What stands around a text is remembered: the same events, known and not, mean the same.

TEXTS = ["a", " ", "é", "encke", "null", "\\n", '\\"', "\\u00e9", "\\\\", "a{b}", "[]", "x" * 100, ""]
SHAPES = [
    '{"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}',
    '{"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}],"usage":null}',
    '{"choices":[{"index":0,"delta":{"role":"a","content":"%s"}}]}',
    '{"id":"%s","choices":[{"index":0,"delta":{"content":"a"}}]}',
    '{"choices":[{"index":0,"delta":{"content":null,"reasoning_content":"%s"}}]}',
    '{"choices":[{"index":0,"delta":{"reasoning":"%s","content":""}}]}',
    '{"choices":[{"index":0,"delta":{"content":"%s","content":"b"}}]}',
    '{"choices":[{"index":0,"delta":{"content":"a","content":"%s"}}]}',
    '{"choices":[{"index":1,"delta":{"content":"%s"}}]}',
    '{"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":"stop"}]}',
    '{"choices":[{"index":0,"delta":{"content":"%s","tool_calls":[{"index":0}]}}]}',
    '{"choices":[{"index":0,"delta":{"content":"%s"}}],"usage":{"prompt_tokens":1,"completion_tokens":2}}',
    '{"choices":[{"index":0,"delta":{"content":"%s"}},{"index":1,"delta":{"content":"b"}}]}',
    '{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2},"x":"%s"}',
    '{"choices":[{"index":0,"delta":{"content":"%s"}}],"error":{"message":"no"}}',
    '{"choices":[{"index":0,"delta":{"content":"%s"}}],"x_groq":{"usage":{"prompt_tokens":3}}}',
    '{"choices":[{"index":0,"text":"%s"}]}',
    '{"choices":[{"index":0,"delta":{"content":"%s}',
]


@settings(max_examples=800, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(SHAPES), st.lists(st.sampled_from(TEXTS), max_size=4)), max_size=8))
def test_events_known_by_what_stands_around_their_text(runs: list[tuple[str, list[str]]]) -> None:
    """A tap that remembers and one that decodes everything say the same of every event, and know the same after it."""
    knowing, decoding = ChatTap(False), ChatTap(False)
    for shape, texts in runs:
        for text in texts:
            data = (shape % text).encode()
            decoding._learned, decoding._before = MAX_LEARNED, b""
            assert knowing.feed(data) == decoding.feed(data), data
            for name in ("content_bytes", "finished", "finish_reason", "usage", "usage_at", "opaque"):
                assert getattr(knowing, name) == getattr(decoding, name), (name, data)
    assert knowing._learned <= MAX_LEARNED


def test_a_known_event_is_not_decoded() -> None:
    """The second event of a shape is known: what stands around its text could be anything by now."""
    tap = ChatTap(False)
    assert tap.feed(b'{"choices":[{"delta":{"content":"one"}}]}') == CONTENT and tap._before.endswith(b'"content":"')
    assert tap.feed(b'{"choices":[{"delta":{"content":"three"}}]}') == CONTENT
    assert (tap.content_bytes, tap._learned) == (8, 1)


@pytest.mark.parametrize("finish", ['"stop"', "null", "1"])
def test_choices_without_end(finish: str) -> None:
    """Who numbers choices for ever is not listened to: they would all be remembered, and compared with each other."""
    choices = ",".join(f'{{"index":{index},"finish_reason":{finish}}}' for index in range(30_000))
    tap = ChatTap(False)
    began = time.process_time()
    assert tap.feed(f'{{"choices":[{choices}]}}'.encode()) == ERROR
    assert time.process_time() - began < 0.5
    assert tap.fault is not None and tap.fault.code == "upstream_bad_response"
    tap = ChatTap(False)
    assert all(tap.feed(chunk({"content": "x"}, "stop", index)) == CONTENT for index in range(128))
    assert tap.finished


def test_a_choice_of_odd_types_is_waited_for() -> None:
    """It begins after the others have ended: the answer is not whole."""
    tap = ChatTap(False)
    tap.feed(chunk({"content": "x"}, "stop"))
    assert tap.finished
    tap.feed(b'{"choices":[{"index":1,"delta":{"content":"y"},"finish_reason":7}]}')
    assert not tap.finished


def test_an_empty_finish_reason_finishes_nothing() -> None:
    """Some providers write "" where others write null; a stream that breaks off then has not ended well."""
    tap = ChatTap(False)
    assert tap.feed(chunk({"role": "assistant", "content": ""}, "")) == PASS
    assert [tap.feed(chunk({"content": text}, "")) for text in ("a", "b", "c")] == [CONTENT] * 3
    assert tap.feed(b'{"choices":[{"index":0,"delta":{"content":"d"},"finish_reason":"","logprobs":null}]}') == CONTENT
    assert (tap.finished, tap.content_bytes) == (False, 4)
    assert tap.feed(b'{"choices":[{"index":"0","delta":{},"finish_reason":""}]}') == PASS
    tap.feed(chunk({}, "stop"))
    assert (tap.finished, tap.finish_reason) == (True, "stop")
