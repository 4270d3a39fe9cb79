"""A request of the hub on this wire: every feature, and what is lost by name."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.core.chat import (
    Audio,
    CacheTtl,
    ChatRequest,
    Citation,
    File,
    Foreign,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from encke.core.traits import PLAIN, Capabilities, Traits
from encke.dialects.table import CLIENTS, PROVIDERS
from tests.conftest import Count, Size
from tests.dialects.collected import exchanges

SIDE, COUNT, CLIENT = PROVIDERS["messages"], PROVIDERS["count_tokens"], CLIENTS["messages"]
OWN = "anthropic_messages"
HI = (Message("user", (Text("Hi"),)),)
F = Tool("f", parameters=b'{"type":"object"}')
TEXT_BLOCK = {"type": "text", "text": "Hi"}


def ask(*messages: Message, **more: Any) -> ChatRequest:
    return ChatRequest(model="m", messages=messages or HI, **more)


def sent(request: ChatRequest, **abilities: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body, and what was lost."""
    rendered = SIDE.render(request, "claude", Traits(capabilities=Capabilities(**abilities)))
    return json.loads(rendered.body), rendered.dropped


def blocks(*parts: Part, role: Any = "user") -> tuple[list[Any], tuple[str, ...]]:
    """The blocks of a message, and what was lost."""
    body, dropped = sent(ask(Message(role, parts)))
    return body["messages"][0]["content"] if body["messages"] else [], dropped


def back(body: dict[str, Any] | bytes) -> ChatRequest:
    """The same read by the caller's side."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    found = CLIENT.to_hub(CLIENT.read(data, "", {}))
    assert isinstance(found, ChatRequest)
    return found


def test_the_least() -> None:
    """A model, messages, and a bound on the answer, which this wire cannot do without."""
    assert sent(ask()) == (
        {"model": "claude", "max_tokens": 8192, "messages": [{"role": "user", "content": [TEXT_BLOCK]}]},
        (),
    )


@pytest.mark.parametrize(
    "asked, most, told", [(None, 0, 8192), (None, 64000, 64000), (5, 0, 5), (5, 4096, 5), (9999, 4096, 4096), (0, 0, 0)]
)
def test_the_bound_on_the_answer(asked: int | None, most: int, told: int) -> None:
    """The caller's, as far as the model goes; else the model's own; else a usual one."""
    assert sent(ask(max_tokens=asked), max_output=most)[0]["max_tokens"] == told


@pytest.mark.parametrize(
    "more, body, dropped",
    [
        ({"temperature": 0.5}, {"temperature": 0.5}, ()),
        ({"temperature": 1.7}, {"temperature": 1.0}, ("temperature",)),
        ({"top_p": 0.5}, {"top_p": 0.5}, ()),
        ({"top_p": 0.5, "temperature": 0.5}, {"temperature": 0.5}, ("top_p",)),
        ({"top_p": 1.0, "temperature": 0.5}, {"temperature": 0.5}, ()),
        ({"top_k": 5}, {"top_k": 5}, ()),
        ({"stop": ("a", "\n")}, {"stop_sequences": ["a"]}, ("stop",)),
        ({"stream": True}, {"stream": True}, ()),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}, ()),
        ({"extra": {"safety_identifier": b'"s"'}}, {"metadata": {"user_id": "s"}}, ()),
        ({"extra": {"safety_identifier": b'"s"'}, "user": "u"}, {"metadata": {"user_id": "u"}}, ("safety_identifier",)),
        ({"n": 1, "logprobs": False, "presence_penalty": 0.0}, {}, ()),
        ({"n": 2, "seed": 7, "logprobs": True, "top_logprobs": 3}, {}, ("n", "seed", "logprobs", "top_logprobs")),
        ({"presence_penalty": 1.0, "frequency_penalty": 0.5}, {}, ("presence_penalty", "frequency_penalty")),
        ({"extra": {"store": b"false", "modalities": b'["text"]', "logit_bias": b"{}"}}, {}, ()),
        ({"extra": {"include": b'[ "reasoning.encrypted_content" ]'}}, {}, ()),
        (
            {"extra": {"prompt_cache_key": b'"k"'}},
            {"cache_control": {"type": "ephemeral"}},
            ("prompt_cache_key",),
        ),
        ({"extra": {"store": b"true", "verbosity": b'"low"'}}, {}, ("store", "verbosity")),
        ({"extra": {"service_tier": b'"default"'}}, {"service_tier": "standard_only"}, ()),
        ({"extra": {"service_tier": b'"flex"'}}, {}, ("service_tier",)),
        ({"extra": {f"{OWN}.container": b'"c"'}}, {"container": "c"}, ()),
        ({"extra": {f"{OWN}.output_config.task_budget": b"7"}}, {"output_config": {"task_budget": 7}}, ()),
        ({"extra": {f"{OWN}.model": b'"other"', f"{OWN}.a.b": b"1"}}, {"a.b": 1}, ()),
        ({"extra": {f"{OWN}.metadata.more": b"7"}, "user": "u"}, {"metadata": {"more": 7, "user_id": "u"}}, ()),
        ({"extra": {"google_generate.safetySettings": b"[]"}}, {}, ("google_generate.safetySettings",)),
        ({"tool_choice": ToolChoice("required")}, {}, ("tool_choice",)),
        ({"tool_choice": ToolChoice("none")}, {}, ()),
        ({"parallel_tools": False}, {}, ()),
    ],
)
def test_fields(more: dict[str, Any], body: dict[str, Any], dropped: tuple[str, ...]) -> None:
    """Each in its place, or named as lost."""
    plain, _ = sent(ask())
    assert sent(ask(**more)) == ({**plain, **body}, dropped)


@pytest.mark.parametrize(
    "part, block, dropped",
    [
        (Text("x", cache="5m"), {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}, ()),
        (Text("x", cache="1h"), {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, ()),
        (
            Image(data="AAAA", media_type="image/gif"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "AAAA"}},
            (),
        ),
        (
            Image(url="https://x", detail="low"),
            {"type": "image", "source": {"type": "url", "url": "https://x"}},
            ("messages[0].content[0].detail",),
        ),
        (Image(file_id="f", origin=OWN), {"type": "image", "source": {"type": "file", "file_id": "f"}}, ()),
        (Image(file_id="f", origin="openai_chat"), None, ("messages[0].content[0]",)),
        (
            File(data="AAAA", media_type="application/pdf", name="T", context="C", citable=True),
            {
                "type": "document", "title": "T", "context": "C", "citations": {"enabled": True},
                "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"},
            },
            (),
        ),
        (
            File(text="words"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
            (),
        ),
        (
            File(data="d29yZHM=", media_type="text/csv"),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
            (),
        ),
        (
            File(data="JVBERi0x"),
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}},
            (),
        ),
        (
            File(data="AAAA", media_type="image/png"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
            (),
        ),
        (File(url="https://x"), {"type": "document", "source": {"type": "url", "url": "https://x"}}, ()),
        (File(file_id="f", origin=OWN), {"type": "document", "source": {"type": "file", "file_id": "f"}}, ()),
        (File(file_id="f", origin="google_generate"), None, ("messages[0].content[0]",)),
        (File(data="AAAA", media_type="application/zip"), None, ("messages[0].content[0]",)),
        (Audio("AAAA", "wav"), None, ("messages[0].content[0]",)),
        (Foreign(OWN, "container_upload", b'{"type":"container_upload"}'), {"type": "container_upload"}, ()),
        (Foreign("cohere_chat", "x", b"{}"), None, ("messages[0].content[0]",)),
    ],
)  # fmt: skip
def test_what_the_user_says(part: Part, block: dict[str, Any] | None, dropped: tuple[str, ...]) -> None:
    """Every part, or its name."""
    assert blocks(part) == ([] if block is None else [block], dropped)


def test_what_the_model_said() -> None:
    """Thoughts of this dialect go back, with their signatures; others do not, and that is said once."""
    own = Citation(raw=b'{"type":"char_location"}', origin=OWN)
    parts: tuple[Part, ...] = (
        Thinking("hm", "sig", OWN),
        Thinking("", "opaque", OWN, redacted=True),
        Thinking("not mine", "enc", "openai_responses"),
        Thinking("unsigned"),
        Text("see", citations=(own, Citation(url="https://x"))),
        Refusal("I will not."),
        ToolCall("call.1:2", "f", '{"a": 1}', signature="s", origin="google_generate"),
        ToolCall("t2", "f", ""),
        ToolCall("t3", "f", "no JSON"),
        ToolCall("t4", "f", "[1]"),
        ToolCall("t5", "patch", "*** Begin", custom=True),
        Image(url="https://x"),
        Audio("AAAA", "wav", transcript="Hello."),
    )
    found, dropped = blocks(*parts, role="assistant")
    assert found == [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "opaque"},
        {"type": "text", "text": "see", "citations": [{"type": "char_location"}]},
        {"type": "text", "text": "I will not."},
        {"type": "tool_use", "id": "call_1_2", "name": "f", "input": {"a": 1}},
        {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
        {"type": "tool_use", "id": "t3", "name": "f", "input": {"arguments": "no JSON"}},
        {"type": "tool_use", "id": "t4", "name": "f", "input": {"arguments": [1]}},
        {"type": "tool_use", "id": "t5", "name": "patch", "input": {"input": "*** Begin"}},
        {"type": "text", "text": "Hello."},
    ]
    assert dropped == (
        "thinking", "messages[0].content[4].citations", "messages[0].content[11]", "messages[0].content[12]",
    )  # fmt: skip


def roles(*messages: Message, **abilities: Any) -> tuple[list[tuple[str, int]], int, tuple[str, ...]]:
    """Roles of the turns with how many blocks they have, how many `system` has, and what was lost."""
    body, dropped = sent(ask(*messages), **abilities)
    turns = [(turn["role"], len(turn["content"])) for turn in body["messages"]]
    return turns, len(body.get("system", ())), dropped


SYSTEM, DEVELOPER = Message("system", (Text("s"),)), Message("developer", (Text("d"),))
USER, MODEL = Message("user", (Text("u"),)), Message("assistant", (Text("a"),))
CALL, RESULT = Message("assistant", (ToolCall("t", "f", "{}"),)), Message("tool", (ToolResult("t", (Text("r"),)),))


def test_turns() -> None:
    """The system goes first and to a place of its own; results come first in the turn after their call."""
    assert roles(SYSTEM, DEVELOPER, USER, MODEL, USER) == ([("user", 1), ("assistant", 1), ("user", 1)], 2, ())
    assert roles(USER, CALL, RESULT, USER, USER) == ([("user", 1), ("assistant", 1), ("user", 2), ("user", 1)], 0, ())
    body, _ = sent(ask(USER, CALL, USER, RESULT))
    assert [block["type"] for block in body["messages"][2]["content"]] == ["tool_result", "text"]
    assert roles(USER, Message("assistant", ()), Message("assistant", (Text(" "),))) == ([("user", 1)], 0, ())


def test_the_system_in_the_middle() -> None:
    """Is a turn of its own where the model takes one and it may stand there; else the user says it."""
    lost = ("messages[1].role",)
    assert roles(USER, SYSTEM, MODEL, USER) == ([("user", 1), ("user", 1), ("assistant", 1), ("user", 1)], 0, lost)
    able = {"system_turns": True}
    assert roles(USER, SYSTEM, DEVELOPER, **able) == ([("user", 1), ("system", 2)], 0, ())
    assert roles(USER, CALL, RESULT, SYSTEM, **able)[2] == ()
    assert roles(USER, SYSTEM, USER, **able) == ([("user", 1), ("user", 1), ("user", 1)], 0, lost)
    assert roles(SYSTEM) == ([("user", 1)], 0, ("messages[0].role",))


def test_the_models_unfinished_turn_does_not_end_in_white_space() -> None:
    """It is refused else."""
    assert sent(ask(USER, Message("assistant", (Text("So: \n"),))))[0]["messages"][1]["content"][0]["text"] == "So:"


def test_names_of_participants_are_lost() -> None:
    """This wire has none."""
    assert sent(ask(Message("user", (Text("Hi"),), name="Ann")))[1] == ("messages[0].name",)


def test_results() -> None:
    """With text alone, with more, with nothing, and with an error."""
    found, _ = blocks(
        ToolResult("a.b", (Text("x"),), error=True),
        ToolResult("c", (Text("x", cache="5m"), Image(url="https://x"))),
        ToolResult("d", (), cache="1h"),
        role="tool",
    )
    assert found == [
        {"type": "tool_result", "tool_use_id": "a_b", "content": "x", "is_error": True},
        {
            "type": "tool_result", "tool_use_id": "c",
            "content": [
                {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
                {"type": "image", "source": {"type": "url", "url": "https://x"}},
            ],
        },
        {"type": "tool_result", "tool_use_id": "d", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
    ]  # fmt: skip


def test_tools() -> None:
    """Schemas say that they are objects; names have only the letters they may have; free text gets an object."""
    grammar = b'{"type":"grammar","grammar":{"syntax":"lark","definition":"start: X"}}'
    body, dropped = sent(
        ask(
            tools=(
                Tool("f", "does", b'{"properties":{"a":{}}}', strict=True, cache="5m"),
                Tool("g.h"),
                Tool("g_h"),
                Tool("patch", "patches", custom=True, grammar=grammar),
                Foreign(OWN, "web_search_20250305", b'{"type":"web_search_20250305","name":"web_search"}'),
                Foreign("openai_responses", "web_search", b"{}"),
            ),
            tool_choice=ToolChoice("function", ("g.h",)),
            parallel_tools=False,
            extra={f"{OWN}.tools[0].defer_loading": b"true"},
        )
    )
    empty = {"type": "object", "properties": {}}
    assert body["tools"] == [
        {
            "name": "f", "description": "does", "strict": True, "cache_control": {"type": "ephemeral"},
            "input_schema": {"type": "object", "properties": {"a": {}}}, "defer_loading": True,
        },
        {"name": "g_h", "input_schema": empty},
        {"name": "g_h_2", "input_schema": empty},
        {
            "name": "patch", "description": "patches\n\nThe input must follow this grammar:\nstart: X",
            "input_schema": {
                "type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"],
                "additionalProperties": False,
            },
        },
        {"type": "web_search_20250305", "name": "web_search"},
    ]  # fmt: skip
    assert body["tool_choice"] == {"type": "tool", "name": "g_h", "disable_parallel_tool_use": True}
    assert dropped == ("tools[3].grammar", "tools[5]")


@pytest.mark.parametrize(
    "choice, parallel, told",
    [
        (None, None, None),
        (None, True, {"type": "auto", "disable_parallel_tool_use": False}),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("none"), False, {"type": "none"}),
    ],
)
def test_tool_choice(choice: ToolChoice | None, parallel: bool | None, told: Any) -> None:
    """In this wire's words."""
    assert sent(ask(tools=(F,), tool_choice=choice, parallel_tools=parallel))[0].get("tool_choice") == told


def test_some_tools_of_many() -> None:
    """Those that may not be called are left out."""
    body, dropped = sent(ask(tools=(F, Tool("g"), Tool("h")), tool_choice=ToolChoice("required", ("f", "h"))))
    assert [tool["name"] for tool in body["tools"]] == ["f", "h"]
    assert (body["tool_choice"], dropped) == ({"type": "any"}, ())


def test_at_most_four_cache_marks() -> None:
    """The last four stay, since each covers what stands before it; a mark of the whole request is one of them."""
    marked = tuple(Message("user", (Text("x", cache="5m"),)) for _ in range(4))
    tools = (Tool("f", cache="5m"), Tool("g", cache="5m"))
    body, dropped = sent(ask(*marked, tools=tools))
    assert json.dumps(body).count("cache_control") == 4
    assert dropped == ("tools[0].cache", "tools[1].cache")
    body, dropped = sent(ask(*marked, extra={f"{OWN}.cache_control": b'{"type":"ephemeral"}'}))
    assert json.dumps(body).count("cache_control") == 4
    assert dropped == ("messages[0].content[0].cache",)


SCHEMA = b'{"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":false}'


def test_a_form_of_the_answer() -> None:
    """This wire's own where the model knows it; objects have to be closed, and bounds are but wishes."""
    body, dropped = sent(ask(format=Format("json_schema", SCHEMA, name="n", strict=True)))
    assert body["output_config"] == {"format": {"type": "json_schema", "schema": json.loads(SCHEMA)}} and not dropped
    body, dropped = sent(ask(format=Format("json_schema", b'{"type":"object","properties":{"a":{"minimum":1}}}')))
    assert body["output_config"]["format"]["schema"] == {
        "type": "object",
        "properties": {"a": {"description": "{minimum: 1}"}},
        "additionalProperties": False,
    }
    assert dropped == ("format.schema",)


def test_a_form_of_the_answer_as_a_tool() -> None:
    """Where the model does not: a tool that must be called; with others, one of them must; thinking gives way."""
    form = Format("json_schema", SCHEMA, description="The sum.")
    body, dropped = sent(ask(format=form, reasoning=Reasoning(effort="high")), json_schema=False)
    tool = {"name": "structured_answer", "description": "The sum.", "input_schema": json.loads(SCHEMA)}
    assert (body["tools"], body["tool_choice"]) == ([tool], {"type": "tool", "name": "structured_answer"})
    assert "output_config" not in body and dropped == ("reasoning",)
    body, dropped = sent(ask(format=form, tools=(F, Tool("structured_answer"))), json_schema=False)
    assert [one["name"] for one in body["tools"]] == ["f", "structured_answer", "structured_answer_2"]
    assert body["tool_choice"] == {"type": "any"}


def test_any_json() -> None:
    """Is asked for in words, which is less, and named."""
    body, dropped = sent(ask(format=Format("json_object")))
    assert "JSON object" in body["system"][0]["text"] and dropped == ("format",)


def test_counting() -> None:
    """The same request, without what has nothing to do with how long it is; and that is no loss."""
    request = ask(tools=(F,), max_tokens=5, temperature=0.5, stream=True, n=3, user="u", stop=("x",))
    rendered = COUNT.render(request, "claude", PLAIN)
    assert (sorted(json.loads(rendered.body)), rendered.dropped) == (["messages", "model", "tools"], ())


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8).map("x".__add__)
CACHE: st.SearchStrategy[CacheTtl | None] = st.sampled_from([None, None, None, "5m", "1h"])
SAID = st.one_of(
    st.builds(Text, TEXTS, CACHE),
    st.builds(Image, url=st.just("https://x"), cache=CACHE),
    st.builds(Image, data=st.just("AAAA"), media_type=st.just("image/png")),
    st.builds(File, text=TEXTS, media_type=st.just("text/plain"), name=TEXTS, citable=st.booleans(), cache=CACHE),
    st.builds(File, url=st.just("https://x"), context=TEXTS),
    st.builds(Audio, st.just("AAAA"), st.just("wav")),
    st.just(Foreign(OWN, "container_upload", b'{"type":"container_upload","file_id":"f"}')),
    st.just(Foreign("cohere_chat", "x", b"{}")),
)
ANSWERED = st.one_of(
    st.builds(Text, TEXTS),
    st.builds(Thinking, TEXTS, TEXTS, st.sampled_from([OWN, "openai_responses"])),
    st.builds(Thinking, st.just(""), TEXTS, st.just(OWN), redacted=st.just(True)),
    st.builds(ToolCall, st.sampled_from(["t1", "t2"]), st.just("f"), st.sampled_from(["{}", '{"a":[1,{"b":null}]}'])),
)
RESULTS = st.builds(
    ToolResult,
    st.sampled_from(["r1", "r2"]),
    st.lists(st.builds(Text, TEXTS) | st.builds(Image, url=st.just("https://x")), max_size=2).map(tuple),
    error=st.booleans(),
    cache=CACHE,
)
ROUND = st.tuples(
    st.lists(SAID, min_size=1, max_size=3), st.lists(ANSWERED, min_size=1, max_size=3), st.lists(RESULTS, max_size=2)
)
SCHEMAS = st.just(b'{"type":"object"}')
STRICT = st.sampled_from([None, True, False])
TOOLS = st.lists(st.builds(Tool, st.sampled_from(["f", "g"]), TEXTS, SCHEMAS, STRICT, cache=CACHE), max_size=2)
CHOICES = st.sampled_from([None, ToolChoice("auto"), ToolChoice("none"), ToolChoice("required")])
THOUGHTS = st.sampled_from(
    [None, Reasoning(budget=2048, enabled=True), Reasoning(enabled=False), Reasoning(effort="low")]
)


@st.composite
def requests(draw: st.DrawFn) -> ChatRequest:
    messages = [Message("system", (Text("Be kind."),))] if draw(st.booleans()) else []
    for said, answered, results in draw(st.lists(ROUND, max_size=3)):
        messages += [Message("user", tuple(said)), Message("assistant", tuple(answered))]
        messages += [Message("tool", tuple(results))] if results else []
    messages.append(Message("user", tuple(draw(st.lists(SAID, min_size=1, max_size=3)))))
    return ChatRequest(
        model="claude",
        messages=tuple(messages),
        tools=tuple(draw(TOOLS)),
        tool_choice=draw(CHOICES),
        format=draw(st.sampled_from([None, None, Format("json_schema", SCHEMA)])),
        reasoning=draw(THOUGHTS),
        max_tokens=draw(st.sampled_from([100, 4096])),
        temperature=draw(st.sampled_from([None, 0.5, 1.0])),
        top_k=draw(st.sampled_from([None, 3])),
        stop=tuple(draw(st.lists(TEXTS, max_size=2))),
        n=draw(st.sampled_from([None, 2])),
        seed=draw(st.sampled_from([None, 7])),
        user=draw(st.sampled_from(["", "u"])),
        stream=draw(st.booleans()),
        extra=draw(st.sampled_from([{}, {"verbosity": b'"low"'}, {f"{OWN}.container": b'"c"'}])),
    )


@given(requests())
@settings(deadline=None, max_examples=60)
def test_there_and_back(request: ChatRequest) -> None:
    """What was written is read again, but for what is named; and then it stays as it is."""
    rendered = SIDE.render(request, "claude", PLAIN)
    again = back(rendered.body)
    if not request.tools:  # then it asks for nothing
        request = msgspec.structs.replace(request, tool_choice=again.tool_choice)
    if not rendered.dropped:
        assert again == request
    assert len(set(rendered.dropped)) == len(rendered.dropped)
    for name in ("max_tokens", "stop", "user", "stream", "format"):
        assert getattr(again, name) == getattr(request, name)
    for name in ("reasoning", "temperature", "top_k", "seed", "n", "tool_choice"):
        assert name in rendered.dropped or getattr(again, name) == getattr(request, name)
    if all(name.split("[")[0] not in ("messages", "thinking") for name in rendered.dropped):
        twice = SIDE.render(again, "claude", PLAIN)
        assert (twice.body, twice.dropped) == (rendered.body, ())


@pytest.mark.recordings
def test_recorded_requests(size: Size, count: Count) -> None:
    """Read, written and read again, each says the same, but for what is named."""
    looked = same = 0
    able = Traits(capabilities=Capabilities(system_turns=True))
    for exchange in exchanges("anthropic.anthropic-messages")[:: size(3, soak=1)]:
        if exchange.request is None or "max_tokens" not in exchange.request or exchange.status != 200:
            continue
        looked += 1
        request = back(exchange.request)
        rendered = SIDE.render(request, request.model, able)
        assert rendered.dropped in ((), ("top_p",), ("reasoning",)), exchange.id
        assert back(rendered.body) == joined(request) or rendered.dropped, exchange.id
        same += not rendered.dropped
    assert looked > 100
    count(f"anthropic_messages requests: {looked} recorded, {same} the same after the hub, {looked - same} name a loss")


def joined(request: ChatRequest) -> ChatRequest:
    """With neighbouring messages of the system as one, as they are written."""
    made: list[Message] = []
    for message in request.messages:
        if made and message.role == made[-1].role == "system":
            made[-1] = Message("system", made[-1].parts + message.parts)
        else:
            made.append(message)
    return msgspec.structs.replace(request, messages=tuple(made))


@pytest.mark.recordings
def test_recorded_counts() -> None:
    """Their requests are read, and written as they were."""
    for exchange in exchanges("anthropic.anthropic-count_tokens"):
        assert exchange.request is not None
        request = CLIENTS["count_tokens"].to_hub(
            CLIENTS["count_tokens"].read(json.dumps(exchange.request).encode(), "", {})
        )
        reply = COUNT.read_reply(exchange.body.encode(), request, "c")
        assert msgspec.json.decode(exchange.body)["input_tokens"] == getattr(reply, "tokens", None)
        asked = {name for name, value in exchange.request.items() if value != []}
        assert set(json.loads(COUNT.render(request, "m", PLAIN).body)) == asked
