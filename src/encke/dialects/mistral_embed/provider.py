"""Mistral's embeddings as a provider.

Source: docs.mistral.ai/api (embeddings), and `EmbeddingRequest` of Mistral's Python library. Mistral refuses fields
that it does not know, OpenAI's `dimensions` and `user` among them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.embed import EmbedRequest
from encke.core.traits import Traits
from encke.dialects.embedding import note_unsaid, parse_list, texts_of
from encke.dialects.losses import Losses, own_extra
from encke.dialects.port import EMBED, Hub, HubReply, ProviderSide, Rendered

_ORIGIN: Final = "mistral_embed"
_OWN: Final = ("metadata",)

_encode: Final = msgspec.json.Encoder().encode


class MistralEmbed(ProviderSide):
    """`POST /v1/embeddings`."""

    op = "mistral_embed"
    kind = EMBED

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, EmbedRequest)
        losses = Losses()
        body: dict[str, Any] = {"model": model, "input": texts_of(request)}
        if request.dimensions is not None:
            body["output_dimension"] = request.dimensions
        if request.base64:
            body["encoding_format"] = "base64"
        raw = own_extra(request, _ORIGIN, "metadata")
        if raw:
            body["metadata"] = msgspec.Raw(raw)
        if request.purpose:
            losses.add("purpose")
        note_unsaid(request, losses)
        losses.add_extra(request, _ORIGIN, _OWN)
        return Rendered(_encode(body), losses.all())

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> HubReply:
        """See `ProviderSide`."""
        assert isinstance(request, EmbedRequest)
        return parse_list(data, request)
