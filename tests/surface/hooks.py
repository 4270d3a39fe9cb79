"""What schemathesis is told about this gateway beyond the description; it imports this file by itself.

Generated model names are unknown here, so that every call would end with `model_not_found`: three of four get the name
of a model that there is. A conversation of another dialect is made one. With a key, the other headers for keys stay
empty, since two different keys are refused. And
two more checks: an error that the gateway made has the status of its code's row, and a stream has its end.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

import schemathesis
from schemathesis import Case, CheckContext, HookContext, Response

from encke.core.faults import FAULTS
from encke.dialects.body import MAX_MODEL_NAME
from encke.worker.admission import KEY_HEADERS
from tests.surface.upstream import MODEL

NAME = f"lab/{MODEL}"
CONVERSATIONS: tuple[tuple[str, str, Any], ...] = (
    ("/v1/messages", "messages", {"role": "user", "content": "Hello"}),
    ("/v1/messages/count_tokens", "messages", {"role": "user", "content": "Hello"}),
    ("/v1/responses", "input", {"role": "user", "content": "Hello"}),
)


def draw(value: object, sides: int) -> int:
    """A die that falls the same way for the same value."""
    return zlib.crc32(repr(value).encode("utf-8", "replace")) % sides


@schemathesis.hook
def before_call(context: HookContext, case: Case[Any], kwargs: dict[str, Any]) -> None:
    """Give most calls a model that there is, and only one key."""
    body = case.body
    if isinstance(body, dict) and _is_name(body.get("model")) and draw(sorted(map(repr, body.items())), 4):
        case.body = {**body, "model": NAME}
    for path, field, good in CONVERSATIONS:
        # Whatever stands in a conversation that is translated is read: only what it is made of is the description's.
        if case.path == path and isinstance(case.body, dict) and isinstance(case.body.get(field), list):
            case.body = {**case.body, field: [good]}
    if case.path.startswith("/v1/messages") and isinstance(case.body, dict) and case.body.get("max_tokens") == 0:
        case.body = {**case.body, "max_tokens": 1}  # only Anthropic has a meaning for 0
    if "id" in case.path_parameters and draw(case.path_parameters, 2):
        case.path_parameters = {**case.path_parameters, "id": NAME}
    if "Authorization" in case.headers:
        for name in KEY_HEADERS:
            case.headers.pop(name.decode(), None)


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= MAX_MODEL_NAME


@schemathesis.check
def errors_are_of_the_table(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """Every error has its route's envelope, a code of the table with that code's status, and the id of the head.
    (Anthropic's envelope has no codes.)"""
    if response.status_code < 400 or case.method == "HEAD":
        return
    said = response.json()
    code, request_id = said["error"].get("code"), said.get("request_id")
    details = {one["@type"].rpartition(".")[2]: one for one in said["error"].get("details", ())}
    if details:
        assert code == response.status_code
        code, request_id = details["ErrorInfo"]["reason"].lower(), details["RequestInfo"]["requestId"]
    if said.get("type") != "error":
        assert code in FAULTS, f"the code {code!r} is none of the table"
        assert FAULTS[code].status == response.status_code, f"{code} came with {response.status_code}"
    assert response.headers["x-request-id"] == [request_id], "two request ids"


@schemathesis.check
def streams_have_their_end(ctx: CheckContext, response: Response, case: Case[Any]) -> None:
    """A stream is whole events, the last of them the end mark."""
    if response.headers.get("content-type", [""])[0].startswith("text/event-stream"):
        *events, rest = response.content.split(b"\n\n")
        assert rest == b"" and events[-1] == b"data: [DONE]", f"the stream ends with {response.content[-80:]!r}"
        assert all(isinstance(json.loads(event[6:]), dict) for event in events[:-1])
