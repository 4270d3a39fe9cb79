"""Mistral's chat as providers speak it. Answers and streams are OpenAI's, with thoughts as parts of the content."""

from __future__ import annotations

from encke.core.chat import ChatRequest
from encke.core.traits import Traits
from encke.dialects.mistral_chat.render import render_mistral
from encke.dialects.openai_chat.provider import ChatProvider
from encke.dialects.port import Hub, Rendered


class MistralChat(ChatProvider):
    """Chat completions."""

    op = "mistral_chat"

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, ChatRequest)
        return render_mistral(request, model, traits)
