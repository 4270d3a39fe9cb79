"""The hub of embeddings: a request for vectors and its answer, in no dialect's words."""

from __future__ import annotations

from typing import Literal

import msgspec

from encke.core.usage import Usage

# What the vectors are for, where a provider wants to know.
Purpose = Literal["", "query", "document", "similarity", "classification", "clustering"]


class EmbedRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`inputs`: texts, or lists of tokens. `base64`: the caller wants float32, little-endian, in base64. `single`: the
    caller gave one input, not a list. `extra` as in `core.chat.ChatRequest`."""

    model: str
    inputs: tuple[str | tuple[int, ...], ...]
    dimensions: int | None = None
    base64: bool = False
    single: bool = False
    purpose: Purpose = ""
    title: str = ""
    user: str = ""
    extra: dict[str, bytes] = {}


class EmbedReply(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`vectors` in the order of the inputs."""

    vectors: tuple[tuple[float, ...], ...]
    model: str = ""
    usage: Usage | None = None
