"""The fake upstream's answers in every wire are what their makers' own clients read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import msgspec
import openai
import pytest
from google import genai
from google.genai import errors as google_errors
from google.genai import types as google_types

from encke.testing import asked
from encke.testing.options import Options
from encke.testing.request import Request
from encke.testing.upstream import FakeUpstream
from encke.testing.wires.side import vector
from encke.testing.wires.table import answer_to

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CALLS = [{"name": "weather", "arguments": {"city": city}} for city in ("Rome", "Oslo")]
ARGUMENTS = [{"city": "Rome"}, {"city": "Oslo"}]


def behave(**options: Any) -> str:
    """A prompt that names a behaviour."""
    return f"behave: {json.dumps(options)}"


@pytest.fixture(scope="module")
def upstream() -> Iterator[FakeUpstream]:
    with FakeUpstream() as one:
        yield one


@pytest.fixture(scope="module")
def chat(upstream: FakeUpstream) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{upstream.url}/v1", api_key="sk", max_retries=0)


@pytest.fixture(scope="module")
def claude(upstream: FakeUpstream) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=upstream.url, api_key="sk", max_retries=0)


@pytest.fixture(scope="module")
def gemini(upstream: FakeUpstream) -> genai.Client:
    return genai.Client(api_key="sk", http_options=google_types.HttpOptions(base_url=upstream.url))


@pytest.mark.parametrize("interleave", [False, True])
def test_messages(claude: anthropic.Anthropic, interleave: bool) -> None:
    """Thoughts with their signature, then calls; whole and streamed the same."""
    prompt = behave(thinking="Hm.", signature="sig==", calls=CALLS, cached=2, prompt_tokens=10, interleave=interleave)
    tools: Any = [{"name": "weather", "input_schema": SCHEMA}]
    given: Any = {"model": "fake", "max_tokens": 100, "messages": [{"role": "user", "content": prompt}], "tools": tools}
    whole: Any = claude.messages.create(**given)
    with claude.messages.stream(**given) as stream:
        streamed: Any = stream.get_final_message()
    for message in (whole, streamed):
        thought, *calls = message.content
        assert thought.type == "thinking" and thought.thinking == "Hm." and thought.signature == "sig=="
        assert [call.input for call in calls] == ARGUMENTS
        assert message.stop_reason == "tool_use"
        assert message.usage.input_tokens == 8 and message.usage.cache_read_input_tokens == 2
    assert claude.messages.count_tokens(model="fake", messages=given["messages"]).input_tokens > 1


@pytest.mark.parametrize("interleave", [False, True])
def test_responses(chat: openai.OpenAI, interleave: bool) -> None:
    """Sealed thoughts, text and calls, by turns or not; the last event holds what the others told."""
    prompt = behave(thinking="Hm.", signature="seal", calls=CALLS, content="Wait", chunks=2, interleave=interleave)
    tools: Any = [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}]
    whole: Any = chat.responses.create(model="fake", input=prompt, tools=tools)
    with chat.responses.stream(model="fake", input=prompt, tools=tools) as stream:
        events: list[Any] = list(stream)
        streamed: Any = stream.get_final_response()
    for response in (whole, streamed):
        thought, message, *calls = response.output
        assert thought.type == "reasoning" and thought.encrypted_content == "seal" and thought.summary[0].text == "Hm."
        assert message.type == "message" and response.output_text == "Wait word.1"
        assert [json.loads(call.arguments) for call in calls] == ARGUMENTS
    assert [event.sequence_number for event in events] == list(range(len(events)))


@pytest.mark.parametrize("interleave", [False, True])
def test_chat(chat: openai.OpenAI, interleave: bool) -> None:
    """Calls whose pieces come by turns are put together by their index; results are told."""
    prompt: Any = {"role": "user", "content": behave(calls=CALLS, interleave=interleave)}
    tools: Any = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    whole: Any = chat.chat.completions.create(model="fake", messages=[prompt], tools=tools).choices[0]
    with chat.chat.completions.stream(model="fake", messages=[prompt], tools=tools) as stream:
        streamed: Any = stream.get_final_completion().choices[0]
    for choice in (whole, streamed):
        assert choice.finish_reason == "tool_calls"
        calls = choice.message.tool_calls
        assert [json.loads(call.function.arguments) for call in calls] == ARGUMENTS
    results: Any = [{"role": "tool", "tool_call_id": call.id, "content": "warm"} for call in calls]
    messages: Any = [prompt, streamed.message.model_dump(exclude_none=True), *results]
    again = chat.chat.completions.create(model="fake", messages=messages, tools=tools)
    assert (again.choices[0].message.content or "").startswith("Told: warm | warm")


def test_gemini(gemini: genai.Client) -> None:
    """Thoughts, a signed call, and the names of errors."""
    tools: Any = [{"function_declarations": [{"name": "weather", "parameters_json_schema": SCHEMA}]}]
    config: Any = {"tools": tools, "automatic_function_calling": {"disable": True}}
    prompt = behave(thinking="Hm.", signature="c2ln", calls=CALLS, reasoning=1, prompt_tokens=10)
    whole: Any = gemini.models.generate_content(model="fake", contents=prompt, config=config)
    streamed: Any = list(gemini.models.generate_content_stream(model="fake", contents=prompt, config=config))
    for chunks in ([whole], streamed):
        parts = [part for one in chunks for part in one.candidates[0].content.parts or []]
        assert parts[0].thought and parts[0].text == "Hm."
        calls = [part for part in parts if part.function_call]
        assert [part.function_call.args for part in calls] == ARGUMENTS
        assert [part.thought_signature for part in calls] == [b"sig", None]
    usage = streamed[-1].usage_metadata
    assert usage is not None and (usage.prompt_token_count, usage.thoughts_token_count) == (10, 1)
    assert gemini.models.count_tokens(model="fake", contents="Hi").total_tokens
    with pytest.raises(google_errors.ClientError) as caught:
        gemini.models.generate_content(model="fault-404", contents="Hi")
    assert caught.value.status == "NOT_FOUND"


def test_embeddings(chat: openai.OpenAI, gemini: genai.Client) -> None:
    """A vector depends on the text alone, whoever asks."""
    made: Any = chat.embeddings.create(model="fake", input=["a", "b"])  # the client asks for base64
    assert [one.embedding for one in made.data] == [vector("a"), vector("b")]
    embedded: Any = gemini.models.embed_content(model="fake", contents=["a"])
    assert embedded.embeddings and embedded.embeddings[0].values == vector("a")


ERRORS = [(429, anthropic.RateLimitError), (401, anthropic.AuthenticationError), (529, anthropic.OverloadedError)]


@pytest.mark.parametrize(("status", "kind"), ERRORS)
def test_errors_in_messages(claude: anthropic.Anthropic, status: int, kind: type[anthropic.APIStatusError]) -> None:
    """Errors have Anthropic's envelope, and its client's classes."""
    with pytest.raises(kind) as caught:
        claude.messages.create(model=f"fault-{status}", max_tokens=9, messages=[{"role": "user", "content": "Hi"}])
    assert caught.value.type is not None


def test_a_stream_that_breaks(claude: anthropic.Anthropic) -> None:
    """An error in a stream is one in its own wire too."""
    given: Any = {"model": "fault-error-in-stream", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    with pytest.raises(anthropic.APIStatusError), claude.messages.stream(**given) as stream:
        stream.get_final_message()


LINES = {
    "/v2/chat": b'"type":"tool-call-delta"',
    "/api/chat": b'{"function":{"index":1,"name":"weather","arguments":{"city":"Oslo"}}}',
    "/mistral/v1/chat/completions": b'"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm."}]}]',
}


@pytest.mark.parametrize("path", LINES)
def test_wires_without_a_client_here(path: str) -> None:
    """Cohere, Ollama and Mistral: whole and streamed hold the same calls, in their own shapes."""
    tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    messages = [{"role": "user", "content": "Go"}]
    for stream in (False, True):
        body = {"model": "m", "messages": messages, "tools": tools, "stream": stream}
        request = Request("POST", path, 1, [], msgspec.json.encode(body))
        assert request.stream is stream
        answer = answer_to(request, Options(thinking="Hm.", calls=CALLS))
        if stream:
            assert LINES[path] in b"".join(data for data, _ in answer.events())
        else:
            message = answer.reply().get("message") or answer.reply()["choices"][0]["message"]
            assert [one["function"]["name"] for one in message["tool_calls"]] == ["weather", "weather"]


WANTED: dict[str, Any] = {
    "responses": {"input": [{"role": "user", "content": "go"}, {"type": "function_call_output", "output": "warm"}]},
    "gemini": {
        "contents": [
            {"role": "user", "parts": [{"text": "go"}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"a": 1}}}]},
        ]
    },
    "cohere": {
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "tool", "content": [{"type": "document", "document": {"data": "warm"}}]},
        ]
    },
}


@pytest.mark.parametrize("wire", WANTED)
def test_results_are_found(wire: str) -> None:
    """The results of tools are read in every wire."""
    text, results = asked.wanted(asked.turns(WANTED[wire]))
    assert text == "go" and results in (["warm"], ['{"a":1}'])


def test_a_remark_beside_a_result_is_no_request() -> None:
    """What clients add to a result does not hide the behaviour that was asked for."""
    content = [{"type": "tool_result", "content": "warm"}, {"type": "text", "text": "<system-reminder>"}]
    turns = asked.turns({"messages": [{"role": "user", "content": "behave: {}"}, {"role": "user", "content": content}]})
    assert asked.wanted(turns) == ("behave: {}", ["warm"])


def test_a_demanded_call_is_made() -> None:
    """A function that has to be called is, with the options' content as its arguments."""
    tools = [{"name": "other", "input_schema": {}}, {"name": "answer", "input_schema": {}}]
    body = {"model": "m", "messages": [], "tools": tools, "tool_choice": {"type": "tool", "name": "answer"}}
    request = Request("POST", "/v1/messages", 1, [], msgspec.json.encode(body))
    (block,) = answer_to(request, Options(content='{"a":1}')).reply()["content"]
    assert (block["name"], block["input"]) == ("answer", {"a": 1})
