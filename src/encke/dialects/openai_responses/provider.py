"""The Responses dialect as providers speak it."""

from __future__ import annotations

from typing import Final

from encke.core.chat import ChatReply, ChatRequest
from encke.core.traits import Traits
from encke.dialects.measure import text_bytes, texts_of
from encke.dialects.openai_responses.output import parse_response
from encke.dialects.openai_responses.reader import ResponsesReader
from encke.dialects.openai_responses.render_request import render_request
from encke.dialects.port import CHAT, LARGE_EVENT, Hub, ProviderSide, Reader, Rendered

_TEXTS: Final = texts_of("text", "refusal", "arguments", "input", "code")


class ResponsesProvider(ProviderSide):
    """`responses`."""

    op = "responses"
    kind = CHAT
    max_event = LARGE_EVENT

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return render_request(request, model, traits)

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> ChatReply:
        """See `ProviderSide`."""
        return parse_response(data, call_id)

    def reader(self, request: Hub, call_id: str) -> Reader:
        """See `ProviderSide`."""
        return ResponsesReader(call_id)

    def content_bytes(self, body: bytes) -> int:
        """See `ProviderSide`."""
        return text_bytes(_TEXTS, body)
