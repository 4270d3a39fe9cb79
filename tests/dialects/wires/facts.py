"""What an answer says, whatever wire it came by."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Answer:
    """One choice. `calls` are names and arguments, these as JSON values (as text if they are none). `finish` is a word
    of `core.chat.Finish`, "" if none was told. `signed` counts opaque things to be kept, `spoken` is what a
    sound says. `cited` are the sources that are named, each by the first that is told of its address, its title and
    what is cited; `logprobs` are tokens, and how likely they were."""

    text: str = ""
    thinking: str = ""
    refusal: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    finish: str = ""
    media: int = 0
    spoken: str = ""
    signed: int = 0
    cited: set[str] = field(default_factory=set)
    logprobs: list[tuple[str, float]] = field(default_factory=list)


@dataclass
class Facts:
    """All of it. `usage` is tokens read and written. `whole`: it came to its own end; `failed`: it told of a
    failure."""

    answers: list[Answer] = field(default_factory=list)
    usage: tuple[int, int] | None = None
    whole: bool = True
    failed: bool = False


def json_of(text: Any) -> Any:
    """The value of arguments; none at all are an empty object."""
    if not isinstance(text, str):
        return text
    try:
        return json.loads(text) if text.strip() else {}
    except ValueError:
        return text


def events(body: bytes) -> list[Any]:
    """The JSON values of a stream's events, in order; "[DONE]" is its text. What is no JSON is left out."""
    text = body.decode("utf-8", "replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    found: list[Any] = []
    for part in text.split("\n\n"):
        lines = [line[5:].removeprefix(" ") for line in part.split("\n") if line.startswith("data:")]
        data = "\n".join(lines).strip()
        if data == "[DONE]":
            found.append(data)
        elif data:
            try:
                found.append(json.loads(data))
            except ValueError:
                continue
    return found


def json_lines(body: bytes) -> list[Any]:
    """The values of a stream of lines."""
    found = []
    for line in body.decode("utf-8", "replace").splitlines():
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


QUOTED = "“"  # before a source that has neither an address nor a name


def label(address: Any, name: Any, quote: Any = "") -> set[str]:
    """A source by the first that is told of it; none if nothing is."""
    told = str(address or name or (QUOTED + str(quote) if quote else ""))
    return {told} if told else set()


def likely(tokens: Any, token: str = "token", logprob: str = "logprob") -> list[tuple[str, float]]:
    """Tokens; what is not known of one is OpenAI's number for what is not likely at all."""
    found = [one for one in tokens or () if isinstance(one, dict)]
    numbers = [one.get(logprob) for one in found]
    return [
        (str(one.get(token) or ""), round(-9999.0 if number is None else float(number), 4))
        for one, number in zip(found, numbers, strict=True)
    ]


def count(value: Any) -> int:
    """A number of tokens that may be absent."""
    return value if isinstance(value, int) else 0
