"""CometAPI's own Python client, told where the gateway is by its environment variables alone."""

from __future__ import annotations

import asyncio

import cometapi
import openai
import pytest

from tests.clients.site import QUESTION, Site


@pytest.fixture
def at_home(site: Site, monkeypatch: pytest.MonkeyPatch) -> Site:
    """The variables an application of the hosted service has, with this gateway's values."""
    monkeypatch.setenv("COMETAPI_BASE_URL", site.base_url)
    monkeypatch.setenv("COMETAPI_KEY", site.key)
    return site


def test_a_whole_answer_and_a_stream(at_home: Site) -> None:
    """Not a word of the application changes."""
    with cometapi.CometAPI() as client:
        made = client.chat.completions.create(model=at_home.model, messages=QUESTION)
        assert at_home.is_answer(made.choices[0].message.content)
        stream = client.chat.completions.create(model=at_home.model, messages=QUESTION, stream=True)
        assert at_home.is_answer("".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices))
        raw = client.chat.completions.with_streaming_response
        with raw.create(model=at_home.model, messages=QUESTION, stream=True) as response:
            assert [line for line in response.iter_lines() if line][-1] == "data: [DONE]"
        assert "lab/fake" in [model.id for model in client.models.list()]


def test_the_asynchronous_client(at_home: Site) -> None:
    """The same without blocking."""

    async def ask() -> str | None:
        async with cometapi.AsyncCometAPI() as client:
            made = await client.chat.completions.create(model=at_home.model, messages=QUESTION)
            return made.choices[0].message.content

    assert at_home.is_answer(asyncio.run(ask()))


def test_an_error_can_be_looked_up(at_home: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong key raises the usual class, and the header that the service's tools look up holds our request id."""
    monkeypatch.setenv("COMETAPI_KEY", "sk-wrong")
    with cometapi.CometAPI() as client, pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(model=at_home.model, messages=QUESTION)
    headers = caught.value.response.headers
    assert caught.value.code == "invalid_api_key"
    assert headers["x-cometapi-request-id"] == headers["x-request-id"] == caught.value.request_id
