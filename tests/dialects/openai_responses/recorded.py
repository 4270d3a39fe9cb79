"""The recorded exchanges of this dialect, for its tests."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from tests.support.recordings import folder


class Exchange(NamedTuple):
    """One of them. `body` is the request's, None where the source has none."""

    id: str
    provider: str
    status: int
    stream: bool
    body: dict[str, Any] | None
    reply: str

    def events(self) -> list[dict[str, Any]]:
        """The events of a stream, read by other means than the gateway's. A few recordings hold several streams, one
        after the other: then those of the first."""
        found = []
        for block in self.reply.replace("\r\n", "\n").split("\n\n"):
            data = "\n".join(line[5:].lstrip() for line in block.split("\n") if line.startswith("data:"))
            if data and data != "[DONE]":
                found.append(json.loads(data))
                if found[-1]["type"] in ("response.completed", "response.incomplete", "response.failed"):
                    break
        return found


@cache
def exchanges() -> tuple[Exchange, ...]:
    """All of them."""
    return tuple(_read())


def streams() -> list[Exchange]:
    """Those that began with 200 as a stream."""
    return [one for one in exchanges() if one.stream and one.status == 200]


def replies() -> list[Exchange]:
    """Whole answers with 200 that are Responses."""
    return [
        one
        for one in exchanges()
        if not one.stream and one.status == 200 and one.reply[:1] == "{" and '"output"' in one.reply
    ]


def _read() -> Iterator[Exchange]:
    for path in sorted((folder() / "data").glob("*.openai-responses.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as lines:
            for line in lines:
                one = json.loads(line)
                request, response = one.get("request") or {}, one["response"]
                body = request.get("body")
                yield Exchange(
                    one["id"],
                    one["provider"],
                    response["status"],
                    bool(one["stream"]),
                    body if isinstance(body, dict) else None,
                    response["body"] if isinstance(response["body"], str) else "",
                )
