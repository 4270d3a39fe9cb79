"""Recorded answers and streams of this wire and of Mistral's, read into the hub: they say what the recording says.

The oracle is `told.py`, which reads the recordings by nothing of the gateway.
"""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from encke.core.chat import ChatReply, ChatRequest, Message, Reasoning, Text, Thinking, ToolCall
from encke.core.faults import Fault
from encke.core.traits import Traits
from encke.dialects.mistral_chat.provider import MistralChat
from encke.dialects.openai_chat.client import OpenAIClient
from encke.dialects.openai_chat.parse import parse_reply
from encke.dialects.openai_chat.provider import ChatProvider
from encke.dialects.openai_chat.stream import ChatTap
from tests.conftest import Count, Size
from tests.dialects.grammar.chat import check
from tests.dialects.openai_chat import told
from tests.dialects.openai_chat.gather import gather
from tests.support import recordings

ASKED = ChatRequest(model="m", messages=(Message("user", (Text("Hi"),)),))
SIDES = {"openai-chat": ChatProvider(), "mistral-chat": MistralChat()}
CLIENT = OpenAIClient("chat")
OPEN = Traits(extensions=("top_k", "cache_control", "reasoning_content", "file_url", "tool_images"))


def exchanges(api: str, every: int) -> Iterator[dict[str, Any]]:
    """One of `every` recorded exchanges that succeeded."""
    files = sorted(Path(recordings.folder(), "data").glob(f"*.{api}.jsonl.gz"))
    assert files
    at = 0
    for file in files:
        with gzip.open(file, "rt", encoding="utf-8", newline="\n") as lines:
            for line in lines:
                at += 1
                if at % every == 0:
                    found = json.loads(line)
                    if found["response"]["status"] == 200:
                        yield found


def of_whole(reply: ChatReply) -> list[told.Told]:
    """Choices as the oracle tells them."""
    return [
        told.Told(
            "".join(part.text for part in choice.parts if isinstance(part, Text)),
            "".join(part.text for part in choice.parts if isinstance(part, Thinking)),
            tuple((p.name, told.arguments(p.arguments)) for p in choice.parts if isinstance(p, ToolCall)),
            choice.finish,
        )
        for choice in reply.choices
    ]


@pytest.mark.parametrize("api", sorted(SIDES))
def test_whole_answers(api: str, size: Size, count: Count) -> None:
    """Text, thoughts, calls, why it ended, and usage as the tap of the same dialect reads it."""
    seen: Counter[str] = Counter()
    for one in exchanges(api, size(4, soak=1)):
        if one["stream"]:
            continue
        body = one["response"]["body"].encode()
        try:
            value = json.loads(body)
        except ValueError:
            continue
        if "error" in value or any("error" in choice for choice in value["choices"]):
            with pytest.raises(Fault):
                SIDES[api].read_reply(body, ASKED, "c")
            seen["errors"] += 1
            continue
        reply = SIDES[api].read_reply(body, ASKED, "c")
        assert isinstance(reply, ChatReply)
        assert of_whole(reply) == [told.whole(choice) for choice in value["choices"]], one["id"]
        assert reply.usage == parse_reply("chat", body).usage, one["id"]
        seen["answers"] += 1
    assert seen["answers"] > 50
    count(f"{api} into the hub: {dict(seen)}")


def _must_fail(body: str) -> bool:
    """Whether a stream tells of an error, or ends with neither a reason nor its end mark."""
    words: dict[int, bool] = {}
    for event in told.events(body):
        if event.get("error") or event.get("object") == "error":
            return True
        for choice in event.get("choices") or ():
            index = choice.get("index", 0)
            words[index] = words.get(index, False) or bool(choice.get("finish_reason"))
    marked = any(line.startswith("data:") and line[5:].strip().startswith("[DONE]") for line in body.splitlines())
    return not words or not (marked or all(words.values()))


@pytest.mark.parametrize("api", sorted(SIDES))
def test_streams_whole_cut_at_random_and_byte_by_byte(api: str, size: Size, count: Count) -> None:
    """However it is cut, the same comes out, and it is what the recording says."""
    seen: Counter[str] = Counter()
    dice = random.Random(5)
    for one in exchanges(api, size(4, soak=1)):
        if not one["stream"]:
            continue
        text = one["response"]["body"]
        body = text.encode()
        cuts = sorted(dice.randrange(len(body) + 1) for _ in range(20))
        ways: list[list[int]] = [[], cuts]
        if len(body) < size(4000, soak=40_000):
            ways.append(list(range(1, len(body))))
        for cut in ways:
            reader = SIDES[api].reader(ASKED, "c")
            found = gather(reader, body, cut)
            if _must_fail(text):
                assert reader.fault is not None or not (reader.ended or reader.finished), one["id"]
                seen["failures"] += 1
                continue
            assert reader.fault is None and (reader.finished or reader.ended), one["id"]
            # Without a reason, but with its end mark, a choice has ended for the calls that it made, or for a reason
            # that nobody has told.
            wanted = {
                index: each._replace(finish=each.finish or ("tool_calls" if each.calls else "other"))
                for index, each in told.streamed(text).items()
            }
            assert {index: found.told(index) for index in wanted} == wanted, one["id"]
            tap = ChatTap(True)
            for line in text.replace("\r\n", "\n").split("\n"):
                if line.startswith("data:"):
                    tap.feed(line[5:].strip().encode())
            assert found.usage == tap.usage, one["id"]
            seen["streams"] += 1
    assert seen["streams"] > 50
    count(f"{api} streams into the hub: {dict(seen)}")


@pytest.mark.parametrize("api", sorted(SIDES))
def test_streams_that_are_written_again_say_the_same(api: str, size: Size) -> None:
    """From the hub to a caller of this wire: the grammar holds, and the oracle reads the same again."""
    for one in exchanges(api, size(6, soak=1)):
        text = one["response"]["body"]
        if not one["stream"] or _must_fail(text):
            continue
        asked = b'{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}'
        writer = CLIENT.writer(CLIENT.read(asked, "", {}), "0192-7e", 7)
        reader = SIDES[api].reader(ASKED, "0192-7e")
        for delta in gather(reader, text.encode()).deltas:
            writer.feed(delta)
        writer.finish(reader.usage)
        data = b"".join(writer.out)
        book = check(data, usage=False)
        rules = book.rules - {"chat.call_json"}  # models write what is no JSON
        assert not rules, f"{one['id']}: {book}"
        wanted = told.streamed(text)
        again = told.streamed(data.decode())
        for index, choice in wanted.items():
            calls = tuple((name, arguments or "{}") for name, arguments in choice.calls)
            finish = "length" if choice.finish == "error" else choice.finish or ("tool_calls" if calls else "stop")
            assert again[index] == choice._replace(calls=calls, finish=finish), one["id"]


def test_requests_are_read_and_written_again(size: Size) -> None:
    """What callers sent is read without a Fault, unless the provider refused it too; written and read again it is the
    same but for what is named."""
    read = 0
    for one in exchanges("openai-chat", size(4, soak=1)):
        body = (one.get("request") or {}).get("body")
        if not isinstance(body, dict) or not body.get("model") or "messages" not in body:
            continue
        if any(message.get("content") is None and message["role"] == "user" for message in body["messages"]):
            continue  # a client's own dump, not what went over the wire
        request = CLIENT.read(json.dumps(body).encode(), "", {})
        hub = CLIENT.to_hub(request)
        assert isinstance(hub, ChatRequest)
        made = ChatProvider().render(hub, hub.model, OPEN)
        again = CLIENT.to_hub(CLIENT.read(made.body, "", {}))
        assert isinstance(again, ChatRequest)
        if not made.dropped:
            if hub.reasoning is not None and hub.reasoning != Reasoning(hub.reasoning.effort):  # told by a word alone
                again = msgspec.structs.replace(again, reasoning=hub.reasoning)
            assert again == hub, one["id"]
        read += 1
    assert read > 50
