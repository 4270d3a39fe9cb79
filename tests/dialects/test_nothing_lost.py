"""What wires say that has a place elsewhere arrives there; what has none is named. A table of what was lost once.

The fields are those of the providers' SDKs (openai, anthropic, google-genai, mistralai, cohere).
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.core.chat import ChatReply, ChatRequest, Message, Text
from encke.core.traits import PLAIN, Capabilities, Traits
from encke.dialects.table import CLIENTS, PROVIDERS
from tests.dialects.recorded import drive
from tests.dialects.recorded.cases import read_stream

ASKED = ChatRequest(model="m", messages=(Message("user", (Text("Hi"),)),))
HI = [{"role": "user", "content": "Hi"}]
NEWER = Traits(Capabilities(thinking="level"))


def chat(message: dict[str, Any], **choice: Any) -> dict[str, Any]:
    """An answer of chat."""
    told = {"index": 0, "finish_reason": "stop", **choice, "message": {"role": "assistant", **message}}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [told]}


def messages(*content: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    """An answer of Anthropic's."""
    return {
        "id": "m", "type": "message", "role": "assistant", "model": "m", "content": list(content), "stop_reason": stop,
        "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1},
    }  # fmt: skip


def gemini(**candidate: Any) -> dict[str, Any]:
    """An answer of Google's."""
    told = {"content": {"role": "model", "parts": [{"text": "It is so."}]}, "finishReason": "STOP", **candidate}
    return {"candidates": [told], "modelVersion": "m"}


LIKELY = {"token": "No", "logprob": -0.5, "bytes": None, "top_logprobs": []}
PAGES = {
    "type": "page_location", "cited_text": "so it is", "document_index": 0, "document_title": "Book", "file_id": "f1",
    "start_page_number": 2, "end_page_number": 3,
}  # fmt: skip
CITED = messages({"type": "text", "text": "It is so.", "citations": [PAGES]})
PICTURE = {"groundingChunks": [{"image": {"sourceUri": "https://h.example/page", "title": "Page", "imageUri": "x"}}]}
PLANNED = {
    "id": "c", "finish_reason": "TOOL_CALL",
    "message": {
        "role": "assistant", "tool_plan": "I look.",
        "tool_calls": [{"id": "t", "type": "function", "function": {"name": "look", "arguments": "{}"}}],
        "citations": [{"start": 2, "end": 6, "text": "look", "type": "PLAN", "content_index": 0,
                       "sources": [{"type": "document", "id": "d", "document": {"title": "Doc"}}]}],
    },
}  # fmt: skip
SEALED = chat({"content": [
    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}], "signature": "sig"},
    {"type": "text", "text": "So."},
]})  # fmt: skip

ANSWERS: list[tuple[str, str, dict[str, Any], str, str, Any]] = [
    ("log probabilities of a refusal", "chat", chat({"content": None, "refusal": "No"}, logprobs={"refusal": [LIKELY]}),
     "chat", "choices.0.logprobs.refusal", [LIKELY]),
    ("pages of a book", "messages", CITED, "responses", "output.0.content.0.annotations",
     [{"type": "file_citation", "file_id": "f1", "filename": "Book", "index": 9}]),
    ("pages of a book", "messages", CITED, "chat", "choices.0.message.annotations.0.url_citation.content", "so it is"),
    ("pages of a book", "messages", CITED, "generate",
     "candidates.0.groundingMetadata.groundingChunks.0.retrievedContext", {"title": "Book", "text": "so it is"}),
    ("a picture that was found", "generate", gemini(groundingMetadata=PICTURE), "chat",
     "choices.0.message.annotations.0.url_citation.url", "https://h.example/page"),
    ("what a plan rests on", "cohere_chat", PLANNED, "chat", "choices.0.message.annotations.0.url_citation.title",
     "Doc"),
    ("a thought that Mistral signs", "mistral_chat", SEALED, "messages", "content.0.thinking", "Hm."),
    ("a refusal without words", "messages", messages({"type": "text", "text": "I"}, stop="refusal"), "responses",
     "incomplete_details", {"reason": "content_filter"}),
]  # fmt: skip


@pytest.mark.parametrize(("what", "op", "body", "route", "path", "expected"), ANSWERS)
def test_an_answer_keeps(what: str, op: str, body: dict[str, Any], route: str, path: str, expected: Any) -> None:
    """Each of these, in a whole answer."""
    reply = PROVIDERS[op].read_reply(json.dumps(body).encode(), ASKED, drive.CALL_ID)
    assert isinstance(reply, ChatReply)
    made = CLIENTS[route].render_reply(reply, drive.asked(route), drive.CALL_ID, drive.CREATED)
    assert _at(json.loads(made), path) == expected, what


def _event(**delta: Any) -> dict[str, Any]:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta}]}


def _cohere(kind: str, message: Any = None, **more: Any) -> dict[str, Any]:
    return {"type": kind, "delta": {"message": message, **more} if message or more else None, "index": 0}


FOUND = {"type": "url_citation", "url": "https://h.example/a", "title": "A"}
DOCUMENT = {"type": "document", "id": "d", "document": {"title": "Doc"}}
STREAMS: list[tuple[str, str, list[dict[str, Any]], str, list[str]]] = [
    ("citations before the text", "chat",
     [_event(role="assistant", content="", annotations=[FOUND]), _event(content="It is so."),
      {"id": "c", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}], "responses",
     ["https://h.example/a"]),
    ("citations that each event adds", "generate",
     [gemini(citationMetadata={"citationSources": [{"startIndex": 0, "endIndex": 5, "uri": "https://h.example/1"}]}),
      gemini(citationMetadata={"citationSources": [{"startIndex": 5, "endIndex": 9, "uri": "https://h.example/2"}]}),
      gemini(groundingMetadata={})], "chat", ["https://h.example/1", "https://h.example/2"]),
    ("a citation of a text that a thought came before", "cohere_chat",
     [_cohere("content-delta", {"content": {"thinking": "Hm."}}), _cohere("content-end"),
      _cohere("content-delta", {"content": {"text": "It is so."}}),
      _cohere("citation-start", {"citations": {"start": 0, "end": 2, "content_index": 1, "sources": [DOCUMENT]}}),
      _cohere("message-end", finish_reason="COMPLETE")], "messages", ["Doc"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "op", "events", "route", "sources"), STREAMS)
def test_a_stream_keeps(what: str, op: str, events: list[dict[str, Any]], route: str, sources: list[str]) -> None:
    """Each of these, event by event: the sources that a caller is told."""
    reader = PROVIDERS[op].reader(ASKED, drive.CALL_ID)
    writer = CLIENTS[route].writer(drive.asked(route, stream=True), drive.CALL_ID, drive.CREATED)
    for event in events:
        for delta in reader.feed(json.dumps(event).encode()):
            writer.feed(delta)
    for delta in reader.finish():
        writer.feed(delta)
    writer.finish(None)
    told = read_stream(route, b"".join(writer.out)).answers[0]
    assert sorted(told.cited) == sources, what


def test_a_thought_that_mistral_signs_goes_back_to_it() -> None:
    """Through a caller of chat, who has it as one of `reasoning_details`, and of the other dialects."""
    reply = PROVIDERS["mistral_chat"].read_reply(json.dumps(SEALED).encode(), ASKED, drive.CALL_ID)
    assert isinstance(reply, ChatReply)
    made = json.loads(CLIENTS["chat"].render_reply(reply, drive.asked("chat"), drive.CALL_ID, drive.CREATED))
    again = [*HI, made["choices"][0]["message"], *HI]
    body, dropped = _sent("chat", {"messages": again}, "mistral_chat")
    assert body["messages"][1]["content"][0] == SEALED["choices"][0]["message"]["content"][0] and not dropped


TEXT = {"type": "text", "text": "a"}
PDF = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}, "title": "T",
       "context": "C", "citations": {"enabled": True}}  # fmt: skip
CALLED = {"role": "assistant", "tool_calls": [{"id": "t", "type": "function",
                                               "function": {"name": "f", "arguments": "{}"}}]}  # fmt: skip
MARK = {"cache_control": {"type": "ephemeral"}}

LOSSES: list[tuple[str, str, dict[str, Any], str, tuple[str, ...]]] = [
    ("sound of an earlier answer", "chat", {"messages": [*HI, {"role": "assistant", "audio": {"id": "a"}}, *HI]},
     "generate", ("messages[1].content[0]",)),
    ("all of a document's fields", "messages", {"messages": [{"role": "user", "content": [PDF]}]}, "generate",
     ("messages[0].content[0].context", "messages[0].content[0].citable", "messages[0].content[0].name")),
    ("citations of what a user says", "messages",
     {"messages": [{"role": "user", "content": [{**TEXT, "citations": [PAGES]}]}]}, "cohere_chat",
     ("messages[0].content[0].citations",)),
    ("a mark inside of a result", "chat",
     {"messages": [*HI, CALLED, {"role": "tool", "tool_call_id": "t", "content": [{**TEXT, **MARK}]}]}, "cohere_chat",
     ("messages[2].content[0].content[0].cache",)),
    ("how thoughts are bound", "messages",
     {"messages": HI, "thinking": {"type": "adaptive", "block_binding": {"prefix_mismatch_behavior": "drop_block"}}},
     "chat", ("anthropic_messages.thinking.block_binding",)),
    ("fields that nobody knows", "chat",
     {"messages": [{"role": "user", "content": [{**TEXT, "speaker": "x"}], "mood": "good"}],
      "tools": [{"type": "function", "function": {"name": "f", "returns": {"type": "null"}}, "lazy": True}]},
     "messages",
     ("openai_chat.messages[0].mood", "openai_chat.messages[0].content[0].speaker", "openai_chat.tools[0].lazy",
      "openai_chat.tools[0].function.returns")),
    ("how tools are found and called", "responses",
     {"input": [{"type": "function_call", "call_id": "t", "name": "f", "arguments": "{}", "namespace": "n",
                 "id": "fc_1", "status": "completed"},
                {"type": "function_call_output", "call_id": "t", "output": "a"},
                {"role": "assistant", "phase": "commentary", "content": "a"},
                {"role": "user", "content": [{"type": "input_file", "file_url": "https://h.example/a.pdf",
                                              "detail": "high"}]}],
      "tools": [{"type": "function", "name": "f", "parameters": None, "strict": False, "defer_loading": True,
                 "output_schema": {}}]}, "messages",
     ("openai_responses.tools[0].defer_loading", "openai_responses.input[0].namespace",
      "openai_responses.input[3].content[0].detail")),
    ("what parts of Gemini's have beside them", "generate",
     {"contents": [
         {"role": "user", "parts": [
             {"inlineData": {"mimeType": "image/png", "data": "aGk=", "displayName": "a.png"},
              "mediaResolution": {"level": "MEDIA_RESOLUTION_ULTRA_HIGH"}, "partMetadata": {"a": 1}}]},
         {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}, "id": "t"}}]},
         {"role": "user", "parts": [
             {"functionResponse": {"name": "f", "id": "t", "response": {"output": "a"}, "scheduling": "SILENT"}}]}]},
     "messages",
     ("google_generate.contents[0].parts[0].inlineData.displayName",
      "google_generate.contents[0].parts[0].mediaResolution.level",
      "google_generate.contents[0].parts[0].partMetadata",
      "google_generate.contents[2].parts[0].functionResponse.scheduling")),
    ("half a day for a mark", "chat",
     {"messages": [{"role": "user", "content": [{**TEXT, "prompt_cache_breakpoint": {"mode": "explicit",
                                                                                     "ttl": "12h"}}]}]}, "messages",
     ("openai_chat.messages[0].content[0].prompt_cache_breakpoint",)),
]  # fmt: skip


@pytest.mark.parametrize(("what", "route", "body", "op", "expected"), LOSSES)
def test_a_loss_is_named(what: str, route: str, body: dict[str, Any], op: str, expected: tuple[str, ...]) -> None:
    """What has no place on another wire."""
    assert set(_sent(route, body, op, NEWER if op == "generate" else PLAIN)[1]) == set(expected), what


@pytest.mark.parametrize(
    ("field", "mark"),
    [
        ({"cache_control": {"type": "ephemeral"}}, {"type": "ephemeral"}),
        ({"cache_control": {"type": "ephemeral", "ttl": "1h"}}, {"type": "ephemeral", "ttl": "1h"}),
    ],
)
def test_a_mark_of_a_message_is_of_its_last_part(field: Any, mark: Any) -> None:
    """As LiteLLM has it, beside a content that is a text; or OpenAI's in the part, which keeps at least as long."""
    body, dropped = _sent("chat", {"messages": [{"role": "system", "content": "a", **field}, *HI]}, "messages")
    assert body["system"] == [{**TEXT, "cache_control": mark}] and not dropped
    kept = {"mode": "explicit", **({"ttl": "30m"} if "ttl" in mark else {})}
    said = [{"role": "system", "content": [{**TEXT, "prompt_cache_breakpoint": kept}]}, *HI]
    assert _sent("chat", {"messages": said}, "messages")[0]["system"] == body["system"]


def test_what_goes_without_log_probabilities_asks_for_nothing() -> None:
    """`top_logprobs` of a Response that does not include them: OpenAI's chat refuses it alone."""
    body, dropped = _sent("responses", {"input": "Hi", "top_logprobs": 3}, "chat")
    assert "top_logprobs" not in body and not dropped
    told = {"input": "Hi", "top_logprobs": 3, "include": ["message.output_text.logprobs"]}
    body, _ = _sent("responses", told, "chat")
    assert (body["logprobs"], body["top_logprobs"]) == (True, 3)


def _sent(route: str, body: dict[str, Any], op: str, traits: Traits = PLAIN) -> tuple[Any, tuple[str, ...]]:
    """What a provider is asked, and what is lost."""
    told = {"model": "m", **({"max_tokens": 9000} if route == "messages" else {}), **body}
    side = CLIENTS[route]
    hub = side.to_hub(side.read(json.dumps(told).encode(), "m:generateContent" if route == "generate" else "", {}))
    made = PROVIDERS[op].render(hub, "m", traits)
    return json.loads(made.body), made.dropped


def _at(value: Any, path: str) -> Any:
    for step in path.split("."):
        value = value[int(step)] if step.isdecimal() else value[step]
    return value
