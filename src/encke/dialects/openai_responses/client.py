"""The Responses dialect as callers use it."""

from __future__ import annotations

from typing import Final

from encke.core.chat import ChatReply
from encke.core.faults import Fault
from encke.core.traits import Traits
from encke.dialects.cost import CostPlace
from encke.dialects.openai_chat.faults import render_fault
from encke.dialects.openai_responses.bounds import output_limit, unbounded
from encke.dialects.openai_responses.faults import render_stream_fault
from encke.dialects.openai_responses.fields import read_request
from encke.dialects.openai_responses.parse import parse_reply, parse_request
from encke.dialects.openai_responses.render import render_native
from encke.dialects.openai_responses.replay import replay
from encke.dialects.openai_responses.seals import without_seals
from encke.dialects.openai_responses.tap import ResponsesTap
from encke.dialects.openai_responses.usage import render_usage
from encke.dialects.openai_responses.wire import ENDS
from encke.dialects.openai_responses.writer import ResponsesWriter
from encke.dialects.port import CHAT, LARGE_EVENT, ClientSide, Hub, HubReply, ParsedReply, Tap, Writer
from encke.dialects.request import Request

# This wire's names for the hub's fields, for what callers are told was left out.
_SHOWN: Final = {
    "max_tokens": "max_output_tokens",
    "format": "text.format",
    "verbosity": "text.verbosity",
    "parallel_tools": "parallel_tool_calls",
    "thinking": "reasoning.encrypted_content",
}
_COST: Final = CostPlace("usage", render_usage, frozenset([b'"%b"' % end.encode() for end in ENDS]), whole=True)


class ResponsesClient(ClientSide):
    """`/v1/responses`."""

    route = "responses"
    native = "responses"
    kind = CHAT
    max_event = LARGE_EVENT
    cost_place: CostPlace | None = _COST
    cache_field = "prompt_cache_breakpoint"

    def read(self, data: bytes, target: str, headers: dict[bytes, bytes]) -> Request:
        """See `ClientSide`."""
        return parse_request(data)

    def output_limit(self, request: Request) -> int | None:
        """See `ClientSide`."""
        return output_limit(request.body)

    def unbounded(self, request: Request) -> str | None:
        """See `ClientSide`."""
        return unbounded(request.body)

    def render(self, request: Request, model: str, traits: Traits) -> list[bytes | memoryview]:
        """See `ClientSide`."""
        return render_native(request, model)

    def without_seals(self, request: Request, all_: bool) -> Request | None:
        """See `ClientSide`."""
        return without_seals(request, all_)

    def tap(self, request: Request) -> Tap:
        """See `ClientSide`."""
        return ResponsesTap()

    def read_reply(self, data: bytes) -> ParsedReply:
        """See `ClientSide`."""
        return parse_reply(data)

    def to_hub(self, request: Request) -> Hub:
        """See `ClientSide`."""
        return read_request(request)

    def render_reply(self, reply: HubReply, request: Request, call_id: str, created: int) -> bytes:
        """See `ClientSide`."""
        assert isinstance(reply, ChatReply)
        writer = ResponsesWriter(request, call_id, created, quiet=True)
        for delta in replay(reply):
            writer.feed(delta)
        return writer.whole(reply.usage)[1]

    def writer(self, request: Request, call_id: str, created: int) -> Writer:
        """See `ClientSide`."""
        return ResponsesWriter(request, call_id, created)

    def shown_name(self, name: str) -> str:
        """See `ClientSide`."""
        return _SHOWN.get(name) or name.removeprefix("openai_responses.")

    def render_fault(self, fault: Fault, request_id: str) -> bytes:
        """See `ClientSide`."""
        return render_fault(fault, request_id)

    def render_stream_fault(self, fault: Fault, request_id: str) -> bytes:
        """See `ClientSide`."""
        return render_stream_fault(fault, request_id)
