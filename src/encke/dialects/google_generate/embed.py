"""Embeddings on this wire, both ways: one content (`:embedContent`), or several (`:batchEmbedContents`).

Source: ai.google.dev/api/embeddings.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from encke.core.chat import Text
from encke.core.embed import EmbedReply, EmbedRequest, Purpose
from encke.core.faults import Fault
from encke.dialects.embedding import reply_of, texts_of
from encke.dialects.google_generate.calls import Calls
from encke.dialects.google_generate.events import EmbedAnswer
from encke.dialects.google_generate.faults import fault_of_event
from encke.dialects.google_generate.fields import Fields
from encke.dialects.google_generate.parse_parts import read_parts
from encke.dialects.google_generate.parse_reply import bad_reply
from encke.dialects.google_generate.signature import ORIGIN
from encke.dialects.google_generate.usage import parse_usage
from encke.dialects.google_generate.wire import NOTHING, NULL
from encke.dialects.port import Rendered
from encke.dialects.request import Request
from encke.dialects.typed import check_depth

MOST_INPUTS: Final = 1 << 16
_PURPOSES: Final[dict[str, Purpose]] = {
    "RETRIEVAL_QUERY": "query",
    "RETRIEVAL_DOCUMENT": "document",
    "SEMANTIC_SIMILARITY": "similarity",
    "CLASSIFICATION": "classification",
    "CLUSTERING": "clustering",
}
_TASKS: Final = {purpose: word for word, purpose in _PURPOSES.items()}
_WORDS: Final = (
    "TASK_TYPE_UNSPECIFIED", "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY", "CLASSIFICATION",
    "CLUSTERING", "QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY",
)  # fmt: skip

_answer: Final = msgspec.json.Decoder(EmbedAnswer)
_encode: Final = msgspec.json.Encoder().encode


class _One:
    """One request for a vector, but its text: all of a batch must agree in it, since the hub's request has one of
    each."""

    __slots__ = ("dimensions", "extra", "purpose", "title")

    def __init__(self, fields: Fields) -> None:
        self.dimensions = fields.whole("outputDimensionality", 1)
        word = fields.word("taskType", _WORDS)
        self.purpose: Purpose = _PURPOSES.get(word, "")
        self.title = fields.string("title")
        self.extra = {} if not word or self.purpose else {f"{ORIGIN}.taskType": _encode(word)}

    def agrees(self, other: _One) -> bool:
        """Whether it is the same but for the text."""
        return (self.dimensions, self.purpose, self.title, self.extra) == (
            other.dimensions,
            other.purpose,
            other.title,
            other.extra,
        )


def read_embed(request: Request) -> EmbedRequest:
    """A request for one vector. Raises Fault."""
    check_depth(request.data)
    fields = Fields(request.data, "")
    return _request(request.model, (_text(fields),), _One(fields), fields, single=True)


def read_batch(request: Request) -> EmbedRequest:
    """A request for several. Raises Fault."""
    check_depth(request.data)
    body = Fields(request.data, "")
    texts: list[str] = []
    first: _One | None = None
    last: Fields | None = None
    items = body.items("requests")
    if not items or len(items) > MOST_INPUTS:
        raise Fault("invalid_value", f"`requests` must have 1 to {MOST_INPUTS} entries.", param="requests")
    for raw, path in items:
        fields = Fields(raw, path)
        texts.append(_text(fields))
        one = _One(fields)
        if first is not None and not first.agrees(one):
            raise Fault(
                "invalid_value",
                f"`{path}` differs from the first request in its task type, title or dimensions: another provider's "
                "embeddings have one for all. Send them apart.",
                param=path,
            )
        first = first or one
        last = fields
    assert first is not None and last is not None
    return _request(request.model, tuple(texts), first, last, single=False)


def _request(model: str, texts: tuple[str, ...], one: _One, fields: Fields, *, single: bool) -> EmbedRequest:
    extra = dict(one.extra)
    for name, raw in fields.rest():
        if name != "model":
            extra[f"{ORIGIN}.{name}"] = bytes(raw)
    return EmbedRequest(
        model=model,
        inputs=texts,
        dimensions=one.dimensions,
        single=single,
        purpose=one.purpose,
        title=one.title,
        extra=extra,
    )


def _text(fields: Fields) -> str:
    """The text of a content; its parts are one."""
    content = fields.inner("content")
    if content is None:
        path = fields.at("content")
        raise Fault("missing_required_parameter", f"Missing required parameter: `{path}`.", param=path)
    content.raw("role")
    texts = []
    for at, part in enumerate(read_parts(content, Calls(), model=False)):
        if not isinstance(part, Text):
            path = f"{content.path}.parts[{at}]"
            raise Fault("invalid_value", f"`{path}` must be a text: this model embeds no other.", param=path)
        texts.append(part.text)
    return "".join(texts)


def render_batch(request: EmbedRequest, model: str) -> Rendered:
    """The request for all vectors."""
    fields, dropped = _common(request)
    name = model if "/" in model else f"models/{model}"
    requests = [{"model": name, "content": {"parts": [{"text": text}]}, **fields} for text in texts_of(request)]
    return Rendered(_encode({"requests": requests}), dropped)


def render_embed(request: EmbedRequest, model: str) -> Rendered:
    """The request for one vector. Raises Fault unsupported_parameter for several, which this operation cannot give."""
    if len(request.inputs) != 1:
        raise Fault(
            "unsupported_parameter",
            "This model embeds one input at a time; send them apart.",
            param="input",
            verdict="next",
        )
    fields, dropped = _common(request)
    return Rendered(_encode({"content": {"parts": [{"text": texts_of(request)[0]}]}, **fields}), dropped)


def _common(request: EmbedRequest) -> tuple[dict[str, Any], tuple[str, ...]]:
    fields: dict[str, Any] = {}
    dropped = ["user"] if request.user else []
    if request.dimensions is not None:
        fields["outputDimensionality"] = request.dimensions
    if request.purpose:
        fields["taskType"] = _TASKS[request.purpose]
    if request.title:
        if request.purpose == "document":
            fields["title"] = request.title
        else:
            dropped.append("title")  # only documents have one
    for name, raw in request.extra.items():
        if name.startswith(ORIGIN + "."):
            fields[name.partition(".")[2]] = msgspec.Raw(raw)
        else:
            dropped.append(name)
    return fields, tuple(dropped)


def read_embed_reply(data: bytes, request: EmbedRequest) -> EmbedReply:
    """One vector or several. Raises Fault upstream_bad_response, or what an error inside says."""
    try:
        answer = _answer.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise bad_reply(str(error)) from None
    if answer.error not in (NOTHING, NULL):
        raise fault_of_event(answer.error)
    found = answer.embeddings if answer.embeddings is not None else [answer.embedding] if answer.embedding else []
    return reply_of(request, tuple(one.values for one in found), "", parse_usage(answer.usageMetadata))


def render_embed_reply(reply: EmbedReply, *, batch: bool) -> bytes:
    """The answer for a caller of this dialect."""
    vectors = [{"values": vector} for vector in reply.vectors]
    body: dict[str, Any] = {"embeddings": vectors} if batch else {"embedding": vectors[0] if vectors else {}}
    if reply.usage is not None:
        body["usageMetadata"] = {"promptTokenCount": reply.usage.total_input}
    return _encode(body)
