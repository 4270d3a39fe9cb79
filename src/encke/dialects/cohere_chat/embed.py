"""Cohere's embeddings (`POST /v2/embed`) as a provider.

Source: docs.cohere.com/reference/embed, and `V2Client.embed` of Cohere's Python library. Cohere wants to know what the
vectors are for (`input_type`): callers who do not say get those for documents.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.embed import EmbedRequest
from encke.core.traits import Traits
from encke.dialects.cohere_chat.wire import EmbedAnswer
from encke.dialects.embedding import bad_answer, note_unsaid, reply_of, texts_of, usage_of
from encke.dialects.losses import Losses, own_extra
from encke.dialects.port import EMBED, Hub, HubReply, ProviderSide, Rendered

_ORIGIN: Final = "cohere_chat"
_OWN: Final = ("input_type", "max_tokens", "priority", "truncate")
_PURPOSES: Final = {
    "": "search_document",
    "query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
}
# Callers who know other providers' words for it.
_TYPES: Final = {b'"query"': b'"search_query"', b'"document"': b'"search_document"', b'"passage"': b'"search_document"'}

_encode: Final = msgspec.json.Encoder().encode
_answer: Final = msgspec.json.Decoder(EmbedAnswer)


class CohereEmbed(ProviderSide):
    """`POST /v2/embed`."""

    op = "cohere_embed"
    kind = EMBED

    def render(self, request: Hub, model: str, traits: Traits) -> Rendered:
        """See `ProviderSide`."""
        assert isinstance(request, EmbedRequest)
        losses = Losses()
        body: dict[str, Any] = {
            "model": model,
            "texts": texts_of(request),
            "input_type": _PURPOSES.get(request.purpose, "search_document"),
            "embedding_types": ["float"],
        }
        if request.purpose not in _PURPOSES:
            losses.add("purpose")
        if request.dimensions is not None:
            body["output_dimension"] = request.dimensions
        for name in _OWN:
            raw = own_extra(request, _ORIGIN, name)
            if raw:
                body[name] = msgspec.Raw(_TYPES.get(raw, raw))
        note_unsaid(request, losses)
        losses.add_extra(request, _ORIGIN, _OWN)
        return Rendered(_encode(body), losses.all())

    def read_reply(self, data: bytes, request: Hub, call_id: str) -> HubReply:
        """See `ProviderSide`."""
        assert isinstance(request, EmbedRequest)
        try:
            answer = _answer.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise bad_answer("it is not one of Cohere's") from error
        units = answer.meta.billed_units if answer.meta is not None else None
        usage = usage_of(units.input_tokens) if units is not None else None
        return reply_of(request, answer.embeddings.floats or (), "", usage)
