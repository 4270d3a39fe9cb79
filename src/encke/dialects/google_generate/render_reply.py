"""A hub's answer for a caller of this dialect."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import ChatReply, Choice, CountReply, Text, TokenLogprob
from encke.dialects.google_generate.grounding import grounding_metadata
from encke.dialects.google_generate.render_parts import reply_part
from encke.dialects.google_generate.usage import usage_metadata
from encke.dialects.google_generate.words import word_of
from encke.dialects.request import Request

_encode: Final = msgspec.json.Encoder().encode


def render_chat_reply(reply: ChatReply, request: Request, call_id: str) -> bytes:
    """The answer's body."""
    body: dict[str, Any] = {"candidates": [_candidate(choice, at) for at, choice in enumerate(reply.choices)]}
    if reply.usage is not None:
        body["usageMetadata"] = usage_metadata(reply.usage)
    body["modelVersion"] = reply.model or request.model
    body["responseId"] = call_id
    return _encode(body)


def _candidate(choice: Choice, at: int) -> dict[str, Any]:
    parts = [part for part in map(reply_part, choice.parts) if part is not None]
    made: dict[str, Any] = {"content": {"parts": parts or [{"text": ""}], "role": "model"}}
    if choice.finish is not None:
        made["finishReason"] = word_of(choice.finish, choice.finish_raw)
    made["index"] = at
    grounding = grounding_metadata([part for part in choice.parts if isinstance(part, Text)])
    if grounding is not None:
        made["groundingMetadata"] = grounding
    if choice.logprobs:
        made["logprobsResult"] = logprobs_result(choice.logprobs)
    return made


def logprobs_result(logs: tuple[TokenLogprob, ...] | list[TokenLogprob]) -> dict[str, Any]:
    """Tokens with how likely they were."""
    made: dict[str, Any] = {"chosenCandidates": [_log(one) for one in logs]}
    if any(one.top for one in logs):
        made["topCandidates"] = [{"candidates": [_log(other) for other in one.top]} for one in logs]
    return made


def _log(one: TokenLogprob) -> dict[str, Any]:
    return {"token": one.token, "logProbability": one.logprob}


def render_count_reply(reply: CountReply) -> bytes:
    """How many tokens there are."""
    made = {"totalTokens": reply.tokens}
    if reply.cached:
        made["cachedContentTokenCount"] = reply.cached
    return _encode(made)
