"""Logprobs, both ways."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from encke.core.chat import TokenLogprob
from encke.dialects.mend import mend
from encke.dialects.openai_chat.message_wire import Logprobs

_logprobs: Final = msgspec.json.Decoder(Logprobs)
UNLIKELY: Final = -9999.0  # OpenAI's number for a token that is not among the likeliest


def read_logprobs(raw: msgspec.Raw) -> tuple[TokenLogprob, ...]:
    """Those of the content, and of a refusal; none if there are none, or they cannot be read."""
    if len(raw) < 5:
        return ()
    try:
        told = _logprobs.decode(raw)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        told = mend(raw, Logprobs) or Logprobs()
    tokens = [*(told.content or ()), *(told.refusal or ())]
    if tokens:
        return tuple(
            TokenLogprob(
                one.token,
                UNLIKELY if one.logprob is None else one.logprob,
                None if one.bytes is None else tuple(one.bytes),
                tuple(
                    TokenLogprob(
                        top.token,
                        UNLIKELY if top.logprob is None else top.logprob,
                        None if top.bytes is None else tuple(top.bytes),
                    )
                    for top in one.top_logprobs or ()
                ),
            )
            for one in tokens
        )
    if told.tokens and told.token_logprobs:  # Together's
        return tuple(
            TokenLogprob(token, UNLIKELY if logprob is None else logprob)
            for token, logprob in zip(told.tokens, told.token_logprobs, strict=False)
        )
    return ()


def write_logprobs(tokens: Sequence[TokenLogprob], *, refused: bool) -> dict[str, Any]:
    """`logprobs` of a choice. `refused`: they are of a refusal."""
    told = [_written(token) | {"top_logprobs": [_written(top) for top in token.top]} for token in tokens]
    return {"content": None, "refusal": told} if refused else {"content": told, "refusal": None}


def _written(token: TokenLogprob) -> dict[str, Any]:
    return {
        "token": token.token,
        "logprob": token.logprob,
        "bytes": None if token.bytes is None else list(token.bytes),
    }
