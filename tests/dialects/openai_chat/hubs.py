"""Hub requests of every shape, for hypothesis; in the canonical form that `core.chat` describes."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from encke.core.chat import (
    Audio,
    ChatRequest,
    Citation,
    File,
    Foreign,
    Format,
    Image,
    Message,
    Reasoning,
    Refusal,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)

words = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
names = st.from_regex("[a-z_]{1,8}", fullmatch=True)
cache = st.sampled_from([None, None, "5m", "1h"])
json_objects = st.dictionaries(names, st.integers() | words, max_size=2).map(lambda v: json.dumps(v).encode())
foreign = st.sampled_from(
    [
        Foreign("openai_chat", "video_url", b'{"type":"video_url","video_url":{"url":"https://x/y"}}'),
        Foreign("google_generate", "executableCode", b"{}"),
    ]
)
citations = st.builds(Citation, url=words, title=words, start=st.none() | st.integers(0, 5))
texts = st.builds(Text, words, cache, st.lists(citations, max_size=1).map(tuple))
plain = st.builds(Text, words, cache)
images = st.one_of(
    st.builds(Image, url=words.map(lambda w: "https://x/" + w), detail=st.sampled_from(["", "low"]), cache=cache),
    st.builds(Image, data=st.just("QUJD"), media_type=st.just("image/png"), cache=cache),
    st.builds(Image, file_id=names, origin=st.just("google_generate")),
)
files = st.one_of(
    st.builds(File, data=st.just("QUJD"), media_type=st.just("application/pdf"), name=names | st.just(""), cache=cache),
    st.builds(File, text=words, name=names | st.just(""), context=st.sampled_from(["", "c"]), citable=st.booleans()),
    st.builds(File, url=words.map(lambda w: "https://x/" + w)),
    st.builds(File, file_id=names, origin=st.sampled_from(["openai_chat", "anthropic_messages"])),
)
sounds = st.builds(Audio, st.just("QUJD"), st.sampled_from(["wav", "mp3"]))
signatures = st.sampled_from([("", ""), ("sig", "anthropic_messages"), ("sig", "google_generate")])
thoughts = st.builds(
    lambda text, signed, redacted: Thinking("" if redacted and signed[0] else text, signed[0], signed[1],
                                            redacted=bool(redacted and signed[0])),
    words, signatures, st.booleans(),
)  # fmt: skip


@st.composite
def calls(draw: Any, taken: list[str]) -> ToolCall:
    """A call with an id that no other has."""
    id = f"call_{len(taken)}"
    taken.append(id)
    signature, origin = draw(st.sampled_from([("", ""), ("sig", "google_generate")]))
    if draw(st.booleans()):
        return ToolCall(id, draw(names), draw(words), custom=True)
    return ToolCall(id, draw(names), draw(json_objects).decode(), signature=signature, origin=origin)


@st.composite
def conversations(draw: Any) -> tuple[Message, ...]:
    """Messages in an order that makes sense."""
    taken: list[str] = []
    made: list[Message] = []
    for role in draw(st.lists(st.sampled_from(["system", "developer", "user", "assistant"]), min_size=1, max_size=5)):
        name = draw(st.sampled_from(["", "ann"]))
        if role in ("system", "developer"):
            made.append(Message(role, tuple(draw(st.lists(plain, max_size=2))), name))
        elif role == "user":
            parts = draw(st.lists(st.one_of(plain, images, files, sounds, foreign), max_size=3))
            made.append(Message(role, tuple(parts), name))
        else:
            said = draw(st.lists(texts, max_size=2))
            refused = [Refusal(draw(words))] if draw(st.booleans()) else []
            called = [draw(calls(taken)) for _ in range(draw(st.integers(0, 2)))]
            thought = draw(st.lists(thoughts, max_size=2))
            made.append(Message(role, (*thought, *said, *refused, *called), name))
            results = [
                ToolResult(
                    call.id,
                    tuple(draw(st.lists(plain, max_size=2))),
                    draw(st.sampled_from(["", call.name])),
                    error=draw(st.booleans()),
                    custom=call.custom,
                )
                for call in called
            ]
            if results:
                made.append(Message("tool", tuple(results)))
    return tuple(made)


tools = st.one_of(
    st.builds(Tool, names, words | st.just(""), st.just(b"") | json_objects, st.none() | st.booleans(), cache=cache),
    st.builds(Tool, names, words, custom=st.just(True), grammar=st.sampled_from([b"", b'{"type":"text"}'])),
    st.just(Foreign("anthropic_messages", "web_search_20250305", b"{}")),
)


@st.composite
def requests(draw: Any) -> ChatRequest:
    """A request with anything in it."""
    given = tuple(draw(st.lists(tools, max_size=3, unique_by=lambda tool: getattr(tool, "name", ""))))
    known = [tool.name for tool in given if isinstance(tool, Tool)]
    choices: list[Any] = [None, ToolChoice("auto"), ToolChoice("none"), ToolChoice("required")]
    if known:
        choices += [ToolChoice("function", (known[0],)), ToolChoice("auto", tuple(known))]
        choices += [ToolChoice("required", tuple(known))]
    formats = st.builds(
        Format, st.just("json_schema"), json_objects, names | st.just(""), st.just(""), st.none() | st.booleans()
    )
    efforts = st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"])
    return ChatRequest(
        model="m",
        messages=draw(conversations()),
        tools=given,
        tool_choice=draw(st.sampled_from(choices)),
        parallel_tools=draw(st.none() | st.booleans()),
        format=draw(st.none() | st.just(Format("json_object")) | formats),
        reasoning=draw(st.none() | st.builds(Reasoning, efforts)),
        max_tokens=draw(st.none() | st.integers(1, 1 << 20)),
        temperature=draw(st.none() | st.floats(0, 2)),
        top_p=draw(st.none() | st.floats(0, 1)),
        top_k=draw(st.none() | st.integers(1, 100)),
        stop=tuple(draw(st.lists(words, max_size=3))),
        n=draw(st.none() | st.integers(1, 8)),
        seed=draw(st.none() | st.integers(-(1 << 60), 1 << 60)),
        presence_penalty=draw(st.none() | st.floats(-2, 2)),
        frequency_penalty=draw(st.none() | st.floats(-2, 2)),
        logprobs=draw(st.none() | st.booleans()),
        top_logprobs=draw(st.none() | st.integers(0, 20)),
        user=draw(st.just("") | words),
        stream=draw(st.booleans()),
        extra=draw(
            st.dictionaries(
                st.sampled_from(["metadata", "service_tier", "truncation", "openai_chat.min_p", "google_generate.x"]),
                json_objects,
                max_size=2,
            )
        ),
    )
