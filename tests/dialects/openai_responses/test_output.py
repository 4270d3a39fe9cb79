"""A whole Response into the hub, and from the hub to a caller: what the SDK reads of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.chat import (
    ChatReply,
    ChatRequest,
    Choice,
    Citation,
    Finish,
    Foreign,
    Image,
    Message,
    Part,
    Refusal,
    Text,
    Thinking,
    TokenLogprob,
    ToolCall,
)
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.openai_responses.client import ResponsesClient
from encke.dialects.openai_responses.provider import ResponsesProvider
from encke.dialects.openai_responses.wire import NAME
from tests.dialects.openai_responses.recorded import replies
from tests.dialects.openai_responses.test_tap import JSON
from tests.dialects.openai_responses.test_writer import CALL, client, request

CLIENT, SIDE = ResponsesClient(), ResponsesProvider()
CALLS = ("function_call", "custom_tool_call")
ASKED = ChatRequest(model="m", messages=(Message("user", (Text("Hi"),)),))


def read(*output: Any, **fields: Any) -> ChatReply:
    value = {"id": "resp_1", "model": "big", "created_at": 7, "status": "completed", "output": output, **fields}
    found = SIDE.read_reply(json.dumps(value).encode(), ASKED, CALL)
    assert isinstance(found, ChatReply)
    return found


def message(*content: Any) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": content}


def test_an_answer() -> None:
    """Thoughts, texts, calls and usage."""
    found = read(
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}],
         "encrypted_content": "xx"},
        message({"type": "output_text", "text": "Hi", "annotations": []}),
        {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "d", "name": "g", "input": "ls"},
        usage={"input_tokens": 3, "output_tokens": 2, "total_tokens": 5},
        service_tier="default",
    )  # fmt: skip
    assert found == ChatReply(
        id="resp_1",
        model="big",
        created=7,
        usage=Usage(input=3, output=2),
        service_tier="default",
        choices=(
            Choice(
                (
                    Thinking("hm", "xx", NAME, summary=True, id="rs_1"),
                    Text("Hi"),
                    ToolCall("c", "f", "{}", item_id="fc_1"),
                    ToolCall("d", "g", "ls", custom=True, item_id="ctc_1"),
                ),
                "tool_calls",
                "completed",
            ),
        ),
    )


@pytest.mark.parametrize(
    ("fields", "finish", "raw"),
    [
        ({}, "stop", "completed"),
        ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, "length",
         "max_output_tokens"),
        ({"status": "incomplete", "incomplete_details": {"reason": "content_filter"}}, "content_filter",
         "content_filter"),
        ({"status": "incomplete"}, "other", "incomplete"),
        ({"status": None}, None, ""),
    ],
)  # fmt: skip
def test_why_it_ended(fields: dict[str, Any], finish: Finish | None, raw: str) -> None:
    """A reason is never made up."""
    (choice,) = read(message({"type": "output_text", "text": "Hi"}), **fields).choices
    assert (choice.finish, choice.finish_raw) == (finish, raw)


def test_odd_items_do_no_harm() -> None:
    """What cannot be read is left out, and what stands beside it is not."""
    found = read(
        3, {"type": 4}, {}, message("odd", {"type": "output_text", "text": "Hi"}, {"type": "output_text", "text": 3}),
        message(), {"type": "function_call", "name": "f"}, {"type": "reasoning", "summary": ["a", "b"]},
        {"type": "web_search_call"},
    )  # fmt: skip
    made = f"call_{CALL.replace('-', '')}_5"
    assert found.choices[0].parts == (
        Text("Hi"),
        ToolCall(made, "f", ""),
        Thinking("a\n\nb", summary=True),
        Foreign(NAME, "web_search_call", b'{"type": "web_search_call"}'),
    )


@pytest.mark.parametrize("status", ["in_progress", "queued", "failed", "cancelled"])
def test_an_answer_that_is_none(status: str) -> None:
    """What is not finished is no answer."""
    with pytest.raises(Fault) as caught:
        read(status=status)
    assert caught.value.code in ("upstream_bad_response", "upstream_error")


@given(
    st.fixed_dictionaries(
        {"output": st.lists(JSON | st.fixed_dictionaries({"type": st.sampled_from(["message", "reasoning"])},
                                                         optional={"content": JSON, "summary": JSON}), max_size=4)},
        optional=dict.fromkeys(("id", "model", "status", "usage", "error", "incomplete_details"), JSON),
    )
    | JSON
)  # fmt: skip
def test_wrong_types_do_no_harm(value: Any) -> None:
    """Whatever a provider answers is an answer or a Fault."""
    try:
        SIDE.read_reply(json.dumps(value).encode(), ASKED, CALL)
    except Fault as fault:
        assert fault.code in ("upstream_bad_response", "upstream_error") or fault.status < 500 or fault.message


def rendered(*parts: Part, finish: Finish | None = "stop", **fields: Any) -> dict[str, Any]:
    choice = Choice(parts, finish, logprobs=fields.pop("logprobs", ()))
    reply = ChatReply(choices=(choice,), usage=Usage(input=3, output=2), model="big", **fields)
    found: dict[str, Any] = json.loads(CLIENT.render_reply(reply, request(), CALL, 7))
    return found


def test_what_a_caller_gets() -> None:
    """The SDK reads a whole answer, its text, its calls, its usage."""
    told = rendered(
        Thinking("hm", "s", "anthropic_messages"),
        Text("Hi", citations=(Citation("https://a.test", "A", start=0, end=2),)),
        Text(" there"),
        Refusal("no"),
        ToolCall("c", "f", '{"a":1}'),
        Image(data="AA", media_type="image/png"),
        finish="tool_calls",
        logprobs=(TokenLogprob("Hi", -0.5),),
    )
    sdk = client(json.dumps(told).encode(), "application/json")
    found = sdk.responses.create(model="m", input="Hi")
    assert [item.type for item in found.output] == [
        "reasoning", "message", "message", "message", "function_call", "image_generation_call",
    ]  # fmt: skip
    assert found.output_text == "Hi there"
    assert (found.id, found.model, found.created_at, found.status) == (
        "resp_" + CALL.replace("-", ""), "big", 7, "completed",
    )  # fmt: skip
    assert found.usage is not None
    assert found.usage.total_tokens == 5
    assert told["output"][1]["content"][0]["logprobs"][0]["token"] == "Hi"


def test_a_cut_answer() -> None:
    """What ended early says for which reason, and its last item too."""
    told = rendered(Text("Hi"), finish="length")
    assert (told["status"], told["incomplete_details"]) == ("incomplete", {"reason": "max_output_tokens"})


def test_recorded_answers_come_round() -> None:
    """Each recorded answer, read and told to a caller and read again, has the same in it."""
    seen = 0
    for one in replies():
        value = json.loads(one.reply)
        if value.get("error") or value.get("status") in ("in_progress", "queued", "failed", "cancelled"):
            continue
        found = SIDE.read_reply(one.reply.encode(), ASKED, CALL)
        assert isinstance(found, ChatReply)
        seen += 1
        items = value["output"]
        said = [part for item in items if item["type"] == "message" for part in item["content"]]
        texts = [part["text"] for part in said if "text" in part]
        parts = found.choices[0].parts
        assert "".join(part.text for part in parts if isinstance(part, Text)) == "".join(texts), one.id
        calls = [(i["name"], i.get("arguments", i.get("input"))) for i in items if i["type"] in CALLS]
        assert [(part.name, part.arguments) for part in parts if isinstance(part, ToolCall)] == calls, one.id
        back = SIDE.read_reply(CLIENT.render_reply(found, request(), CALL, 7), ASKED, CALL)
        assert isinstance(back, ChatReply)
        assert plain(back) == plain(found), one.id
        assert back.choices[0].finish == found.choices[0].finish or found.choices[0].finish in ("other", None), one.id
        if found.usage is not None:
            assert back.usage is not None
            assert back.usage.total_input == found.usage.total_input, one.id
            assert back.usage.total_output == found.usage.total_output, one.id
    assert seen > 850


def plain(reply: ChatReply) -> list[Any]:
    """What was said and asked for, without the items' own ids. Thoughts are told as summaries, and what only their
    maker understands is not told on."""
    found: list[Any] = []
    for part in reply.choices[0].parts:
        if isinstance(part, Thinking):
            found.append(("thought", part.text, part.signature, part.origin))
        elif isinstance(part, ToolCall):
            found.append((part.id, part.name, part.arguments if part.arguments.strip() else "{}", part.custom))
        elif isinstance(part, Text):
            found.append((part.text, part.citations))
        elif not isinstance(part, Foreign):
            found.append(part)
    return found
