"""What a client is told about a gateway, and the one request that every client makes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec

from encke.testing.upstream import FakeUpstream

QUESTION: list[Any] = [{"role": "user", "content": "What is the capital of France? One word."}]


@dataclass(frozen=True)
class Site:
    """Base URL, key and model; the fake upstream behind it, if that is what answers."""

    base_url: str
    key: str
    model: str
    upstream: FakeUpstream | None

    @property
    def fake(self) -> FakeUpstream:
        """The upstream, where there has to be one."""
        assert self.upstream is not None
        return self.upstream

    @property
    def last_body(self) -> Any:
        """The chat request that reached the upstream last."""
        posted = [call.body for call in self.fake.statement.calls() if call.method == "POST"]
        return msgspec.json.decode(posted[-1])

    def is_answer(self, text: str | None) -> bool:
        """Whether `text` is what the model behind this gateway says to QUESTION."""
        if self.upstream is not None:
            return text == "Hello word.1 word.2 word.3"
        return text is not None and "paris" in text.lower()

    @property
    def root(self) -> str:
        """The base URL without `/v1`, as clients of Anthropic's and Gemini's APIs are given it."""
        return self.base_url.removesuffix("/v1")


def behave(**options: Any) -> str:
    """A prompt that names a behaviour of the fake upstream."""
    return f"behave: {json.dumps(options)}"
