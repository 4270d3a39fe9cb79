"""The makers' Python clients asked for recorded answers. What a client's own objects hold is written out again as JSON
and read by hand, by what reads the recordings: no code of the gateway's is between."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, ClassVar

import anthropic
import httpx
import openai
from google import genai
from google.genai import errors, types

from tests.dialects.wires import chat, generate, messages, responses
from tests.dialects.wires.facts import Facts

Way = Callable[[str, list[str]], Facts]
OPEN: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": True}
HELLO = [{"role": "user", "content": "Hello"}]


class Asker:
    """A client. `ways` lead to the facts of an answer, by name, whole or of a `stream`. They raise `failures` where
    there is none, or tell of it as `Facts.failed`."""

    route: ClassVar[str]
    failures: ClassVar[tuple[type[Exception], ...]] = (httpx.HTTPError,)
    client: Any

    def __init__(self, root: str, key: str) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """Let go of its connections."""
        self.client.close()

    def ways(self, stream: bool) -> dict[str, Way]:
        raise NotImplementedError


class Chat(Asker):
    """`openai`, chat completions."""

    route = "chat"
    failures = (*Asker.failures, openai.APIError)

    def __init__(self, root: str, key: str) -> None:
        self.client = openai.OpenAI(base_url=f"{root}/v1", api_key=key, max_retries=0)

    def ways(self, stream: bool) -> dict[str, Way]:
        return {"create": self.chunks, "stream": self.helper} if stream else {"create": self.whole}

    def given(self, model: str, tools: list[str]) -> Any:
        made = [{"type": "function", "function": {"name": name, "parameters": OPEN}} for name in tools]
        return {"model": model, "messages": HELLO, **({"tools": made} if made else {})}

    def whole(self, model: str, tools: list[str]) -> Facts:
        return chat.whole(_json(self.client.chat.completions.create(**self.given(model, tools))))

    def chunks(self, model: str, tools: list[str]) -> Facts:
        asked = {**self.given(model, tools), "stream_options": {"include_usage": True}}
        return chat.stream(_events(self.client.chat.completions.create(**asked, stream=True)))

    def helper(self, model: str, tools: list[str]) -> Facts:
        asked = {**self.given(model, tools), "stream_options": {"include_usage": True}}
        with self.client.chat.completions.stream(**asked) as events:
            told = "".join(event.delta for event in events if event.type == "content.delta")
            made = events.current_completion_snapshot
        facts = chat.whole(_json(made))
        assert len(facts.answers) != 1 or told == facts.answers[0].text
        return facts


class Responses(Asker):
    """`openai`, Responses."""

    route = "responses"
    failures = Chat.failures

    def __init__(self, root: str, key: str) -> None:
        self.client = openai.OpenAI(base_url=f"{root}/v1", api_key=key, max_retries=0)

    def ways(self, stream: bool) -> dict[str, Way]:
        return {"create": self.events, "stream": self.helper} if stream else {"create": self.whole}

    def given(self, model: str, tools: list[str]) -> Any:
        made = [{"type": "function", "name": name, "parameters": OPEN, "strict": False} for name in tools]
        return {"model": model, "input": "Hello", **({"tools": made} if made else {})}

    def whole(self, model: str, tools: list[str]) -> Facts:
        return self._read(self.client.responses.create(**self.given(model, tools)))

    def events(self, model: str, tools: list[str]) -> Facts:
        made = list(self.client.responses.create(**self.given(model, tools), stream=True))
        return responses.stream(_events(made))

    def helper(self, model: str, tools: list[str]) -> Facts:
        with self.client.responses.stream(**self.given(model, tools)) as events:
            seen: list[Any] = list(events)
        if seen[-1].type == "error":
            return Facts(failed=True)
        told = "".join(event.delta for event in seen if event.type == "response.output_text.delta")
        facts = self._read(seen[-1].response)
        assert told == facts.answers[0].text, "the deltas are the text"
        return facts

    def _read(self, made: Any) -> Facts:
        facts = responses.whole(_json(made))
        assert made.output_text == facts.answers[0].text
        return facts


class Messages(Asker):
    """`anthropic`."""

    route = "messages"
    failures = (*Asker.failures, anthropic.APIError)

    def __init__(self, root: str, key: str) -> None:
        self.client = anthropic.Anthropic(base_url=root, api_key=key, max_retries=0)

    def ways(self, stream: bool) -> dict[str, Way]:
        return {"create": self.events, "stream": self.helper} if stream else {"create": self.whole}

    def given(self, model: str, tools: list[str]) -> Any:
        made = [{"name": name, "input_schema": OPEN} for name in tools]
        return {"model": model, "max_tokens": 64, "messages": HELLO, **({"tools": made} if made else {})}

    def whole(self, model: str, tools: list[str]) -> Facts:
        return messages.whole(_json(self.client.messages.create(**self.given(model, tools))))

    def events(self, model: str, tools: list[str]) -> Facts:
        return messages.stream(_events(self.client.messages.create(**self.given(model, tools), stream=True)))

    def helper(self, model: str, tools: list[str]) -> Facts:
        with self.client.messages.stream(**self.given(model, tools)) as events:
            said = {"text": "", "thinking": ""}
            for event in events:
                if event.type in said:
                    said[event.type] += getattr(event, event.type)
            facts = messages.whole(_json(events.get_final_message()))
        assert said == {"text": facts.answers[0].text, "thinking": facts.answers[0].thinking}
        return facts


class Gemini(Asker):
    """`google-genai`."""

    route = "generate"
    failures = (*Asker.failures, errors.APIError)

    def __init__(self, root: str, key: str) -> None:
        options = types.HttpOptions(base_url=root, retry_options=types.HttpRetryOptions(attempts=1))
        self.client = genai.Client(api_key=key, http_options=options)

    def ways(self, stream: bool) -> dict[str, Way]:
        return {"generate_content_stream": self.chunks} if stream else {"generate_content": self.whole}

    def given(self, model: str, tools: list[str]) -> Any:
        made = [{"name": name, "parameters_json_schema": OPEN} for name in tools]
        config: Any = {"automatic_function_calling": {"disable": True}}
        if made:
            config["tools"] = [{"function_declarations": made}]
        return {"model": model, "contents": "Hello", "config": config}

    def whole(self, model: str, tools: list[str]) -> Facts:
        return self._read([self.client.models.generate_content(**self.given(model, tools))])

    def chunks(self, model: str, tools: list[str]) -> Facts:
        return self._read(list(self.client.models.generate_content_stream(**self.given(model, tools))))

    def _read(self, chunks: list[Any]) -> Facts:
        facts = generate.read([json.loads(_json(chunk)) for chunk in chunks])
        if len(facts.answers) == 1:
            calls = [call.name for chunk in chunks for call in chunk.function_calls or () if call.name]
            assert "".join(chunk.text or "" for chunk in chunks) == facts.answers[0].text
            assert calls == [name for name, _ in facts.answers[0].calls]
        return facts


ASKERS: dict[str, type[Asker]] = {one.route: one for one in (Chat, Responses, Messages, Gemini)}


def _json(made: Any) -> bytes:
    """What a client's object holds, under the wire's names."""
    value = made.model_dump_json(by_alias=True, exclude_none=True, warnings=False)
    return str(value).encode()


def _events(made: Any) -> bytes:
    """A client's events as a stream."""
    return b"".join(b"data: %b\n\n" % _json(event) for event in made)
