"""The makers' own Python clients behind one face, so that each can be put in front of every provider's wire."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

import anthropic
import httpx
import openai
from google import genai
from google.genai import errors, types
from pydantic import BaseModel

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
MORE = {"description": "How warm it is", "name": "weather"}


class Place(BaseModel):
    """What is asked for by schema."""

    city: str


@dataclass
class Said:
    """An answer: text, thoughts, calls as (name, arguments), why it ended, and (input, cached, output) tokens. `turns`
    is the conversation with the answer, as the client would send it again; `ids` are the calls' ids in it."""

    text: str
    thinking: str
    calls: list[tuple[str, Any]]
    finish: str
    usage: tuple[int, int, int]
    turns: list[Any] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


Ask = Callable[..., Said]


class Chat:
    """`openai`, chat completions."""

    finishes: ClassVar[dict[str, str]] = {"stop": "stop", "length": "length", "tool_calls": "tool_calls"}
    wrong_key: type[Exception] = openai.AuthenticationError
    unknown: type[Exception] = openai.NotFoundError
    limited: type[Exception] = openai.RateLimitError
    bad: type[Exception] = openai.BadRequestError
    failed: type[Exception] = openai.InternalServerError
    broken: type[Exception] | tuple[type[Exception], ...] = openai.APIError
    tools: ClassVar[list[Any]] = [{"type": "function", "function": {**MORE, "parameters": SCHEMA}}]

    def __init__(self, root: str, key: str) -> None:
        self.client: Any = openai.OpenAI(base_url=f"{root}/v1", api_key=key, max_retries=0)

    def user(self, text: str) -> list[Any]:
        """A conversation of one message."""
        return [{"role": "user", "content": text}]

    def results(self, said: Said, texts: list[str]) -> list[Any]:
        """The conversation with the results of the tools."""
        told = [
            {"role": "tool", "tool_call_id": one, "content": text} for one, text in zip(said.ids, texts, strict=True)
        ]
        return [*said.turns, *told]

    def ask(
        self, model: str, turns: list[Any], *, stream: bool = False, tools: bool = False, limit: int = 1000
    ) -> Said:
        """One answer."""
        given: Any = {"model": model, "messages": turns, "max_completion_tokens": limit}
        if tools:
            given["tools"] = self.tools
        if stream:
            with self.client.chat.completions.stream(**given, stream_options={"include_usage": True}) as events:
                try:
                    made = events.get_final_completion()
                except openai.LengthFinishReasonError as cut:
                    made = cut.completion
        else:
            made = self.client.chat.completions.create(**given)
        message = made.choices[0].message
        calls = message.tool_calls or []
        cached = made.usage.prompt_tokens_details
        return Said(
            message.content or "",
            getattr(message, "reasoning_content", "") or "",
            [(call.function.name, json.loads(call.function.arguments)) for call in calls],
            made.choices[0].finish_reason,
            (made.usage.prompt_tokens, cached.cached_tokens or 0 if cached else 0, made.usage.completion_tokens),
            [*turns, message.model_dump(exclude_none=True, exclude={"parsed": True})],
            [call.id for call in calls],
        )

    def open(self, model: str, turns: list[Any]) -> tuple[Any, Callable[[], None]]:
        """A stream's events, and how to leave it."""
        stream = self.client.chat.completions.create(model=model, messages=turns, stream=True)
        return stream, stream.close

    def parse(self, model: str, text: str) -> str:
        """The city of an object that is asked for by schema."""
        made = self.client.chat.completions.parse(model=model, messages=self.user(text), response_format=Place)
        return str(made.choices[0].message.parsed.city)


class Responses(Chat):
    """`openai`, Responses."""

    # Its client gives out an error in a stream as an event, and raises what httpx says of the cut after it: until
    # version 3 as it is.
    broken = (httpx.RemoteProtocolError, openai.APIConnectionError)
    finishes: ClassVar[dict[str, str]] = {"stop": "completed", "length": "incomplete", "tool_calls": "completed"}
    tools: ClassVar[list[Any]] = [{"type": "function", **MORE, "parameters": SCHEMA, "strict": True}]

    def results(self, said: Said, texts: list[str]) -> list[Any]:
        told = [
            {"type": "function_call_output", "call_id": one, "output": text}
            for one, text in zip(said.ids, texts, strict=True)
        ]
        return [*said.turns, *told]

    def ask(
        self, model: str, turns: list[Any], *, stream: bool = False, tools: bool = False, limit: int = 1000
    ) -> Said:
        given: Any = {"model": model, "input": turns, "store": False, "max_output_tokens": limit}
        given["include"] = ["reasoning.encrypted_content"]
        if tools:
            given["tools"] = self.tools
        if stream:
            with self.client.responses.stream(**given) as events:
                seen = list(events)
            made = seen[-1].response
            assert [event.sequence_number for event in seen] == list(range(len(seen)))
        else:
            made = self.client.responses.create(**given)
        calls = [item for item in made.output if item.type == "function_call"]
        thoughts = [one.text for item in made.output if item.type == "reasoning" for one in item.summary]
        usage = made.usage
        return Said(
            made.output_text,
            "".join(thoughts),
            [(call.name, json.loads(call.arguments)) for call in calls],
            made.status,
            (usage.input_tokens, usage.input_tokens_details.cached_tokens, usage.output_tokens),
            [*turns, *(item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in made.output)],
            [call.call_id for call in calls],
        )

    def open(self, model: str, turns: list[Any]) -> tuple[Any, Callable[[], None]]:
        stream = self.client.responses.create(model=model, input=turns, stream=True)
        return stream, stream.close

    def parse(self, model: str, text: str) -> str:
        made = self.client.responses.parse(model=model, input=text, text_format=Place)
        return str(made.output_parsed.city)


class Messages(Chat):
    """`anthropic`."""

    finishes: ClassVar[dict[str, str]] = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}
    wrong_key = anthropic.AuthenticationError
    unknown = anthropic.NotFoundError
    limited = anthropic.RateLimitError
    bad = anthropic.BadRequestError
    failed = anthropic.InternalServerError
    broken = anthropic.APIError
    tools: ClassVar[list[Any]] = [{**MORE, "input_schema": SCHEMA}]

    def __init__(self, root: str, key: str) -> None:
        self.client = anthropic.Anthropic(base_url=root, api_key=key, max_retries=0)

    def results(self, said: Said, texts: list[str]) -> list[Any]:
        told = [
            {"type": "tool_result", "tool_use_id": one, "content": text}
            for one, text in zip(said.ids, texts, strict=True)
        ]
        return [*said.turns, {"role": "user", "content": told}]

    def ask(
        self, model: str, turns: list[Any], *, stream: bool = False, tools: bool = False, limit: int = 1000
    ) -> Said:
        given: Any = {"model": model, "messages": turns, "max_tokens": limit}
        if tools:
            given["tools"] = self.tools
        if stream:
            with self.client.messages.stream(**given) as events:
                made = events.get_final_message()
        else:
            made = self.client.messages.create(**given)
        calls = [block for block in made.content if block.type == "tool_use"]
        usage = made.usage
        cached = usage.cache_read_input_tokens or 0
        content = [block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in made.content]
        return Said(
            "".join(block.text for block in made.content if block.type == "text"),
            "".join(block.thinking for block in made.content if block.type == "thinking"),
            [(call.name, call.input) for call in calls],
            made.stop_reason,
            (usage.input_tokens + cached, cached, usage.output_tokens),
            [*turns, {"role": "assistant", "content": content}],
            [call.id for call in calls],
        )

    def open(self, model: str, turns: list[Any]) -> tuple[Any, Callable[[], None]]:
        stream = self.client.messages.create(model=model, messages=turns, max_tokens=1000, stream=True)
        return stream, stream.close

    def parse(self, model: str, text: str) -> str:
        turns = self.user(text)
        made = self.client.messages.parse(model=model, messages=turns, max_tokens=1000, output_format=Place)
        return str(made.parsed_output.city)


class Gemini(Chat):
    """`google-genai`. Its errors are of two classes, and a status."""

    finishes: ClassVar[dict[str, str]] = {"stop": "STOP", "length": "MAX_TOKENS", "tool_calls": "STOP"}
    wrong_key = unknown = limited = bad = errors.ClientError
    failed = errors.ServerError
    broken = errors.APIError
    tools: ClassVar[list[Any]] = [{"function_declarations": [{**MORE, "parameters_json_schema": SCHEMA}]}]

    def __init__(self, root: str, key: str) -> None:
        options = types.HttpOptions(base_url=root, retry_options=types.HttpRetryOptions(attempts=1))
        self.client = genai.Client(api_key=key, http_options=options)

    def user(self, text: str) -> list[Any]:
        return [types.Content(role="user", parts=[types.Part(text=text)])]

    def results(self, said: Said, texts: list[str]) -> list[Any]:
        parts = []
        for name, text in zip(said.ids, texts, strict=True):
            identity, _, function = name.partition("|")
            response = types.FunctionResponse(id=identity or None, name=function, response={"result": text})
            parts.append(types.Part(function_response=response))
        return [*said.turns, types.Content(role="user", parts=parts)]

    def ask(
        self, model: str, turns: list[Any], *, stream: bool = False, tools: bool = False, limit: int = 1000
    ) -> Said:
        config: Any = {"automatic_function_calling": {"disable": True}, "thinking_config": {"include_thoughts": True}}
        config["max_output_tokens"] = limit
        if tools:
            config["tools"] = self.tools
        given: Any = {"model": model, "contents": turns, "config": config}
        made = self.client.models
        chunks = list(made.generate_content_stream(**given)) if stream else [made.generate_content(**given)]
        parts = [one for chunk in chunks for seen in chunk.candidates or [] for one in (seen.content.parts or [])]
        calls = [part.function_call for part in parts if part.function_call]
        usage = chunks[-1].usage_metadata
        output = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        return Said(
            "".join(part.text for part in parts if part.text and not part.thought),
            "".join(part.text for part in parts if part.text and part.thought),
            [(call.name, call.args) for call in calls],
            str(chunks[-1].candidates[0].finish_reason.value),
            (usage.prompt_token_count, usage.cached_content_token_count or 0, output),
            [*turns, types.Content(role="model", parts=parts)],
            [f"{call.id or ''}|{call.name}" for call in calls],
        )

    def open(self, model: str, turns: list[Any]) -> tuple[Any, Callable[[], None]]:
        stream = self.client.models.generate_content_stream(model=model, contents=turns)
        return stream, stream.close

    def parse(self, model: str, text: str) -> str:
        config: Any = {"response_mime_type": "application/json", "response_schema": Place}
        return str(self.client.models.generate_content(model=model, contents=text, config=config).parsed.city)


TALKERS: dict[str, type[Chat]] = {"chat": Chat, "responses": Responses, "messages": Messages, "gemini": Gemini}
