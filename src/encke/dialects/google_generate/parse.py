"""Read requests as far as a native pass needs it, and whole answers of the same dialect.

The model and the method stand in the path: "gemini-2.5-flash:streamGenerateContent?alt=sse".
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from encke.core.faults import Fault
from encke.dialects.body import MAX_MODEL_NAME, not_utf8, opener, top_level, type_name
from encke.dialects.google_generate.faults import fault_of_event
from encke.dialects.google_generate.usage import parse_usage
from encke.dialects.google_generate.wire import NOTHING, NULL, TapEnd, TapReply, WireFeedback
from encke.dialects.google_generate.words import blocked_word, finish_word
from encke.dialects.port import ParsedReply
from encke.dialects.request import Body, Request

ARRAY: Final = "array"
STREAM: Final = "streamGenerateContent"
MODELS: Final = "models/"  # before an id that may also stand without it; of another collection it is a part

# What a request on a route must hold: one of these fields, which begins so. Google takes a single object for a list.
REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "generate": ("contents",),
    "google_count": ("contents", "generateContentRequest"),
    "embed_content": ("content",),
    "batch_embed": ("requests",),
}
# The field that a good answer has; of `generate`, one of them.
_ANSWERED: Final[dict[str, tuple[str, ...]]] = {
    "generate": ("candidates", "promptFeedback", "usageMetadata"),
    "google_count": (),  # nothing to count is told as nothing
    "embed_content": ("embedding", "embeddings"),
    "batch_embed": ("embeddings",),
}

_reply: Final = msgspec.json.Decoder(TapReply)
_ends: Final = msgspec.json.Decoder(list[TapEnd])
_feedback: Final = msgspec.json.Decoder(WireFeedback)
_any: Final = msgspec.json.Decoder()
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})")
LARGE: Final = 1 << 18
MOST_OBJECTS: Final = 50_000


def snake(name: str) -> str:
    """A field's other spelling."""
    return "".join("_" + char.lower() if char.isupper() else char for char in name)


def field(body: Body, name: str) -> msgspec.Raw | None:
    """A field of the top level by either spelling; None where it is absent or null. Raises Fault invalid_value where
    both are there: which of them a provider takes, nobody knows."""
    found = None
    for key in dict.fromkeys((name, snake(name))):
        raw = body.get(key)
        if raw is not None and raw != NULL:
            if found is not None:
                raise Fault("invalid_value", f"`{name}` is given twice, also as `{key}`; leave one out.", param=name)
            found = raw
    return found


def parse_request(route: str, data: bytes, target: str) -> Request:
    """Read a request. Raises Fault invalid_json, missing_required_parameter, invalid_type or invalid_value."""
    body = top_level(data)
    model, method, query = _target(target)
    names = REQUIRED[route]
    found = False
    for name in names:
        raw = field(body, name)
        if raw is not None:
            found = True
            if opener(raw) not in (b"[", b"{"):
                openers = "an object" if name in ("content", "generateContentRequest") else "an array"
                raise Fault("invalid_type", f"`{name}` must be {openers}, not {type_name(raw)}.", param=name)
    if not found:
        wanted = " or ".join(f"`{name}`" for name in names)
        raise Fault("missing_required_parameter", f"Missing required parameter: {wanted}.", param=names[0])
    stream = route == "generate" and method == STREAM
    request = Request(data, body, model, stream, True)
    if stream and not _wants_sse(query):
        request.form = ARRAY
    return request


def _target(target: str) -> tuple[str, str, str]:
    """Model, method and query."""
    path, _, query = target.partition("?")
    name, _, method = path.rpartition(":")
    try:
        model = _unescaped(name).strip("/")
    except UnicodeDecodeError:
        raise Fault("invalid_value", "The model in the path is not UTF-8.", param="model") from None
    model = model.removeprefix(MODELS)
    if not model:
        raise Fault(
            "missing_required_parameter", "The path must name a model: models/MODEL:generateContent.", param="model"
        )
    if len(model.encode()) > MAX_MODEL_NAME:
        raise Fault("invalid_value", f"`model` must have 1 to {MAX_MODEL_NAME} bytes.", param="model")
    return model, method, query


def _wants_sse(query: str) -> bool:
    """Whether `alt`, or `$alt`, is sse; of several the last."""
    alt = ""
    for pair in query.split("&"):
        name, _, value = pair.partition("=")
        if name in ("alt", "$alt", "%24alt"):
            alt = value
    return alt.lower().split("%3b")[0].split(";")[0] == "sse"


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), text.encode()).decode()


def parse_reply(route: str, data: bytes) -> ParsedReply:
    """Read a whole answer with status 200. Raises Fault upstream_bad_response, or what an error inside says."""
    if not_utf8(data) >= 0:
        raise Fault("upstream_bad_response", "The provider's answer is not UTF-8.", verdict="next")
    try:
        reply = _reply.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Fault(
            "upstream_bad_response", f"The provider's answer is not a JSON object: {error}.", verdict="next"
        ) from None
    if reply.error not in (NOTHING, NULL):
        raise fault_of_event(reply.error)
    wanted = _ANSWERED[route]
    if wanted and all(getattr(reply, name) in (NOTHING, NULL) for name in wanted):
        raise Fault("upstream_bad_response", f"The provider's answer has no `{wanted[0]}`.", verdict="next")
    return ParsedReply(parse_usage(reply.usageMetadata), _finish(data, reply) if route == "generate" else "")


def _finish(data: bytes, reply: TapReply) -> str:
    """The first candidate's finish reason, or why the prompt was refused."""
    raw = reply.candidates
    if opener(raw) == b"[" and (len(data) <= LARGE or data.count(b"{") <= MOST_OBJECTS):
        try:
            ends = _ends.decode(raw)
            told = ends[0].finishReason if ends else NOTHING
            if told and len(told) < 256 and (word := finish_word(_any.decode(told))):
                return word
        except (msgspec.DecodeError, RecursionError):
            pass
    if reply.promptFeedback:
        try:
            return blocked_word(_feedback.decode(reply.promptFeedback))
        except (msgspec.DecodeError, RecursionError):
            pass
    return ""
