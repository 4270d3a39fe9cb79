"""Read requests and whole answers of the Responses dialect as far as a call that passes needs it."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.faults import Fault
from encke.dialects.body import NULL, not_utf8, opener, read_flag, read_model, top_level, wrong_type
from encke.dialects.faults import fault_in_stream
from encke.dialects.mend import loosely
from encke.dialects.openai_responses.usage import parse_usage
from encke.dialects.openai_responses.wire import NOTHING, Details, Reply
from encke.dialects.port import ParsedReply
from encke.dialects.request import Body, Request

_reply: Final = msgspec.json.Decoder(Reply)

# What stands for an input that is kept elsewhere.
_KEPT: Final = ("prompt", "previous_response_id", "conversation")


def parse_request(data: bytes) -> Request:
    """Read a request body. Raises Fault invalid_json, missing_required_parameter, invalid_type or invalid_value."""
    body = top_level(data)
    model = read_model(body)
    said = body.get("input", NULL)
    if said == NULL:
        if not _has_kept(body):
            raise Fault("missing_required_parameter", "Missing required parameter: `input`.", param="input")
    elif opener(said) not in (b'"', b"["):
        raise wrong_type("input", said, b'"[')
    return Request(data, body, model, read_flag(body, "stream"), False)


def _has_kept(body: Body) -> bool:
    return any(body.get(name, NULL) != NULL for name in _KEPT)


def parse_reply(data: bytes) -> ParsedReply:
    """Read a whole answer with status 200. Raises Fault upstream_bad_response when it is none, and what upstream says
    of itself when it has failed."""
    reply = read_reply(data)
    return ParsedReply(parse_usage(reply.usage), finish_of(reply.status or "", reply.incomplete_details))


def read_reply(data: bytes) -> Reply:
    """The same, as it stands on the wire."""
    if not_utf8(data) >= 0:
        raise Fault("upstream_bad_response", "The provider's answer is not UTF-8.", verdict="next")
    reply = loosely(data, _reply, Reply)
    if reply is None:
        raise Fault(
            "upstream_bad_response", "The provider's answer is not a JSON object of the expected shape.", verdict="next"
        )
    if reply.error not in (NOTHING, NULL):
        raise fault_in_stream(reply.error)
    if reply.status in ("failed", "cancelled"):
        raise Fault("upstream_error", f"The provider's answer has the status `{reply.status}`.", verdict="again")
    if opener(reply.output or b" ") != b"[":
        raise Fault("upstream_bad_response", "The provider's answer has no `output`.", verdict="next")
    return reply


def finish_of(status: str, details: Details | None) -> str:
    """Why an answer ended, in the words of this wire: what it is incomplete for, else its status."""
    return details.reason if details is not None and details.reason else status
