"""Google's own SDK reads what is written for callers of this dialect: answers, streams, counts, vectors, errors; and
what it sends is read into the hub.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from google import genai
from google.genai import errors, types

from encke.core.chat import (
    ChatReply,
    ChatRequest,
    Choice,
    Citation,
    CountReply,
    Image,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolResult,
)
from encke.core.delta import ARGUMENTS, FINISH, SIGNATURE, START, TEXT, THINKING, TOOL, Delta
from encke.core.embed import EmbedReply, EmbedRequest
from encke.core.faults import Fault
from encke.core.usage import Usage
from encke.dialects.google_generate.client import GoogleClient
from encke.dialects.google_generate.signature import ORIGIN
from encke.dialects.port import Hub
from encke.dialects.request import Request

ROUTES = {
    "generateContent": "generate",
    "streamGenerateContent": "generate",
    "countTokens": "google_count",
    "embedContent": "embed_content",
    "batchEmbedContents": "batch_embed",
}
Answer = Callable[[GoogleClient, Request], bytes]


class Site:
    """What a gateway would be, without one: reads the request, and answers as a test says."""

    def __init__(self) -> None:
        self.status = 200
        self.answer: Answer | None = None
        self.hub: Hub | None = None

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer one request."""
        target = request.url.raw_path.decode().split("/models/", 1)[1]
        side = GoogleClient(ROUTES[target.partition("?")[0].rpartition(":")[2]])
        read = side.read(request.content, target, {})
        self.hub = side.to_hub(read)
        assert self.answer is not None
        kind = side.stream_type(read) if read.stream and self.status == 200 else "application/json"
        return httpx.Response(self.status, content=self.answer(side, read), headers={"content-type": kind})


@pytest.fixture
def site() -> Site:
    """See `Site`."""
    return Site()


@pytest.fixture
def client(site: Site) -> Iterator[genai.Client]:
    """The SDK, talking to it."""
    transport = httpx.Client(transport=httpx.MockTransport(site.handle))
    options = types.HttpOptions(base_url="http://gateway.example", httpx_client=transport)
    yield genai.Client(api_key="sk-enc-test", http_options=options)


def reply(*parts: Any, **fields: Any) -> Answer:
    """A whole answer with these parts."""
    choice = Choice(parts, fields.pop("finish", "stop"))
    found = ChatReply(choices=(choice,), usage=Usage(3, output=2, reasoning=1), model="real", **fields)
    return lambda side, request: side.render_reply(found, request, "0190-ab", 0)


def stream(*deltas: Delta) -> Answer:
    """A stream of these deltas."""

    def answer(side: GoogleClient, request: Request) -> bytes:
        writer = side.writer(request, "0190-ab", 0)
        for delta in (Delta(START, name="real"), *deltas):
            writer.feed(delta)
        writer.finish(Usage(3, output=2))
        return b"".join(writer.out)

    return answer


def asked(site: Site) -> ChatRequest:
    """What was asked."""
    assert isinstance(site.hub, ChatRequest)
    return site.hub


def test_an_answer(site: Site, client: genai.Client) -> None:
    """Text, thoughts, citations, usage, the end; and the settings as they were sent."""
    cited = Text("Paris.", citations=(Citation(url="https://a", title="A", start=0, end=5),))
    site.answer = reply(Thinking("Hm."), cited)
    config = types.GenerateContentConfig(
        system_instruction="Be brief.", temperature=0.5, max_output_tokens=9, stop_sequences=["x"],
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=128),
    )  # fmt: skip
    answer = client.models.generate_content(model="gpt-x", contents="Capital?", config=config)
    assert answer.text == "Paris." and answer.model_version == "real" and answer.response_id == "0190-ab"
    assert answer.candidates is not None and answer.usage_metadata is not None
    candidate = answer.candidates[0]
    assert candidate.finish_reason == types.FinishReason.STOP and candidate.grounding_metadata is not None
    assert candidate.content is not None and candidate.content.parts is not None
    assert candidate.content.parts[0].thought and answer.usage_metadata.thoughts_token_count == 1
    request = asked(site)
    assert [message.role for message in request.messages] == ["system", "user"] and request.model == "gpt-x"
    assert (request.temperature, request.max_tokens, request.stop) == (0.5, 9, ("x",))
    assert request.reasoning is not None and request.reasoning.budget == 128


def test_a_call_and_its_result(site: Site, client: genai.Client) -> None:
    """The SDK runs the function and sends the result; the call's signature comes back with it."""
    answers = [
        reply(ToolCall("call-1", "add", '{"a":1,"b":2}', signature="AAAA", origin=ORIGIN), finish="tool_calls"),
        reply(Text("Three.")),
    ]
    site.answer = lambda side, request: answers.pop(0)(side, request)

    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    answer = client.models.generate_content(model="m", contents="1+2?", config=types.GenerateContentConfig(tools=[add]))
    assert answer.text == "Three."
    request = asked(site)
    tool = request.tools[0]
    assert isinstance(tool, Tool) and tool.name == "add" and json.loads(tool.parameters)["type"] == "object"
    call, result = request.messages[1].parts[0], request.messages[2].parts[0]
    assert call == ToolCall(
        "call-1", "add", call.arguments if isinstance(call, ToolCall) else "", signature="AAAA", origin=ORIGIN
    )
    assert result == ToolResult("call-1", result.parts if isinstance(result, ToolResult) else (), "add")
    assert isinstance(result, ToolResult) and "3" in getattr(result.parts[0], "text", "")


def test_others_thoughts_come_back(site: Site, client: genai.Client) -> None:
    """A chat keeps what it was given, signatures of other dialects included."""
    thought = Thinking("Hm.", "sig==", "anthropic_messages")
    hidden = Thinking(signature="blob", origin="anthropic_messages", redacted=True)
    site.answer = reply(thought, hidden, Text("Yes."))
    chat = client.chats.create(model="m")
    chat.send_message("Really?")
    chat.send_message("Sure?")
    assert asked(site).messages[1].parts == (thought, hidden, Text("Yes."))


def test_a_stream(site: Site, client: genai.Client) -> None:
    """Chunk by chunk, with a call whole."""
    site.answer = stream(
        Delta(THINKING, key=0, text="Hm."), Delta(SIGNATURE, key=0, text="s", name="anthropic_messages"),
        Delta(TEXT, key=1, text="Hel"), Delta(TEXT, key=1, text="lo"),
        Delta(TOOL, key=2, id="c", name="f"), Delta(ARGUMENTS, key=2, text='{"a":1}'),
        Delta(FINISH, name="tool_calls"),
    )  # fmt: skip
    chunks = list(client.models.generate_content_stream(model="m", contents="Hi"))
    parts = [
        part
        for chunk in chunks
        for one in chunk.candidates or ()
        for part in (one.content.parts if one.content else None) or ()
    ]
    assert "".join(part.text or "" for part in parts if not part.thought) == "Hello"
    calls = [part.function_call for part in parts if part.function_call]
    assert [(call.id, call.name, call.args) for call in calls] == [("c", "f", {"a": 1})]
    last = chunks[-1]
    assert last.usage_metadata is not None and last.usage_metadata.total_token_count == 5
    assert [one.finish_reason for chunk in chunks for one in chunk.candidates or () if one.finish_reason] == ["STOP"]


def test_a_picture(site: Site, client: genai.Client) -> None:
    """Goes both ways as bytes."""
    site.answer = reply(Image(data="+/8=", media_type="image/png"))
    contents: list[Any] = ["What?", types.Part.from_bytes(data=b"\xfb\xff", mime_type="image/png")]
    answer = client.models.generate_content(model="m", contents=contents)
    assert asked(site).messages[0].parts[1] == Image(data="+/8=", media_type="image/png")
    assert answer.parts is not None and answer.parts[0].inline_data is not None
    assert answer.parts[0].inline_data.data == b"\xfb\xff"


def test_counts_and_vectors(site: Site, client: genai.Client) -> None:
    """How many tokens, and embeddings of several texts."""
    site.answer = lambda side, request: side.render_reply(CountReply(7), request, "", 0)
    assert client.models.count_tokens(model="m", contents="Hi").total_tokens == 7
    reply = EmbedReply(vectors=((0.5, 1.0), (0.25, 2.0)), usage=Usage(input=4))
    site.answer = lambda side, request: side.render_reply(reply, request, "", 0)
    contents: list[Any] = ["a", "b"]
    config = types.EmbedContentConfig(task_type="RETRIEVAL_QUERY", output_dimensionality=2)
    answer = client.models.embed_content(model="m", contents=contents, config=config)
    assert answer.embeddings is not None and [one.values for one in answer.embeddings] == [[0.5, 1.0], [0.25, 2.0]]
    assert isinstance(site.hub, EmbedRequest) and site.hub.inputs == ("a", "b") and site.hub.purpose == "query"


def test_errors(site: Site, client: genai.Client) -> None:
    """Before the answer, and in the middle of a stream."""
    site.status = 404
    site.answer = lambda side, request: side.render_fault(Fault("model_not_found", "No such model."), "req")
    with pytest.raises(errors.ClientError) as caught:
        client.models.generate_content(model="m", contents="Hi")
    assert (caught.value.code, caught.value.status, caught.value.message) == (404, "NOT_FOUND", "No such model.")
    site.status = 200

    def broken(side: GoogleClient, request: Request) -> bytes:
        writer = side.writer(request, "0190-ab", 0)
        writer.feed(Delta(TEXT, text="Hel"))
        return writer.break_off(Fault("overloaded", "Too many."), "req")

    site.answer = broken
    with pytest.raises(errors.ServerError) as failed:
        list(client.models.generate_content_stream(model="m", contents="Hi"))
    assert (failed.value.code, failed.value.status) == (503, "UNAVAILABLE")
