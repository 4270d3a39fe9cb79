"""A whole request of this wire into the hub."""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.chat import ChatRequest, Foreign, Format, Message, Reasoning, Text, Tool
from encke.core.faults import Fault
from encke.dialects.body import NULL, opener
from encke.dialects.effort import checked
from encke.dialects.openai_responses import item_wire as wire
from encke.dialects.openai_responses.bounds import output_limit
from encke.dialects.openai_responses.conversation import Conversation, read_input
from encke.dialects.openai_responses.tools import read_choice, read_tool
from encke.dialects.openai_responses.wire import NAME
from encke.dialects.places import Places
from encke.dialects.request import Body, Request
from encke.dialects.typed import check_depth, invalid, is_set, missing, read, read_list, read_string

_float: Final = msgspec.json.Decoder(float | None)
_int: Final = msgspec.json.Decoder(int | None)
_flag: Final = msgspec.json.Decoder(bool | None)
_names: Final = msgspec.json.Decoder(list[str] | None)
_text: Final = msgspec.json.Decoder(wire.TextField)
_reasoning: Final = msgspec.json.Decoder(wire.ReasoningField)
_encode: Final = msgspec.json.Encoder().encode

LOGPROBS: Final = "message.output_text.logprobs"
ENCRYPTED: Final = "reasoning.encrypted_content"
# What a nameless schema is called, where the wire wants a name; reading it back gives none.
UNNAMED_SCHEMA: Final = "response"

# What OpenAI's requests hold that the hub has no place for: known by these names everywhere. The rest is this wire's.
SHARED: Final = frozenset(
    {
        "metadata", "store", "service_tier", "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options",
        "safety_identifier", "moderation", "truncation", "max_tool_calls", "include", "context_management",
    }
)  # fmt: skip
# What refers to something that only its provider keeps, and what to do instead.
_KEPT: Final = {
    "previous_response_id": "send the whole conversation in `input`",
    "conversation": "send the whole conversation in `input`",
    "prompt": "send the prompt itself in `instructions` and `input`",
    "background": "leave it out and wait for the answer, or ask for a stream",
}
_FALSE: Final = msgspec.Raw(b"false")
# What asks for nothing but what happens anyway.
_USUAL: Final = {
    "store": (b"false",),  # the gateway keeps no answers
    "truncation": (b'"disabled"',),
    "service_tier": (b'"auto"', b'"default"'),
    "metadata": (b"{}",),
    "include": (b"[]",),
}
_READ: Final = frozenset(
    {
        "model", "input", "instructions", "stream", "stream_options", "max_output_tokens", "temperature", "top_p",
        "top_logprobs", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning", "user", *_KEPT,
    }
)  # fmt: skip


def read_request(request: Request) -> ChatRequest:
    """The request. Raises Fault with `param`, the path of what is wrong."""
    check_depth(request.data)
    body = request.body
    for name, instead in _KEPT.items():
        if is_set(body.get(name)) and body[name] != _FALSE:
            raise Fault(
                "unsupported_parameter",
                f"`{name}` needs a provider of the Responses API, and this model has none: {instead}, or choose "
                "another model.",
                param=name,
            )
    conversation = _read_conversation(body, request.places)
    top = _top(body)
    include = read(body["include"], _names, "include") or [] if "include" in body else []
    tools = _read_tools(body, conversation)
    format, verbosity = _read_text(body)
    reasoning, more = _read_reasoning(body)
    return ChatRequest(
        model=request.model,
        messages=tuple(conversation.messages),
        tools=tools,
        tool_choice=read_choice(body.get("tool_choice")),
        parallel_tools=read(body["parallel_tool_calls"], _flag, "parallel_tool_calls")
        if "parallel_tool_calls" in body
        else None,
        format=format,
        reasoning=reasoning,
        max_tokens=request.output_limit or _limit(body),
        temperature=_number(body, "temperature"),
        top_p=_number(body, "top_p"),
        logprobs=True if LOGPROBS in include else None,
        top_logprobs=top if LOGPROBS in include else None,  # without them it asks for nothing
        user=read_string(body["user"], "user") if is_set(body.get("user")) else "",
        stream=request.stream,
        extra={**_extra(body, include), **verbosity, **more, **conversation.strays.lost},
    )


def _read_conversation(body: Body, places: Places | None) -> Conversation:
    conversation = Conversation(places)
    told = body.get("instructions", NULL)
    if is_set(told):
        text = read_string(told, "instructions")
        if text:
            said = Text(text)
            if places is not None:
                places.note(said, "instructions")
            conversation.messages.append(Message("system", (said,)))
    if not is_set(body.get("input")):
        raise missing("input")
    read_input(body["input"], conversation)
    if not conversation.messages:
        raise invalid("input", "must have at least one item")
    return conversation


def _read_tools(body: Body, conversation: Conversation) -> tuple[Tool | Foreign, ...]:
    raws = list(conversation.tools)
    if is_set(body.get("tools")):
        raws = [(raw, f"tools[{at}]") for at, raw in enumerate(read_list(body["tools"], "tools"))] + raws
    return tuple(read_tool(raw, path, conversation.strays) for raw, path in raws)


def _limit(body: Body) -> int | None:
    if "max_output_tokens" not in body:
        return None
    found = read(body["max_output_tokens"], _int, "max_output_tokens")
    if found is not None and found < 1:
        raise invalid("max_output_tokens", f"must be 1 or more, not {found}")
    return output_limit(body)


def _number(body: Body, name: str) -> float | None:
    return read(body[name], _float, name) if name in body else None


def _top(body: Body) -> int | None:
    found = read(body["top_logprobs"], _int, "top_logprobs") if "top_logprobs" in body else None
    if found is not None and not 0 <= found <= 1000:
        raise invalid("top_logprobs", f"must be 0 to 20, not {found}")
    return found


def _read_text(body: Body) -> tuple[Format | None, dict[str, bytes]]:
    raw = body.get("text", NULL)
    if not is_set(raw):
        return None, {}
    found = read(raw, _text, "text")
    verbosity = {"verbosity": bytes(found.verbosity)} if is_set(found.verbosity) else {}
    told = found.format
    if told is None or told.type == "text":
        return None, verbosity
    if told.type == "json_object":
        return Format("json_object"), verbosity
    if told.type != "json_schema":
        raise invalid("text.format.type", "must be `text`, `json_object` or `json_schema`")
    if is_set(told.schema) and opener(told.schema) != b"{":
        raise invalid("text.format.schema", "must be a JSON schema, which is an object")
    schema = bytes(told.schema) if is_set(told.schema) else b""
    name = told.name if told.name and told.name != UNNAMED_SCHEMA else ""
    return Format("json_schema", schema, name, told.description or "", told.strict), verbosity


def _read_reasoning(body: Body) -> tuple[Reasoning | None, dict[str, bytes]]:
    raw = body.get("reasoning", NULL)
    if not is_set(raw):
        return None, {}
    found = read(raw, _reasoning, "reasoning")
    more = {}
    if is_set(found.mode) and bytes(found.mode) != b'"standard"':
        more[f"{NAME}.reasoning.mode"] = bytes(found.mode)
    if is_set(found.context) and bytes(found.context) != b'"auto"':
        more[f"{NAME}.reasoning.context"] = bytes(found.context)
    effort, summary = checked(found.effort or "", "reasoning.effort"), found.summary or found.generate_summary or ""
    return (Reasoning(effort, summary=summary) if effort or summary else None), more


def _extra(body: Body, include: list[str]) -> dict[str, bytes]:
    extra = {
        name if name in SHARED else f"{NAME}.{name}": bytes(raw)
        for name, raw in body.items()
        if name not in _READ and is_set(raw) and bytes(raw) not in _USUAL.get(name, ())
    }
    if include:
        more = [name for name in include if name not in (LOGPROBS, ENCRYPTED)]
        if more:
            extra["include"] = _encode(more)
        else:
            extra.pop("include", None)
    return extra
