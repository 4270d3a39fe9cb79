"""What embeddings of all wires have in common: texts in, as many vectors out, floats in base64."""

from __future__ import annotations

import base64
import binascii
import sys
from array import array
from math import isfinite
from typing import Any, Final

import msgspec

from encke.core.embed import EmbedReply, EmbedRequest
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.embedding_wire import ItemList
from encke.dialects.losses import Losses

# More than six times the largest context window there is (10 million): whoever says so is not to be believed.
MOST_TOKENS: Final = 1 << 26

Vectors = tuple[tuple[float, ...], ...]

_list: Final = msgspec.json.Decoder(ItemList)


def texts_of(request: EmbedRequest) -> list[str]:
    """The inputs, where a provider takes nothing but texts. Raises Fault for lists of tokens."""
    texts = [one for one in request.inputs if isinstance(one, str)]
    if len(texts) < len(request.inputs):
        raise Fault(
            "unsupported_parameter",
            "This model's provider takes texts, not tokens: send `input` as a string or a list of strings. (Some "
            "clients make tokens of it unless told not to; LangChain: check_embedding_ctx_length=False.)",
            param="input",
            verdict="next",
        )
    return texts


def note_unsaid(request: EmbedRequest, losses: Losses) -> None:
    """Name what none of these wires has a word for."""
    if request.title:
        losses.add("title")
    if request.user:
        losses.add("user")


def reply_of(request: EmbedRequest, vectors: Vectors, model: str, usage: Usage | None) -> EmbedReply:
    """The answer. Raises Fault upstream_bad_response if there is not one vector for each input."""
    if len(vectors) != len(request.inputs) or not all(vectors):
        raise bad_answer(f"{len(vectors)} vectors for {len(request.inputs)} inputs")
    return EmbedReply(vectors=vectors, model=model, usage=usage)


def bad_answer(why: str) -> Fault:
    """An answer that cannot be used."""
    return Fault("upstream_bad_response", f"The provider's answer holds no embeddings: {why}.", verdict="next")


def usage_of(tokens: float | None) -> Usage | None:
    """Usage of so many tokens; None where they are not told, or cannot be believed."""
    return Usage(input=int(tokens)) if tokens is not None and 0 <= tokens < MOST_TOKENS else None


def parse_list(data: bytes, request: EmbedRequest) -> EmbedReply:
    """An answer as OpenAI writes it. Raises Fault upstream_bad_response."""
    try:
        answer = _list.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise bad_answer("it is no list of them") from error
    items = answer.data
    if all(item.index is not None for item in items):
        items = sorted(items, key=lambda item: item.index or 0)
    vectors = tuple(floats(item.embedding) if isinstance(item.embedding, str) else item.embedding for item in items)
    told = answer.usage
    tokens = None if told is None else (told.total_tokens if told.prompt_tokens is None else told.prompt_tokens)
    return reply_of(request, vectors, answer.model or "", usage_of(tokens))


def floats(text: str) -> tuple[float, ...]:
    """Float32, little-endian, in base64. Raises Fault upstream_bad_response."""
    numbers: array[Any] = array("f")
    try:
        numbers.frombytes(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise bad_answer("its base64 is none of floats") from error
    if sys.byteorder == "big":
        numbers.byteswap()
    found = tuple(numbers)
    if not isfinite(sum(found)):  # of numbers that are all finite in 32 bits the sum is, in 64
        raise bad_answer("a number in its base64 is not finite")
    return found
