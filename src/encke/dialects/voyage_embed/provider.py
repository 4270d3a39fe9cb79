"""Voyage's embeddings as a provider.

Source: docs.voyageai.com/reference/embeddings-api, and Voyage's Python library. What its models know to be for are
queries and documents; other purposes are asked for without one, as Voyage says.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.embed import EmbedRequest
from encke.core.traits import Traits
from encke.dialects.embedding import note_unsaid, parse_list, texts_of
from encke.dialects.losses import Losses, own_extra
from encke.dialects.port import EMBED, Hub, HubReply, ProviderSide, Rendered

_ORIGIN: Final = "voyage_embed"
_OWN: Final = ("input_type", "truncation")
_PURPOSES: Final = {"query": "query", "document": "document"}

_encode: Final = msgspec.json.Encoder().encode


class VoyageEmbed(ProviderSide):
    """`POST /v1/embeddings`."""

    op = "voyage_embed"
    kind = EMBED

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, EmbedRequest)
        losses = Losses()
        body: dict[str, Any] = {"input": texts_of(request), "model": model}
        if request.purpose in _PURPOSES:
            body["input_type"] = _PURPOSES[request.purpose]
        elif request.purpose:
            losses.add("purpose")
        if request.dimensions is not None:
            body["output_dimension"] = request.dimensions
        if request.base64:
            body["encoding_format"] = "base64"
        for name in _OWN:
            raw = own_extra(request, _ORIGIN, name)
            if raw:
                body[name] = msgspec.Raw(raw)
        note_unsaid(request, losses)
        losses.add_extra(request, _ORIGIN, _OWN)
        return Rendered(_encode(body), losses.all())

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> HubReply:
        """See `ProviderSide`."""
        assert isinstance(request, EmbedRequest)
        return parse_list(data, request)
