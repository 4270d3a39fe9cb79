"""Request: what the gateway reads of any client's request before it is sent on."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.dialects.places import Places

Body = dict[str, msgspec.Raw]

_encode: Final = msgspec.json.Encoder().encode


class Request:
    """`body` holds the raw values of the top level, in their order; `data` is the whole of it as it came.

    `model_at` is where in `data` the value of `model` begins; -1 where that is not known, where the model does not
    stand there, or where writing `body` anew would give something else. `output_limit` is what the gateway sets for the
    length of an answer, in tokens; 0: nothing. `form`: which of a route's forms is asked for, where it has several
    (Gemini's streams without `alt=sse`); `fields`: headers of the caller's that go on to a target of the same dialect
    (anthropic-beta), each with CRLF. `others`: what lets another model answer; "" is nothing, None not yet looked for.
    `places`: where whoever reads it notes what stands where, if it is asked for.
    """

    __slots__ = (
        "body", "data", "fields", "form", "include_usage", "model", "model_at", "others", "output_limit", "places",
        "stream",
    )  # fmt: skip

    def __init__(self, data: bytes, body: Body, model: str, stream: bool, include_usage: bool) -> None:
        self.data = data
        self.body = body
        self.model_at = _model_at(body, len(data))
        self.model = model
        self.stream = stream
        self.include_usage = include_usage
        self.output_limit = 0
        self.form = ""
        self.fields = b""
        self.others: str | None = None
        self.places: Places | None = None

    def with_body(self, body: Body) -> Request:
        """The same request with another body."""
        made = Request(_encode(body), body, self.model, self.stream, self.include_usage)
        made.output_limit, made.form, made.fields = self.output_limit, self.form, self.fields
        return made


def _model_at(body: Body, size: int) -> int:
    """Where the value of `model` begins, if the text is as long as `body` written without white space.

    Then it is that text: a repeated key, an escape in a key, or white space would have made it longer.
    """
    at, found = 1, -1
    for key, raw in body.items():
        at += len(key) + 3
        if key == "model":
            found = at
        at += len(raw) + 1
    return found if at == size else -1
