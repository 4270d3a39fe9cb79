"""Embeddings on this wire, both ways."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from typing import Any, Final

import msgspec

from encke.core.embed import EmbedReply, EmbedRequest, Purpose
from encke.core.faults import Fault
from encke.core.traits import Traits
from encke.core.usage import NO_USAGE
from encke.dialects.body import opener
from encke.dialects.faults import fault_in_stream
from encke.dialects.openai_chat.parse import parse_usage
from encke.dialects.openai_chat.parts import ORIGIN
from encke.dialects.openai_chat.stream_wire import Embedding, Embeddings
from encke.dialects.port import Rendered
from encke.dialects.request import Request
from encke.dialects.typed import check_depth, invalid, is_set, read, read_list, read_string

_ints: Final = msgspec.json.Decoder(tuple[int, ...])
_int: Final = msgspec.json.Decoder(int | None)
_reply: Final = msgspec.json.Decoder(Embeddings)
_floats: Final = msgspec.json.Decoder(tuple[float, ...])
_string: Final = msgspec.json.Decoder(str)
_encode: Final = msgspec.json.Encoder().encode

_READ: Final = frozenset({"model", "input", "dimensions", "encoding_format", "user", "stream"})
# What the vectors are for, a field that OpenAI does not have: in the words of Cohere, Voyage and others who have it.
_INPUT_TYPE: Final = "input_type"
_PURPOSES: Final[dict[bytes, Purpose]] = {
    b'"query"': "query",
    b'"search_query"': "query",
    b'"document"': "document",
    b'"search_document"': "document",
    b'"passage"': "document",
    b'"classification"': "classification",
    b'"clustering"': "clustering",
}
_OWN: Final = ORIGIN + "."
OUTPUT_DIMENSION: Final = "output_dimension"
MOST_INPUTS: Final = 1 << 16


def read_embed(request: Request) -> EmbedRequest:
    """The request. Raises Fault."""
    check_depth(request.data)
    body = request.body
    single, inputs = _read_inputs(body["input"])
    dimensions = read(body["dimensions"], _int, "dimensions") if "dimensions" in body else None
    if dimensions is not None and not 1 <= dimensions <= 1 << 20:
        raise invalid("dimensions", f"must be 1 or more, not {dimensions}")
    form = read_string(body["encoding_format"], "encoding_format") if is_set(body.get("encoding_format")) else "float"
    if form not in ("float", "base64"):
        raise invalid("encoding_format", "must be `float` or `base64`")
    purpose = _PURPOSES.get(bytes(body.get(_INPUT_TYPE, b"")), "")
    read_here = _READ | {_INPUT_TYPE} if purpose else _READ
    return EmbedRequest(
        model=request.model,
        inputs=inputs,
        dimensions=dimensions,
        base64=form == "base64",
        single=single,
        purpose=purpose,
        user=read_string(body["user"], "user") if is_set(body.get("user")) else "",
        extra={_OWN + name: bytes(raw) for name, raw in body.items() if name not in read_here and is_set(raw)},
    )


def _read_inputs(raw: msgspec.Raw) -> tuple[bool, tuple[str | tuple[int, ...], ...]]:
    """Whether it is one input and no list of them, and the inputs: texts, or lists of tokens."""
    if opener(raw) == b'"':
        return True, (read_string(raw, "input"),)
    items = read_list(raw, "input")
    if not items:
        raise invalid("input", "must not be empty")
    if opener(items[0]) not in (b'"', b"["):
        return True, (read(raw, _ints, "input"),)
    if len(items) > MOST_INPUTS:
        raise invalid("input", f"must not have more than {MOST_INPUTS} entries; it has {len(items)}")
    return False, tuple(
        read_string(item, f"input[{at}]") if opener(item) == b'"' else read(item, _ints, f"input[{at}]")
        for at, item in enumerate(items)
    )


def render_embed(request: EmbedRequest, model: str, traits: Traits) -> Rendered:
    """The request on this wire, and what of it has no place there."""
    dropped = [name for name in ("purpose", "title") if getattr(request, name)]
    inputs: list[Any] = [one if isinstance(one, str) else list(one) for one in request.inputs]
    body: dict[str, Any] = {"model": model, "input": inputs[0] if request.single and len(inputs) == 1 else inputs}
    if request.dimensions is not None:
        body[OUTPUT_DIMENSION if OUTPUT_DIMENSION in traits.extensions else "dimensions"] = request.dimensions
    if request.base64:
        body["encoding_format"] = "base64"
    if request.user:
        body["user"] = request.user
    for name, raw in request.extra.items():
        own = name.removeprefix(_OWN)
        if name.startswith(_OWN) and own not in body:
            body[own] = msgspec.Raw(raw)
        else:
            dropped.append(name)
    return Rendered(_encode(body), tuple(dropped))


def read_embed_reply(data: bytes) -> EmbedReply:
    """The answer; vectors as numbers or in base64, as they come. Raises Fault."""
    try:
        reply = _reply.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise _bad(f"is not of the expected shape: {error}") from None
    if is_set(reply.error):
        raise fault_in_stream(reply.error)
    if reply.data is None:
        raise _bad("has no `data`")
    found = sorted(enumerate(reply.data), key=_order)
    return EmbedReply(
        vectors=tuple(_vector(one.embedding) for _, one in found),
        model=reply.model or "",
        usage=parse_usage(reply.usage),
    )


def _order(numbered: tuple[int, Embedding]) -> tuple[int, int]:
    at, one = numbered
    return (at if one.index is None else one.index, at)


def _vector(raw: msgspec.Raw) -> tuple[float, ...]:
    try:
        if opener(raw) == b'"':
            data = base64.b64decode(_string.decode(raw), validate=True)
            vector = struct.unpack(f"<{len(data) // 4}f", data)
            if not all(map(math.isfinite, vector)):  # JSON has no word for them
                raise ValueError("a number in it is not finite")
            return vector
        return _floats.decode(raw)
    except (msgspec.DecodeError, RecursionError, binascii.Error, struct.error, ValueError) as error:
        raise _bad(f"has a vector that cannot be read: {error}") from None


def render_embed_reply(reply: EmbedReply, request: Request) -> bytes:
    """The answer for a caller, in the form that was asked for."""
    wanted = request.body.get("encoding_format")
    packed = wanted is not None and bytes(wanted) == b'"base64"'
    usage = reply.usage or NO_USAGE
    return _encode(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": at, "embedding": _packed(vector) if packed else vector}
                for at, vector in enumerate(reply.vectors)
            ],
            "model": reply.model or request.model,
            "usage": {"prompt_tokens": usage.total_input, "total_tokens": usage.total_input + usage.total_output},
        }
    )


def _packed(vector: tuple[float, ...]) -> str:
    try:
        return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    except OverflowError:
        raise _bad("has a number that is none of float32, which base64 holds") from None


def _bad(what: str) -> Fault:
    return Fault("upstream_bad_response", f"The provider's answer {what}.", verdict="next")
