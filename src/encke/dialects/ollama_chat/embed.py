"""Ollama's embeddings (`POST /api/embed`) as a provider.

Source: docs.ollama.com/api/embed, and `EmbedRequest` of Ollama's Python library.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.embed import EmbedRequest
from encke.core.traits import Traits
from encke.dialects.embedding import bad_answer, note_unsaid, reply_of, texts_of, usage_of
from encke.dialects.losses import Losses, own_extra
from encke.dialects.ollama_chat.wire import EmbedAnswer
from encke.dialects.port import EMBED, Hub, HubReply, ProviderSide, Rendered

_ORIGIN: Final = "ollama_chat"
_OWN: Final = ("keep_alive", "options", "truncate")

_encode: Final = msgspec.json.Encoder().encode
_answer: Final = msgspec.json.Decoder(EmbedAnswer)


class OllamaEmbed(ProviderSide):
    """`POST /api/embed`."""

    op = "ollama_embed"
    kind = EMBED

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, EmbedRequest)
        losses = Losses()
        body: dict[str, Any] = {"model": model, "input": texts_of(request)}
        if request.dimensions is not None:
            body["dimensions"] = request.dimensions
        for name in _OWN:
            raw = own_extra(request, _ORIGIN, name)
            if raw:
                body[name] = msgspec.Raw(raw)
        if request.purpose:
            losses.add("purpose")
        note_unsaid(request, losses)
        losses.add_extra(request, _ORIGIN, _OWN)
        return Rendered(_encode(body), losses.all())

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> HubReply:
        """See `ProviderSide`."""
        assert isinstance(request, EmbedRequest)
        try:
            answer = _answer.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise bad_answer("it is not one of Ollama's") from error
        return reply_of(request, answer.embeddings, answer.model or "", usage_of(answer.prompt_eval_count))
