"""Thoughts that come back in the pieces of a stream."""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.core.chat import ChatRequest, Message, Text, Thinking
from encke.dialects.google_generate.client import GoogleClient
from encke.dialects.google_generate.signature import pack

SIGNED = pack("anthropic_messages", "sig")


def read(contents: list[Any]) -> tuple[Message, ...]:
    client = GoogleClient("generate")
    body = json.dumps({"contents": contents}).encode()
    hub = client.to_hub(client.read(body, "m:generateContent", {}))
    assert isinstance(hub, ChatRequest)
    return hub.messages


def thought(text: str, **more: Any) -> dict[str, Any]:
    return {"text": text, "thought": True, **more}


@pytest.mark.parametrize("apart", [False, True])
def test_pieces_and_their_signature_are_one_thought(apart: bool) -> None:
    """In one content, or in a content for each event, as the SDK's chats keep them."""
    pieces = [thought("Let me "), thought("see."), thought("", thoughtSignature=SIGNED), {"text": "Hi"}]
    contents = (
        [{"role": "model", "parts": [piece]} for piece in pieces] if apart else [{"role": "model", "parts": pieces}]
    )
    found = [part for message in read(contents) for part in message.parts]
    assert found == [Thinking("Let me see.", "sig", "anthropic_messages"), Text("Hi")]


def test_a_signature_alone_stays_one() -> None:
    """Nothing before it is taken for a piece of it: not a text, not a thought that has its own."""
    signed = thought("a", thoughtSignature=SIGNED)
    parts = [{"text": "Hi"}, thought("", thoughtSignature=SIGNED), signed, thought("", thoughtSignature=SIGNED)]
    (message,) = read([{"role": "model", "parts": parts}])
    own = Thinking("", "sig", "anthropic_messages")
    assert message.parts == (Text("Hi"), own, Thinking("a", "sig", "anthropic_messages"), own)
