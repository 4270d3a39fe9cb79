"""Hypothesis makes requests, answers and streams in the hub's canonical form (`core/chat.py`)."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from encke.core.chat import (
    Audio,
    CacheTtl,
    ChatReply,
    ChatRequest,
    Choice,
    Citation,
    File,
    Format,
    Image,
    Message,
    Part,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    CLOSE,
    FINISH,
    REDACTED,
    REFUSAL,
    SIGNATURE,
    START,
    TEXT,
    THINKING,
    TOOL,
    Delta,
)
from encke.core.usage import Usage

ORIGINS = ("openai_responses", "anthropic_messages", "google_generate")
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=24)
words = st.from_regex(r"[a-z][a-z0-9_]{0,11}", fullmatch=True)
signatures = st.from_regex(r"[A-Za-z0-9+/]{4,20}", fullmatch=True).map(lambda s: s[: len(s) // 4 * 4])
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(words, values, max_size=4)
caches: st.SearchStrategy[CacheTtl | None] = st.sampled_from([None, "5m", "1h"])


def compact(value: Any) -> str:
    """JSON as a model writes it."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


said = st.builds(Text, texts, cache=caches)
images = st.builds(Image, data=st.just(PIXEL), media_type=st.just("image/png"), cache=caches) | st.builds(
    Image, url=words.map(lambda w: f"https://example.com/{w}.png"), detail=st.sampled_from(["", "low", "high", "auto"])
)
files = st.builds(File, data=st.just("JVBERi0xLjQK"), media_type=st.just("application/pdf"), name=words, cache=caches)
sounds = st.builds(Audio, data=st.just("UklGRg=="), format=st.sampled_from(["wav", "mp3"]))
thoughts = st.builds(Thinking, texts, signature=signatures, origin=st.sampled_from(ORIGINS)) | st.builds(
    Thinking, signature=signatures, origin=st.just("anthropic_messages"), redacted=st.just(True)
)


@st.composite
def conversations(draw: st.DrawFn) -> tuple[Message, ...]:
    """Instructions, then turns: what a user says, what an assistant answers with calls, what the tools gave."""
    messages = []
    if draw(st.booleans()):
        messages.append(Message(draw(st.sampled_from(["system", "developer"])), (draw(said),)))
    number = 0
    for _ in range(draw(st.integers(1, 3))):
        messages.append(Message("user", tuple(draw(st.lists(said | images | files | sounds, min_size=1, max_size=3)))))
        parts: list[Part] = [*draw(st.lists(thoughts, max_size=1)), *draw(st.lists(said, max_size=2))]
        calls = []
        for name in draw(st.lists(words, max_size=2)):
            number += 1
            calls.append(ToolCall(f"call_{number}", name, compact(draw(objects))))
        if parts or calls:
            messages.append(Message("assistant", (*parts, *calls)))
        if calls:
            given = st.lists(st.builds(Text, texts), min_size=1, max_size=2).map(tuple)
            results = [ToolResult(call.id, draw(given), name=call.name, error=draw(st.booleans())) for call in calls]
            messages.append(Message("tool", tuple(results)))
    if messages[-1].role == "assistant":
        messages.append(Message("user", (draw(said),)))
    return tuple(messages)


@st.composite
def requests(draw: st.DrawFn) -> ChatRequest:
    """A whole request."""
    names = draw(st.lists(words, max_size=3, unique=True))
    schema = compact({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"]}).encode()
    tools = tuple(
        Tool(name, draw(texts | st.just("")), schema, draw(st.none() | st.booleans()), cache=draw(caches))
        for name in names
    )
    choices = [ToolChoice("auto"), ToolChoice("none"), ToolChoice("required")]
    choices += [ToolChoice("function", (name,)) for name in names]
    efforts = st.sampled_from(["minimal", "low", "medium", "high"])
    return ChatRequest(
        model="asked-model",
        messages=draw(conversations()),
        tools=tools,
        tool_choice=draw(st.none() | st.sampled_from(choices)) if names else None,
        parallel_tools=draw(st.none() | st.booleans()) if names else None,
        format=draw(st.none() | st.just(Format("json_object")) | st.just(Format("json_schema", schema, "answer"))),
        reasoning=draw(
            st.none() | st.builds(Reasoning, effort=efforts) | st.just(Reasoning(budget=2048, enabled=True))
        ),
        max_tokens=draw(st.none() | st.integers(4096, 8192)),
        temperature=draw(st.none() | st.sampled_from([0.0, 0.5, 1.0])),
        top_p=draw(st.none() | st.sampled_from([0.5, 1.0])),
        top_k=draw(st.none() | st.integers(1, 40)),
        stop=tuple(draw(st.lists(words, max_size=2))),
        n=draw(st.none() | st.just(2)),
        seed=draw(st.none() | st.integers(0, 2**31 - 1)),
        presence_penalty=draw(st.none() | st.just(0.5)),
        frequency_penalty=draw(st.none() | st.just(0.5)),
        user=draw(st.just("") | words),
        stream=draw(st.booleans()),
    )


usages = st.builds(
    Usage,
    input=st.integers(0, 500),
    cache_read=st.integers(0, 500),
    cache_write_5m=st.integers(0, 50),
    output=st.integers(1, 500),
    reasoning=st.integers(0, 500),
)
citations = st.builds(Citation, url=st.just("https://example.com/"), title=texts, quote=texts)


@st.composite
def replies(draw: st.DrawFn) -> ChatReply:
    """A whole answer."""
    choices = []
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        parts: list[Part] = draw(st.lists(thoughts, max_size=1))
        parts += draw(st.lists(st.builds(Text, texts), max_size=2)) or draw(
            st.lists(st.builds(Refusal, texts), max_size=1)
        )
        calls = [
            ToolCall(f"call_{n}", name, compact(draw(objects)))
            for n, name in enumerate(draw(st.lists(words, max_size=2)))
        ]
        finish = "tool_calls" if calls else draw(st.sampled_from(["stop", "length", "content_filter"]))
        choices.append(Choice((*parts, *calls), finish, finish))  # type: ignore[arg-type]
    return ChatReply(
        choices=tuple(choices), id="up-1", model="up-model", created=1_760_000_000, usage=draw(st.none() | usages)
    )


@st.composite
def _block(draw: st.DrawFn, choice: int, key: int, kind: int) -> list[Delta]:
    """The deltas of one block, in their order."""
    deltas = []
    if kind == TOOL:
        deltas.append(Delta(TOOL, choice, key, id=f"call_{choice}_{key}", name=draw(words)))
        deltas += [Delta(ARGUMENTS, choice, key, text=piece) for piece in cut(draw, compact(draw(objects)))]
    elif kind == REDACTED:
        deltas.append(Delta(REDACTED, choice, key, text=draw(signatures), name="anthropic_messages"))
    else:
        deltas += [Delta(kind, choice, key, text=piece) for piece in cut(draw, draw(texts))]
    if kind == TEXT and draw(st.booleans()):
        deltas.append(Delta(CITATION, choice, key, data=draw(citations)))
    if kind == THINKING and draw(st.booleans()):
        origin = draw(st.sampled_from(ORIGINS))
        deltas.append(Delta(SIGNATURE, choice, key, text=draw(signatures), name=origin))
    if draw(st.booleans()):
        deltas.append(Delta(CLOSE, choice, key))
    return deltas


def cut(draw: st.DrawFn, text: str) -> list[str]:
    """A text in pieces."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=3)))
    return [text[a:b] for a, b in zip([0, *places], [*places, len(text)], strict=True) if a < b]


@st.composite
def streams(draw: st.DrawFn, choices: int = 1) -> list[Delta]:
    """A stream's deltas. Blocks come one after the other, but for tool calls: their pieces come in any turns."""
    whole = [Delta(START, id="up-1", name="up-model", data=1_760_000_000)] if draw(st.booleans()) else []
    for choice in range(choices):
        kinds = draw(st.lists(st.sampled_from([TEXT, TEXT, THINKING, REFUSAL, REDACTED]), max_size=3))
        for key, kind in enumerate(sorted(kinds, key=lambda kind: kind == REFUSAL)):
            whole += draw(_block(choice, key, kind))
        calls = [draw(_block(choice, 10 + n, TOOL)) for n in range(draw(st.integers(0, 3)))]
        turns = draw(st.permutations([n for n, call in enumerate(calls) for _ in call]))
        whole += [calls[n].pop(0) for n in turns]
        finish = "tool_calls" if calls else draw(st.sampled_from(["stop", "length", "content_filter"]))
        whole.append(Delta(FINISH, choice, name=finish, id=finish))
    return whole
