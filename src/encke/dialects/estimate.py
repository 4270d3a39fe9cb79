"""How much a request is, where nobody counts its tokens: bytes of its texts, and tokens of what is no text.

The figures are the providers' own: a picture is at most some 1,600 tokens, since larger ones are made smaller first
(platform.claude.com/docs/en/build-with-claude/vision), one that is asked for in low detail 85
(platform.openai.com/docs/guides/images-vision); a page of a document 1,500 to 3,000
(platform.claude.com/docs/en/build-with-claude/pdf-support); a second of sound 32
(ai.google.dev/gemini-api/docs/tokens). How long a document or a sound is, its bytes say roughly.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from encke.core.chat import (
    Audio,
    ChatRequest,
    File,
    Foreign,
    Image,
    Part,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from encke.dialects.counting import text_size
from encke.dialects.losses import plain_text

PICTURE: Final = 1600
SMALL_PICTURE: Final = 85
PAGE: Final = 2250
SECOND: Final = 32
# Bytes of base64 that a page, and a second of sound, takes: pages of some 50 KB, MP3 at 128 kbit/s, plain samples of
# 16 bits at 24 kHz.
PAGE_BYTES: Final = 66_000
SECOND_BYTES: Final[dict[str, int]] = {"mp3": 21_000, "wav": 64_000, "pcm16": 64_000}
_SOUND: Final = 21_000
MESSAGE: Final = 4  # what stands around a message


class Size(NamedTuple):
    """`text` in bytes of UTF-8; `tokens` of what is no text, and of what stands around it."""

    text: int
    tokens: int


def size_of(request: ChatRequest) -> Size:
    """The whole request's."""
    text = tokens = 0
    for message in request.messages:
        tokens += MESSAGE
        for part in message.parts:
            more = _size(part)
            text, tokens = text + more.text, tokens + more.tokens
    for tool in request.tools:
        tokens += MESSAGE
        if isinstance(tool, Tool):
            text += text_size(tool.name) + text_size(tool.description) + len(tool.parameters) + len(tool.grammar)
        else:
            text += len(tool.raw)
    if request.format is not None:
        text += len(request.format.schema)
    return Size(text, tokens)


def _size(part: Part) -> Size:
    if isinstance(part, Text | Thinking | Refusal):
        return Size(text_size(part.text), 0)
    if isinstance(part, ToolCall):
        return Size(text_size(part.name) + text_size(part.arguments), MESSAGE)
    if isinstance(part, ToolResult):
        inner = [_size(one) for one in part.parts]
        return Size(sum([one.text for one in inner]), MESSAGE + sum([one.tokens for one in inner]))
    if isinstance(part, Image):
        return Size(0, SMALL_PICTURE if part.detail == "low" else PICTURE)
    if isinstance(part, Audio):
        return Size(0, SECOND * -(-len(part.data) // SECOND_BYTES.get(part.format, _SOUND)))
    if isinstance(part, File):
        text = plain_text(part)
        return Size(0, PAGE * max(-(-len(part.data) // PAGE_BYTES), 1)) if text is None else Size(text_size(text), 0)
    return _of_another(part)


def _of_another(part: Foreign) -> Size:
    """What one dialect alone has a word for is read as it stands there, but no more of it than a page."""
    return Size(0, PAGE) if len(part.raw) > 3 * PAGE else Size(len(part.raw), 0)
