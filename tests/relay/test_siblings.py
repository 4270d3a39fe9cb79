"""The dialect's other routes are relayed alike: completions (streams too), embeddings, moderations."""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.testing import replay
from encke.testing.replay import Exchange
from tests.relay.traffic import MODES, OWN, Stage, cases, check
from tests.support import recordings
from tests.support.gateway import Gateway

# route: the recordings' name for it, a minimal request, the field of a good answer, and how many there are at least
ROUTES: dict[str, tuple[str, dict[str, Any], str, int]] = {
    "/v1/completions": ("openai.completions", {"prompt": "Hello"}, "choices", 55),
    "/v1/embeddings": ("openai.embeddings", {"input": "Hello"}, "data", 50),
    "/v1/moderations": ("openai.moderations", {"input": "Hello"}, "results", 4),
}


def ours(field: str, stream: bool) -> Exchange:
    """A small answer of our own."""
    member = {"index": 0, "text": "Hi", "finish_reason": None}
    body = json.dumps({"object": "x", field: [member if field == "choices" else {"index": 0}], "model": "m"}, indent=1)
    if stream:
        last = json.dumps({field: [{**member, "text": "", "finish_reason": "stop"}]})
        body = f"data: {json.dumps({field: [member]})}\n\ndata: {last}\n\ndata: [DONE]\n\n"
    kind = "text/event-stream" if stream else "application/json; charset=utf-8"
    return Exchange(
        {
            "id": f"ours-{field}-{stream}",
            "provider": OWN,
            "stream": stream,
            "request": None,
            "response": {"status": 200, "headers": {"content-type": kind}, "body": body, "body_encoding": "utf-8"},
        }
    )


@pytest.mark.parametrize("path", ROUTES)
def test_our_examples_come_through(all_providers: Gateway, stage: Stage, path: str) -> None:
    """Answers, and streams where the route has them."""
    _, minimal, field, _ = ROUTES[path]
    shapes = (False, True) if path == "/v1/completions" else (False,)
    played = cases([ours(field, stream) for stream in shapes], MODES)
    check(stage, all_providers, path, played, minimal, field)


@pytest.mark.recordings
@pytest.mark.parametrize("path", ROUTES)
def test_every_recorded_exchange_comes_through(all_providers: Gateway, stage: Stage, path: str) -> None:
    """Whole and at random cuts; what was recorded of other paths (reports of usage) is left out."""
    api, minimal, field, least = ROUTES[path]
    found = [
        one
        for one in replay.recorded(recordings.folder(), api=api)
        if (one.record["request"] or {}).get("path") in (None, path) or one.request_body is not None
    ]
    assert len(found) >= least
    check(stage, all_providers, path, cases(found, ("whole", "random")), minimal, field)
