"""How failures are told before and after a stream has begun."""

from __future__ import annotations

import json

from encke.core.faults import Fault
from encke.dialects.openai_responses.client import ResponsesClient

FAULT = Fault("upstream_timeout", "Too slow.", param="model")


def test_an_answer() -> None:
    """The envelope is OpenAI's."""
    told = json.loads(ResponsesClient().render_fault(FAULT, "req_1"))
    assert told["error"] == {"message": "Too slow.", "type": "timeout_error", "param": "model", "code": FAULT.code}


def test_a_stream_that_has_not_begun() -> None:
    """An error event: as it is described and as it is sent."""
    head, data = ResponsesClient().render_stream_fault(FAULT, "req_1").rstrip(b"\n").split(b"\n")
    assert head == b"event: error"
    told = json.loads(data.removeprefix(b"data: "))
    assert (told["type"], told["code"], told["sequence_number"]) == ("error", "upstream_timeout", 0)
    assert told["message"] == told["error"]["message"] == "Too slow."
    assert told["request_id"] == "req_1"
