"""How much of an answer a body holds."""

from __future__ import annotations

import json
import time

import pytest

from encke.dialects.openai_chat.measure import content_bytes

TEXT = "Hé 漢"
SIZE = len(TEXT.encode())
CALLS = [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]


@pytest.mark.parametrize(
    ("choices", "size"),
    [
        ([{"message": {"role": "assistant", "content": TEXT, "refusal": None}}], SIZE),
        ([{"message": {"content": TEXT, "reasoning_content": "why"}}, {"message": {"content": TEXT}}], 2 * SIZE + 3),
        ([{"message": {"content": None, "tool_calls": CALLS}}], len(json.dumps(CALLS, separators=(",", ":"))) - 2),
        ([{"text": TEXT, "finish_reason": "stop"}], SIZE),
        ([{"message": {}}, 7, None], 0),
        ([], 0),
        (None, 0),
    ],
)
def test_of_a_whole_answer(choices: object, size: int) -> None:
    """The texts of its choices, and nothing of what stands around them."""
    assert content_bytes(json.dumps({"id": "x" * 500, "choices": choices}).encode()) == size


def test_of_an_answer_that_is_cut_off() -> None:
    """Nothing until the text begins; then what has come of it, and no more after its end."""
    text = 'He said \\"so\\" twice \\\\'
    start = '{"id":"' + "x" * 500 + '","choices":[{"message":{"role":"assistant","content":"'
    body = start + text + '"},"finish'
    begins = body.index('"content":"') + len('"content":"')
    sizes = [content_bytes(body[:at].encode()) for at in range(len(body) + 1)]
    assert sizes[: begins + 1] == [0] * (begins + 1)
    assert all(at - 1 <= size <= at for at, size in enumerate(sizes[begins : begins + len(text) + 1]))
    assert sizes[begins + len(text) :] == [len(text)] * (len(body) - begins - len(text) + 1)


def test_of_tool_calls_that_are_cut_off() -> None:
    """Their arguments are text, too."""
    assert content_bytes(b'{"choices":[{"message":{"tool_calls":[{"function":{"arguments":"{1234') == 5


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[1]", b"[" * 100_000, b"\xff\xfe", b'{"x":"\xff"}', b'{"data":[{"embedding":[0.1']
)
def test_of_no_answer(body: bytes) -> None:
    """Nothing."""
    assert content_bytes(body) == 0


def test_large_bodies_are_not_decoded() -> None:
    """Millions of empty lists would be millions of objects; the text beside them counts all the same."""
    body = b'{"choices":[{"message":{"content":"' + b"x" * 999 + b'"}},' + b"[]," * 700_000
    began = time.process_time()
    assert content_bytes(body) == 999
    assert time.process_time() - began < 0.2
