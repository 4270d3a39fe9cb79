"""Request bodies of the bench: ordinary chats of a wanted size, with the marker the mock upstream obeys (wire.h)."""

from __future__ import annotations

import json

SYSTEM = "You are the support assistant of an observatory shop. Answer briefly, in the language of the question."
TURNS = (
    ("user", "When is comet Encke next visible with a 10x50 binocular, and from which latitude?"),
    ("assistant", 'It is best seen in the weeks before perihelion, low in the evening.\nFind "Encke" in the chart.'),
    ("user", "Der Versand nach Österreich dauerte 3 Wochen – warum? Bestellung #4711, 2 × Okular à 49,90 €."),
    ("assistant", "Das tut mir leid. Die Sendung lag beim Zoll; laut Verfolgung wurde sie am Dienstag zugestellt."),
)
FILLER = {"role": "user", "content": ""}


def chat_body(model: str, size: int, **marker: int) -> bytes:
    """A chat completion request of `size` bytes (or the smallest possible, if larger); 900 is the least that fits all.

    `marker` may hold chunks, interval_us, burst and hold (whole numbers); with chunks the answer is a stream."""
    options = "".join(f" {name}={value}" for name, value in marker.items())
    last = {"role": "user", "content": f"And how long is its period? [bench token=00000000{options}]"}
    request: dict[str, object] = {"model": model, "temperature": 0.2, "max_completion_tokens": 256}
    if "chunks" in marker:
        request |= {"stream": True, "stream_options": {"include_usage": True}}
    messages: list[dict[str, str]] = [{"role": "system", "content": SYSTEM}]
    request["messages"] = messages
    for i in range(size):  # as many whole turns as fit
        role, content = TURNS[i % len(TURNS)]
        if len(_encode(request, [*messages, {"role": role, "content": content}, FILLER, last])) > size:
            break
        messages.append({"role": role, "content": content})
    missing = size - len(_encode(request, [*messages, FILLER, last]))
    messages.append(FILLER | {"content": ("encke " * size)[: max(missing, 0)]})
    return _encode(request, [*messages, last])


def _encode(request: dict[str, object], messages: list[dict[str, str]]) -> bytes:
    return json.dumps(request | {"messages": messages}, ensure_ascii=False, separators=(",", ":")).encode()
