"""A request from the hub onto this wire, and back: equal, or what is lost is named."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from encke.core.chat import (
    Audio,
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
from encke.core.faults import Fault
from encke.core.traits import PLAIN, Capabilities, Traits
from encke.dialects.openai_responses.client import ResponsesClient
from encke.dialects.openai_responses.provider import ResponsesProvider
from encke.dialects.openai_responses.wire import NAME
from tests.dialects.openai_responses.recorded import exchanges

CLIENT, SIDE = ResponsesClient(), ResponsesProvider()


def rendered(request: ChatRequest, traits: Traits = PLAIN) -> tuple[dict[str, Any], tuple[str, ...]]:
    made = SIDE.render(request, "big", traits)
    return json.loads(made.body), made.dropped


def again(request: ChatRequest, traits: Traits = PLAIN) -> ChatRequest:
    """Rendered, and read back as a caller's."""
    made = SIDE.render(request, request.model, traits)
    found = CLIENT.to_hub(CLIENT.read(made.body, "", {}))
    assert isinstance(found, ChatRequest)
    return found


def asked(*parts: Part, **fields: Any) -> ChatRequest:
    return ChatRequest(model="m", messages=(Message("user", parts or (Text("Hi"),)),), **fields)


def said(*parts: Part) -> ChatRequest:
    return ChatRequest(model="m", messages=(Message("user", (Text("Hi"),)), Message("assistant", parts)))


def test_the_least() -> None:
    """Nothing is kept upstream, and what is thought comes back sealed."""
    body, dropped = rendered(asked())
    assert body == {
        "model": "big",
        "input": [{"role": "user", "content": "Hi"}],
        "store": False,
        "include": ["reasoning.encrypted_content"],
    }
    assert dropped == ()
    body, _ = rendered(asked(), Traits(capabilities=Capabilities(thinking="")))
    assert "include" not in body


SCHEMA = b'{"type":"object"}'
GRAMMAR = b'{"type":"grammar","grammar":{"syntax":"lark","definition":"x"}}'
OWN = Thinking("hm", "sealed", NAME, summary=True, id="rs_1")


@pytest.mark.parametrize(
    "request_",
    [
        asked(),
        asked(Text("a"), Text("b")),
        asked(Text("a"), Image(url="https://a.test", detail="high"), Image(data="AA", media_type="image/png")),
        asked(Image(file_id="file-1", origin=NAME), File(file_id="file-2", origin=NAME, name="x.pdf")),
        asked(File(data="AA", media_type="application/pdf"), File(url="https://a.test/x", name="x.pdf")),
        asked(File(data="AA", media_type="application/pdf", name="x.pdf")),
        asked(Foreign(NAME, "computer_screenshot", b'{"type":"computer_screenshot"}'), Text("a")),
        said(),
        said(Text("a")),
        said(OWN, Text("a"), ToolCall("c", "f", '{"a":1}', item_id="fc_1"), ToolCall("d", "f", "{}")),
        said(Thinking("", "sealed", NAME, redacted=True), Text("a")),
        said(Thinking("in full", "sealed", NAME), Text("a")),
        said(Refusal("no")),
        said(Text("a", citations=(Citation("https://a.test", "A", start=0, end=1),))),
        said(Foreign(NAME, "web_search_call", b'{"type":"web_search_call"}'), Text("a")),
        said(ToolCall("c", "run", "ls", custom=True)),
        ChatRequest(
            model="m",
            messages=(
                Message("system", (Text("Be."),)),
                Message("developer", (Text("a"), Text("b"))),
                Message("user", ()),
                Message("assistant", (Text("a"),)),
                Message("assistant", (Text("b"), ToolCall("c", "f", "{}"), ToolCall("d", "g", "x", custom=True))),
                Message(
                    "tool",
                    (
                        ToolResult("c", (Text("ok"), Image(url="https://a.test"))),
                        ToolResult("d", (), custom=True),
                    ),
                ),
                Message("user", (Text("Go on."),)),
            ),
        ),
        asked(tools=(Tool("f", "d", SCHEMA, True), Tool("g", strict=False))),
        asked(tools=(Tool("c", "d", custom=True, grammar=GRAMMAR), Tool("d", custom=True))),
        asked(tools=(Foreign(NAME, "web_search", b'{"type":"web_search"}'),), tool_choice=ToolChoice("auto")),
        asked(tools=(Tool("f", strict=False),), tool_choice=ToolChoice("required"), parallel_tools=False),
        asked(tools=(Tool("f", strict=False),), tool_choice=ToolChoice("function", ("f",))),
        asked(tools=(Tool("c", custom=True),), tool_choice=ToolChoice("function", ("c",))),
        asked(tools=(Tool("f", strict=False), Tool("g", strict=True)), tool_choice=ToolChoice("auto", ("f",))),
        asked(tool_choice=ToolChoice("none")),
        asked(format=Format("json_object")),
        asked(format=Format("json_schema", SCHEMA)),
        asked(format=Format("json_schema", SCHEMA, "n", "d", True)),
        asked(reasoning=Reasoning("high", summary="auto")),
        asked(reasoning=Reasoning("none")),
        asked(max_tokens=9, temperature=0.5, top_p=0.9, logprobs=True, top_logprobs=3, user="u", stream=True),
        asked(
            extra={
                "metadata": b'{"a":"b"}', "store": b"true", "service_tier": b'"flex"', "prompt_cache_key": b'"k"',
                "verbosity": b'"low"', "safety_identifier": b'"s"', "include": b'["x"]', "truncation": b'"auto"',
                f"{NAME}.reasoning.mode": b'"pro"', f"{NAME}.later": b"1",
            }
        ),
    ],
)  # fmt: skip
def test_what_this_wire_has_words_for(request_: ChatRequest) -> None:
    """Rendered and read again a request is equal, and nothing is named as lost."""
    assert SIDE.render(request_, "m", PLAIN).dropped == ()
    assert again(request_) == request_


@pytest.mark.parametrize(
    ("request_", "dropped"),
    [
        (asked(Audio("AA", "wav"), Text("a")), ("messages[0].content[0]",)),
        (asked(Image(file_id="f", origin="anthropic_messages"), Text("a")), ("messages[0].content[0]",)),
        (asked(Foreign("google_generate", "x", b"{}"), Text("a")), ("messages[0].content[0]",)),
        (asked(Text("a", cache="5m")), ("messages[0].content[0].cache",)),
        (asked(File(text="a", name="n", citable=True, context="c")),
         ("messages[0].content[0].citable", "messages[0].content[0].context", "messages[0].content[0].type")),
        (said(Thinking("a"), Thinking("b", "s", "anthropic_messages"), Text("c")), ("thinking",)),
        (said(Text("a", signature="s", origin="google_generate")), ("thinking",)),
        (said(Text("a"), OWN), ("thinking",)),
        (said(OWN, OWN), ("thinking",)),
        (said(ToolCall("c", "f", "{}", signature="s", origin="google_generate", cache="5m")),
         ("thinking", "messages[1].content[0].cache")),
        (said(Text("a", citations=(Citation("https://a.test", quote="q"),))), ("messages[1].content[0].citations",)),
        (said(Image(data="AA", media_type="image/png"), Text("a")), ("messages[1].content[0]",)),
        (ChatRequest(model="m", messages=(Message("user", (Text("a"),), "Bob"),)), ("messages[0].name",)),
        (ChatRequest(model="m", messages=(Message("tool", (ToolResult("c", (), error=True, cache="1h"),)),)),
         ("messages[0].content[0].error", "messages[0].content[0].cache")),
        (asked(top_k=3, stop=("x",), n=2, seed=1, presence_penalty=0.5, frequency_penalty=0.5),
         ("top_k", "stop", "n", "seed", "presence_penalty", "frequency_penalty")),
        (asked(extra={"logit_bias": b"{}", "google_generate.safetySettings": b"[]"}),
         ("logit_bias", "google_generate.safetySettings")),
        (asked(tools=(Foreign("anthropic_messages", "bash", b"{}"),), tool_choice=ToolChoice("required")),
         ("tools[0]", "tool_choice")),
        (asked(tools=(Tool("f", strict=False, cache="5m"),)), ("tools[0].cache",)),
    ],
)  # fmt: skip
def test_what_is_lost_is_named(request_: ChatRequest, dropped: tuple[str, ...]) -> None:
    """What this wire cannot say is left out and named, by the hub's names; the rest arrives."""
    assert rendered(request_)[1] == dropped
    assert again(request_).model == "m"


def test_what_asks_for_nothing_is_no_loss() -> None:
    """One answer and no penalties are what happens anyway."""
    assert rendered(asked(n=1, presence_penalty=0.0, frequency_penalty=0))[1] == ()


def test_cache_marks() -> None:
    """Where the provider knows breakpoints they are set."""
    traits = Traits(extensions=("prompt_cache_breakpoint",))
    request = asked(Text("a", cache="5m"), Text("b"))
    assert rendered(request, traits)[1] == ()
    assert again(request, traits) == request
    assert rendered(asked(Text("a", cache="1h")), traits)[1] == ("messages[0].content[0].cache",)


@pytest.mark.parametrize(
    ("reasoning", "expected"),
    [
        (Reasoning(budget=8192), {"effort": "medium"}),
        (Reasoning(budget=0), {"effort": "none"}),
        (Reasoning(budget=-1, enabled=True), {"effort": "medium"}),
        (Reasoning(enabled=False), {"effort": "none"}),
        (Reasoning(enabled=True), {"effort": "medium"}),
        (Reasoning(summary="auto"), {"summary": "auto"}),
    ],
)
def test_how_much_to_think(reasoning: Reasoning, expected: dict[str, str]) -> None:
    """A budget becomes the word next to it; what cannot think is not asked to, which is named."""
    assert rendered(asked(reasoning=reasoning))[0]["reasoning"] == expected
    body, dropped = rendered(asked(reasoning=reasoning), Traits(capabilities=Capabilities(thinking="")))
    lost = () if expected == {"effort": "none"} else ("reasoning",)
    assert ("reasoning" in body, dropped) == (False, lost)


def test_functions_are_not_strict_unless_they_say_so() -> None:
    """This wire takes a schema for a strict one where nothing is said, and would refuse most."""
    (tool,) = rendered(asked(tools=(Tool("f", parameters=SCHEMA),)))[0]["tools"]
    assert tool == {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}


def test_files_of_the_other_wire() -> None:
    """Files that were sent to the same provider for chat have the same ids here."""
    request = asked(File(file_id="file-1", origin="openai_chat"))
    assert rendered(request)[0]["input"][0]["content"] == [{"type": "input_file", "file_id": "file-1"}]


def test_empty_arguments() -> None:
    """A call without arguments is one with none, not one with broken ones."""
    assert rendered(said(ToolCall("c", "f", "")))[0]["input"][1]["arguments"] == "{}"


TEXTS = st.text(min_size=1, max_size=5).map(Text)
IMAGES = st.just(Image(data="AA", media_type="image/png")) | st.builds(Image, url=st.just("https://a.test"))
FILES = st.builds(File, data=st.just("AA"), media_type=st.sampled_from(["application/pdf", "x/y"]), name=st.just("n.x"))
THOUGHTS = st.builds(
    Thinking,
    st.text(min_size=1, max_size=5),
    st.just("s"),
    st.sampled_from([NAME, "google_generate"]),
    summary=st.booleans(),
    id=st.sampled_from(["", "rs_1"]),
)
CALLS = st.builds(ToolCall, st.sampled_from(["a", "b"]), st.just("f"), st.sampled_from(["{}", "x"]), st.booleans())
RESULTS = st.builds(ToolResult, st.sampled_from(["a", "b"]), st.lists(TEXTS | IMAGES | FILES, max_size=2).map(tuple),
                    error=st.booleans(), custom=st.booleans())  # fmt: skip
TURNS = st.one_of(
    st.builds(Message, st.sampled_from(["system", "developer"]), st.lists(TEXTS, max_size=2).map(tuple)),
    st.builds(Message, st.just("user"), st.lists(TEXTS | IMAGES | FILES, max_size=3).map(tuple)),
    st.builds(Message, st.just("assistant"), st.tuples(THOUGHTS, TEXTS | st.text(min_size=1).map(Refusal), CALLS)),
    st.builds(Message, st.just("assistant"), st.lists(CALLS, min_size=1, max_size=3).map(tuple)),
    st.builds(Message, st.just("tool"), st.lists(RESULTS, min_size=1, max_size=2).map(tuple)),
)


@given(st.lists(TURNS, min_size=1, max_size=6))
def test_conversations_come_round(turns: list[Message]) -> None:
    """Whatever was said, rendered and read again it is equal, but for what is named as lost."""
    for one, other in pairwise(turns):
        assume(one.role != other.role or one.role not in ("assistant", "tool"))  # these are joined by reading
    request = ChatRequest(model="m", messages=tuple(turns))
    dropped = SIDE.render(request, "m", PLAIN).dropped
    foreign = any(isinstance(part, Thinking) and part.origin != NAME for turn in turns for part in turn.parts)
    assert ("thinking" in dropped) == foreign
    expected = [
        Message(turn.role, tuple(kept(part) for part in turn.parts if getattr(part, "origin", "") != "google_generate"))
        for turn in turns
    ]
    assert list(again(request).messages) == expected


def kept(part: Part) -> Part:
    """Without what a result has to say of an error, which is named."""
    return ToolResult(part.id, part.parts, custom=part.custom) if isinstance(part, ToolResult) else part


def test_recorded_requests_come_round() -> None:
    """Each recorded request that can be read is the same when it has been rendered and read again."""
    seen = 0
    for one in exchanges():
        if not one.body or "model" not in one.body or one.status != 200:
            continue
        request = CLIENT.read(json.dumps(one.body).encode(), "", {})
        try:
            found = CLIENT.to_hub(request)
        except Fault:
            continue
        assert isinstance(found, ChatRequest)
        traits = Traits(extensions=("prompt_cache_breakpoint",))
        made = SIDE.render(found, found.model, traits)
        back = CLIENT.to_hub(CLIENT.read(made.body, "", {}))
        assert isinstance(back, ChatRequest)
        if made.dropped:
            lost = {
                name
                for name in made.dropped
                if not name.startswith(("openai_responses.tools[", "openai_responses.input["))
            }
            assert lost <= {"thinking"}, (one.id, made.dropped)
            continue
        seen += 1
        assert normal(back) == normal(found), one.id
    assert seen > 1000


def normal(request: ChatRequest) -> dict[str, Any]:
    """JSON within is compared by value; where nothing is said of strictness this wire is told that there is none."""
    value: dict[str, Any] = json.loads(json.dumps(_plain(request)))
    for tool in value.get("tools", []):
        tool["strict"] = bool(tool.get("strict"))
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return json.loads(value) if value else None
    if hasattr(value, "__struct_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return value
