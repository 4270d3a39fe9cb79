"""A fake provider that answers every route of the description, not only chat."""

from __future__ import annotations

from encke.testing import wire
from encke.testing.behaviours import by_request
from encke.testing.polite import usage
from encke.testing.request import Request
from encke.testing.script import Script, Send

MODEL = "fake"

ANSWERS: dict[str, dict[str, object]] = {
    "/embeddings": {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
        "model": MODEL,
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    },
    "/moderations": {"id": "modr-1", "model": MODEL, "results": [{"flagged": False}]},
    "/completions": {
        "id": "cmpl-1",
        "object": "text_completion",
        "choices": [{"index": 0, "text": "Hello", "finish_reason": "stop"}],
        "usage": usage(3, 1),
    },
}
EVENTS = (
    {"choices": [{"index": 0, "text": "Hel", "finish_reason": None}]},
    {"choices": [{"index": 0, "text": "lo", "finish_reason": "stop"}]},
)


def behave(request: Request) -> Script:
    """A whole answer or a stream, as asked for, for the routes that the usual behaviours do not have."""
    route = next((path for path in ANSWERS if request.path == f"/v1{path}"), None)
    if route is None:
        return by_request(request)
    if route == "/completions" and request.stream:
        head = wire.head(200, [wire.EVENT_STREAM, wire.CHUNKED])
        return Script([Send(head + wire.chunked(wire.sse(*EVENTS)))], name="stream")
    return Script([Send(wire.json_response(200, ANSWERS[route]))], name="whole")
