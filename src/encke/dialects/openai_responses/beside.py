"""What stands beside a text, on this wire: where it is from, and how likely its tokens were."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import Citation, TokenLogprob
from encke.dialects.openai_responses.wire import NAME

_any: Final = msgspec.json.Decoder()


def annotation(citation: Citation, end: int) -> dict[str, Any] | msgspec.Raw | None:
    """A citation on this wire, if it can say it; `end` is where the text ends of which nobody has told the place. What
    has no address is of a file: for a document of the caller's this wire has nothing else."""
    if citation.origin == NAME and citation.raw:
        return msgspec.Raw(citation.raw)
    end = end if citation.end is None else citation.end
    if not citation.url:
        if not (citation.file_id or citation.title or citation.quote):
            return None
        return {"type": "file_citation", "file_id": citation.file_id, "filename": citation.title, "index": end}
    return {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title,
        "start_index": citation.start or 0,
        "end_index": end,
    }


def logprob(token: TokenLogprob) -> dict[str, Any]:
    """A token's, on this wire."""
    made: dict[str, Any] = {
        "token": token.token,
        "logprob": token.logprob,
        "bytes": list(token.bytes) if token.bytes is not None else list(token.token.encode("utf-8", "replace")),
    }
    made["top_logprobs"] = [
        {
            "token": other.token,
            "logprob": other.logprob,
            "bytes": list(other.bytes) if other.bytes is not None else list(other.token.encode("utf-8", "replace")),
        }
        for other in token.top
    ]
    return made


def is_json(text: str) -> bool:
    """Whether arguments are whole."""
    try:
        _any.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
