"""A stream for a caller of this dialect, and a whole answer, which is the same without its events."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.delta import FINISH, FOREIGN, LOGPROBS, REFUSAL, START, USAGE, Delta
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.blocks import Blocks
from encke.dialects.openai_chat.faults import error_of
from encke.dialects.openai_responses.faults import render_stream_fault
from encke.dialects.openai_responses.head import ResponseHead
from encke.dialects.openai_responses.items import Items
from encke.dialects.openai_responses.usage import render_usage
from encke.dialects.port import Writer
from encke.dialects.request import Request

_encode: Final = msgspec.json.Encoder().encode

# What ends a Response early. Other reasons have no word on this wire, where an answer is incomplete for one of these.
# (An answer that the model broke off is one that was stopped, unless it says so: a refusal is a whole answer here.)
_FILTERED: Final = b'{"reason":"content_filter"}'
_REASONS: Final = {"length": b'{"reason":"max_output_tokens"}', "content_filter": _FILTERED, "refusal": _FILTERED}
_BROKEN: Final = b'{"code":"server_error","message":"The model broke off with an error."}'


class ResponsesWriter(Writer):
    """Writes one. The caller's dialect has one answer: choices beside the first are not written."""

    def __init__(self, request: Request, call_id: str, created: int, quiet: bool = False) -> None:
        super().__init__()
        self._request = request
        self._id = call_id.replace("-", "")
        self._created = created
        self._items = Items(self.out, self._id, quiet)
        self._blocks = Blocks(self._items)
        self._head: ResponseHead | None = None
        self._finish = ""
        self._refused = False

    def feed(self, delta: Delta) -> None:
        """See `Writer`."""
        kind = delta.kind
        if delta.choice:
            return
        if kind == START:
            if self._head is None:
                self._begin(delta.name, delta.data if isinstance(delta.data, int) else 0)
            return
        if self._head is None:
            self._begin("", 0)
        if kind == FINISH:
            self._finish = delta.name
        elif kind == LOGPROBS:
            self._items.logprobs(delta.data)
        elif kind != USAGE and kind != FOREIGN:
            if kind == REFUSAL:
                self._refused = True
            self._blocks.feed(delta)

    def finish(self, usage: Usage | None) -> None:
        """See `Writer`."""
        kind, response = self.whole(usage)
        self._items.event(kind, b'"response":' + response)

    def whole(self, usage: Usage | None) -> tuple[bytes, bytes]:
        """The Response at its end, and the event that tells of it."""
        head = self._head if self._head is not None else self._begin("", 0)
        details = _REASONS.get(self._finish, b"") if not self._has_said_so() else b""
        if details:
            self._items.status = b"incomplete"
        self._blocks.end()
        output, told = b",".join(self._items.done), render_usage(usage)
        if self._finish == "error":
            return b"response.failed", head.render("failed", output, told, error=_BROKEN)
        if details:
            return b"response.incomplete", head.render("incomplete", output, told, details=details)
        return b"response.completed", head.render("completed", output, told)

    def _has_said_so(self) -> bool:
        return self._finish == "refusal" and self._refused

    def break_off(self, fault: Fault, request_id: str) -> bytes:
        """See `Writer`."""
        head = self._head
        if head is None:
            return render_stream_fault(fault, request_id)
        error = _encode(
            {"code": error_of(fault).get("code") or fault.code, "message": f"{fault.message} (request {request_id})"}
        )
        response = head.render("failed", b",".join(self._items.done), b"null", error=error)
        return b'event: response.failed\ndata: {"type":"response.failed","response":%b,"sequence_number":%d}\n\n' % (
            response,
            self._items.sequence,
        )

    def _begin(self, model: str, created: int) -> ResponseHead:
        request = self._request
        head = ResponseHead(request, "resp_" + self._id, model or request.model, created or self._created)
        self._head = head
        started = head.render("in_progress", b"", b"null")
        for kind in (b"response.created", b"response.in_progress"):
            self._items.event(kind, b'"response":' + started)
        return head
