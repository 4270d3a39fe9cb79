"""How much a request is, where nobody counts its tokens."""

from __future__ import annotations

import base64

import pytest

from encke.core.chat import (
    Audio,
    ChatRequest,
    File,
    Foreign,
    Format,
    Image,
    Message,
    Part,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from encke.dialects.estimate import MESSAGE, PAGE, PICTURE, SMALL_PICTURE, Size, size_of

BIG = "A" * 6_700_000  # a picture of 5 MB
TEXT = base64.b64encode(b"plain text").decode()


@pytest.mark.parametrize(
    ("part", "size"),
    [
        (Text("hello"), Size(5, 0)),
        (Text("日本"), Size(6, 0)),
        (Thinking("hm"), Size(2, 0)),
        (Image(data=BIG, media_type="image/png"), Size(0, PICTURE)),
        (Image(url="https://a.test/x.png", detail="low"), Size(0, SMALL_PICTURE)),
        (File(data=BIG, media_type="application/pdf"), Size(0, 102 * PAGE)),
        (File(file_id="f"), Size(0, PAGE)),
        (File(data=TEXT, media_type="text/plain"), Size(10, 0)),
        (Audio(BIG, "mp3"), Size(0, 32 * 320)),
        (ToolCall("c", "f", '{"a":1}'), Size(8, MESSAGE)),
        (Foreign("x", "video", b"{" + b"A" * 10_000_000 + b"}"), Size(0, PAGE)),
        (Foreign("x", "video", b"{}"), Size(2, 0)),
    ],
    ids=lambda value: str(value)[:40],
)
def test_parts(part: Part, size: Size) -> None:
    """Texts are their bytes; pictures, pages and sound have a figure each, however long their base64 is."""
    found = size_of(ChatRequest(model="m", messages=(Message("user", (part,)),)))
    assert found == Size(size.text, size.tokens + MESSAGE)
    result = Message("tool", (ToolResult("c", (part,)),)) if isinstance(part, Text | Image | File) else None
    if result is not None:
        assert size_of(ChatRequest(model="m", messages=(result,))) == Size(size.text, size.tokens + 2 * MESSAGE)


def test_what_stands_beside_the_messages() -> None:
    """Tools and the form of the answer are read, too."""
    tools = (Tool("f", "does", b'{"type":"object"}'), Foreign("x", "search", b"{}"))
    request = ChatRequest(model="m", messages=(), tools=tools, format=Format("json_schema", b"{}"))
    assert size_of(request) == Size(1 + 4 + 17 + 2 + 2, 2 * MESSAGE)
