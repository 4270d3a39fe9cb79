"""Every maker's Python client in front of every provider's wire: text, thoughts, tools, usage, errors, leaving."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.site import Site, behave
from tests.clients.talkers import TALKERS, Chat, Responses
from tests.clients.wires import WIRES

TEXT = "Hello word.1 word.2 word.3"
SIGNATURE = "c2lnbmVk"  # base64, as Gemini's are
CALLS = [{"name": "weather", "arguments": {"city": city}} for city in ("Rome", "Oslo")]
CALLED = [("weather", {"city": "Rome"}), ("weather", {"city": "Oslo"})]
SIGNED = ("responses", "messages", "gemini")  # wires that prove thoughts
UNCACHED = ("cohere", "ollama")  # whose usage tells nothing of a cache that has a price

pytestmark = pytest.mark.parametrize("wire", WIRES)
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


@pytest.fixture(scope="module", params=TALKERS)
def talker(request: pytest.FixtureRequest, many: Site) -> Chat:
    """A client."""
    return TALKERS[request.param](many.root, many.key)


@BOTH
def test_text_thoughts_and_usage(talker: Chat, many: Site, wire: str, stream: bool) -> None:
    """The same text, thoughts, reason and tokens, whatever is between."""
    prompt = behave(
        thinking="Hm.", signature=SIGNATURE, prompt_tokens=100, cached=40, completion_tokens=20, reasoning=5
    )
    said = talker.ask(f"{wire}/fake", talker.user(prompt), stream=stream)
    assert (said.text, said.thinking, said.finish) == (TEXT, "Hm.", talker.finishes["stop"])
    assert said.usage == (100, 0 if wire in UNCACHED else 40, 20)
    assert many.fake.statement.calls()[-1].stream is stream


@BOTH
def test_a_limit(talker: Chat, many: Site, wire: str, stream: bool) -> None:
    """An answer that was cut off says so."""
    said = talker.ask(f"{wire}/fake", talker.user(behave(chunks=50)), stream=stream, limit=30)
    assert said.finish == talker.finishes["length"] and said.text.endswith(" word.29")
    assert many.fake.statement.calls()[-1].max_tokens == 30


@BOTH
def test_tools_over_two_turns(talker: Chat, many: Site, wire: str, stream: bool) -> None:
    """Parallel calls, whose pieces come by turns; their results reach the provider, and its signature comes back."""
    prompt = behave(thinking="Hm.", signature=SIGNATURE, calls=CALLS, interleave=True)
    asked = talker.ask(f"{wire}/fake", talker.user(prompt), stream=stream, tools=True)
    assert asked.calls == CALLED and asked.finish == talker.finishes["tool_calls"]
    assert len(set(asked.ids)) == 2 or wire == "gemini"
    told = talker.ask(f"{wire}/fake", talker.results(asked, ["warm", "cold"]), stream=stream, tools=True)
    assert told.text.startswith("Told: ") and told.text.index("warm") < told.text.index("cold")
    sent = many.fake.statement.calls()[-1].body.decode()
    if wire in SIGNED:
        assert sent.count(SIGNATURE) == 2, "once in the prompt, once where it proves the thoughts"


@BOTH
def test_errors(talker: Chat, wire: str, stream: bool) -> None:
    """A provider's refusal has the client's own class, before the first word."""
    prompt = talker.user("Hi")
    for name, kind in {"fault-429": talker.limited, "fault-400": talker.bad, "fault-401": talker.failed}.items():
        with pytest.raises(kind):
            talker.ask(f"{wire}/{name}", prompt, stream=stream)


def test_a_stream_that_breaks(talker: Chat, wire: str) -> None:
    """After the first words an error is raised; never a quiet end."""
    for name in ("fault-error-in-stream", "fault-fin-mid-stream"):
        stream, _ = talker.open(f"{wire}/{name}", talker.user("Hi"))
        seen = []
        with pytest.raises(talker.broken):
            for event in stream:
                seen.append(event)
        assert "word.1" in repr(seen)
        assert type(talker) is not Responses or seen[-1].type in ("error", "response.failed")


def test_leaving(talker: Chat, many: Site, wire: str) -> None:
    """Who leaves a stream ends the provider's too."""
    prompt = behave(chunks=1000, interval=0.02, honour_max=False)
    before = len(many.fake.statement.outcomes())
    stream, leave = talker.open(f"{wire}/fake", talker.user(prompt))
    next(iter(stream))
    leave()
    many.fake.statement.wait_for(lambda told: len(told.outcomes()) > before)
    assert many.fake.statement.outcomes()[-1].ended == "peer_left"


def test_a_demanded_object(talker: Chat, many: Site, wire: str) -> None:
    """Structured output: the schema reaches the provider, natively or as a demanded tool, and the object comes back."""
    content = json.dumps({"city": "Rome"})
    made: Any = talker.parse(f"{wire}/fake", behave(content=content, chunks=1))
    assert made == "Rome"
    assert '"city"' in many.fake.statement.calls()[-1].body.decode().replace(json.dumps(content), "")
