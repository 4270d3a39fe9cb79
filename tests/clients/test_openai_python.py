"""OpenAI's own Python client, as it is, with nothing changed but base URL, key and model."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest
from pydantic import BaseModel

from encke.testing.faults import error
from encke.testing.polite import Answer, Options, polite
from encke.testing.request import Request
from encke.testing.script import Script
from tests.clients.site import QUESTION, Site


class City(BaseModel):
    """What is asked for with a JSON schema."""

    city: str
    inhabitants: int


@pytest.fixture
def client(site: Site) -> Iterator[openai.OpenAI]:
    """The client; it does not try again unless a test says so."""
    with openai.OpenAI(base_url=site.base_url, api_key=site.key, max_retries=0) as made:
        yield made


def behave(**options: Any) -> list[Any]:
    """Messages that tell the fake upstream what to do."""
    return [{"role": "user", "content": f"behave: {json.dumps(options)}"}]


def test_a_whole_answer(site: Site, client: openai.OpenAI) -> None:
    """The message, its usage, and the request id where the client looks for it."""
    made = client.chat.completions.create(model=site.model, messages=QUESTION)
    assert site.is_answer(made.choices[0].message.content)
    assert made.choices[0].finish_reason == "stop"
    assert made.usage is not None and made.usage.completion_tokens == 4
    assert made._request_id


def test_a_stream(site: Site, client: openai.OpenAI) -> None:
    """The pieces make up the message, and the usage comes last when it was asked for."""
    options: Any = {"include_usage": True}
    with client.chat.completions.create(
        model=site.model, messages=QUESTION, stream=True, stream_options=options
    ) as stream:
        chunks = list(stream)
    assert site.is_answer("".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices))
    assert chunks[-1].choices == [] and chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 4


def test_a_stream_ends_with_done(site: Site, client: openai.OpenAI) -> None:
    """On the wire the last line of a stream is `data: [DONE]`."""
    raw = client.chat.completions.with_streaming_response
    with raw.create(model=site.model, messages=QUESTION, stream=True) as response:
        lines = [line for line in response.iter_lines() if line]
    assert lines[-1] == "data: [DONE]"


def test_the_stream_helper(site: Site, client: openai.OpenAI) -> None:
    """The client's own accumulator gets through a stream and finds the same message."""
    with client.chat.completions.stream(model=site.model, messages=QUESTION) as stream:
        kinds = {event.type for event in stream}
        made = stream.get_final_completion()
    assert site.is_answer(made.choices[0].message.content)
    assert {"chunk", "content.delta", "content.done"} <= kinds


def test_many_at_once(site: Site) -> None:
    """The asynchronous client with twenty calls in flight, every second one streamed; each gets its own answer."""

    async def ask(client: openai.AsyncOpenAI, number: int) -> str:
        messages: Any = [{"role": "user", "content": f"token:n{number}"}]
        if number % 2:
            made = await client.chat.completions.create(model=site.model, messages=messages)
            return made.choices[0].message.content or ""
        stream = await client.chat.completions.create(model=site.model, messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])

    async def all_of_them() -> list[str]:
        async with openai.AsyncOpenAI(base_url=site.base_url, api_key=site.key, max_retries=0) as client:
            return await asyncio.gather(*(ask(client, number) for number in range(20)))

    assert asyncio.run(all_of_them()) == [f"token:n{n} n{n}.1 n{n}.2 n{n}.3" for n in range(20)]


def test_json_mode_reaches_the_provider(site: Site, client: openai.OpenAI) -> None:
    """`response_format` of the kind json_object arrives as it was sent."""
    client.chat.completions.create(model=site.model, messages=QUESTION, response_format={"type": "json_object"})
    assert site.last_body["response_format"] == {"type": "json_object"}


def test_a_schema_there_and_an_object_back(site: Site, client: openai.OpenAI) -> None:
    """`parse` sends the schema as it is and makes an object of the answer."""

    answer = Answer(Request("POST", "/", 1, []), Options(content='{"city": "Paris", "inhabitants": 2100000}', chunks=1))
    site.fake.queue(Script(polite(answer)))
    made = client.chat.completions.parse(model=site.model, messages=QUESTION, response_format=City)
    assert made.choices[0].message.parsed == City(city="Paris", inhabitants=2_100_000)
    sent = site.last_body["response_format"]
    assert sent["type"] == "json_schema" and sent["json_schema"]["strict"] is True
    assert sent["json_schema"]["schema"]["required"] == ["city", "inhabitants"]


def test_models(site: Site, client: openai.OpenAI) -> None:
    """The list holds provider models and aliases; a model is found by its id, a slash in it or not."""
    listed = [model.id for model in client.models.list()]
    assert {"lab/fake", "fast"} <= set(listed)
    for name in listed:
        assert client.models.retrieve(name).id == name
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("lab/no/such")
    assert caught.value.code == "model_not_found"


def test_an_alias(client: openai.OpenAI, site: Site) -> None:
    """A call by an alias is answered by its target."""
    assert site.is_answer(client.chat.completions.create(model="fast", messages=QUESTION).choices[0].message.content)
    assert site.last_body["model"] == "fake"


def test_a_wrong_key(site: Site) -> None:
    """A key that is none: AuthenticationError with OpenAI's own code."""
    client = openai.OpenAI(base_url=site.base_url, api_key="sk-wrong")
    with client, pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model=site.model, messages=QUESTION)
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id


def test_an_unknown_model(client: openai.OpenAI) -> None:
    """A model that nobody has: NotFoundError."""
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="no-such-model", messages=QUESTION)
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"


FAILURES: dict[str, tuple[type[openai.APIStatusError], int, str | None]] = {
    "400": (openai.BadRequestError, 400, None),
    "429_seconds": (openai.RateLimitError, 429, "upstream_rate_limited"),
    "401": (openai.InternalServerError, 502, "upstream_auth"),
    "503": (openai.InternalServerError, 503, "overloaded"),
    "garbage_200": (openai.InternalServerError, 502, "upstream_bad_response"),
    "reset_before_head": (openai.InternalServerError, 502, "upstream_reset"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", FAILURES)
def test_what_a_failing_provider_raises(client: openai.OpenAI, name: str, stream: bool) -> None:
    """Before the first content a provider's failure is an error of the right class, streamed or not."""
    kind, status, code = FAILURES[name]
    with pytest.raises(kind) as caught:
        client.chat.completions.create(model="lab/fake", messages=behave(name=name), stream=stream)
    assert caught.value.status_code == status
    assert code is None or caught.value.code == code


@pytest.mark.parametrize("name", ["fin_mid_stream", "reset_mid_stream", "error_in_stream"])
def test_a_stream_that_breaks_raises(client: openai.OpenAI, name: str) -> None:
    """After the first content the pieces that came are given out, then an APIError; never a quiet end."""
    said = []
    with (
        pytest.raises(openai.APIError),
        client.chat.completions.create(model="lab/fake", messages=behave(name=name), stream=True) as stream,
    ):
        for chunk in stream:
            said.append(chunk.choices[0].delta.content or "")
    assert "".join(said) == "Hello word.1"


def counted(site: Site, retries: int) -> tuple[openai.OpenAI, list[httpx.Request]]:
    """A client that tries again, and the requests that it really sends."""
    sent: list[httpx.Request] = []
    http = openai.DefaultHttpxClient(event_hooks={"request": [sent.append]})
    return openai.OpenAI(base_url=site.base_url, api_key=site.key, max_retries=retries, http_client=http), sent


def test_it_does_not_try_again_when_told_not_to(site: Site) -> None:
    """`x-should-retry: false` is obeyed: one request, though the status (502) is one that is usually tried again."""
    client, sent = counted(site, 2)
    with client, pytest.raises(openai.InternalServerError):
        client.chat.completions.create(model="lab/fake", messages=behave(name="401"))
    assert len(sent) == 1


def test_it_tries_again_when_that_helps(site: Site) -> None:
    """An overloaded provider is tried again by the client, and the second try succeeds."""
    client, sent = counted(site, 2)

    site.fake.queue(Script(error(503)(Answer(Request("POST", "/", 1, []), Options()))))
    with client:
        made = client.chat.completions.create(model="lab/fake", messages=QUESTION)
    assert site.is_answer(made.choices[0].message.content)
    assert len(sent) == 2


def test_a_client_that_waits_too_little(site: Site, client: openai.OpenAI) -> None:
    """The client's own timeout raises APITimeoutError, and the gateway goes on."""
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3).chat.completions.create(model="lab/fake", messages=behave(first_delay=5))
    assert site.is_answer(
        client.chat.completions.create(model=site.model, messages=QUESTION).choices[0].message.content
    )


def test_a_call_that_is_repeated(site: Site) -> None:
    """No Idempotency-Key is sent unasked. With one, a call that comes while the first runs is tried again by the client
    until the answer is there, whole or streamed; one with other words is told at once."""
    sent: list[httpx.Headers] = []
    hooks: Any = {"request": [lambda request: sent.append(request.headers)]}
    slow = behave(name="polite", chunks=10, interval=0.1, first_delay=0.8)
    with openai.OpenAI(
        base_url=site.base_url, api_key=site.key, max_retries=4, http_client=httpx.Client(event_hooks=hooks)
    ) as client:
        client.chat.completions.create(model=site.model, messages=QUESTION)
        assert "idempotency-key" not in sent[0]
        before = len(site.fake.statement.calls())
        for stream in (False, True):
            name: Any = {"Idempotency-Key": str(uuid.uuid4())}

            def ask(stream: bool = stream, name: Any = name) -> list[str]:
                made: Any = client.chat.completions.create(
                    model=site.model, messages=slow, stream=stream, extra_headers=name
                )
                return [chunk.model_dump_json() for chunk in made] if stream else [made.model_dump_json()]

            with ThreadPoolExecutor(3) as threads:
                answers = [made.result() for made in [threads.submit(ask) for _ in range(3)]]
            assert answers[0] == answers[1] == answers[2]
            tries = len(sent)
            with pytest.raises(openai.ConflictError) as caught:
                client.chat.completions.create(model=site.model, messages=QUESTION, extra_headers=name)
            assert caught.value.code == "idempotency_conflict" and len(sent) == tries + 1
        assert len(site.fake.statement.calls()) == before + 2
