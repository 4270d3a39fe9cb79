"""What a request asks for, in whichever of the known wires it is written: OpenAI's chat and Responses, Anthropic's
Messages, Gemini's generateContent, Cohere's and Ollama's chat. Wrong types are read as if nothing were there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import msgspec

_METHOD = re.compile(r"/models/(.+):(\w+)\Z")
_LIMITS = ("max_completion_tokens", "max_tokens", "max_output_tokens", "maxOutputTokens", "num_predict")
Body = dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """One message: who speaks, the text, and the results of tools in it."""

    role: str
    text: str
    results: tuple[str, ...] = ()


def model(path: str, body: Body) -> str | None:
    """The model's name, from the body, or from the path where Gemini has it."""
    found = _METHOD.search(path)
    given = unquote(found.group(1)) if found else body.get("model")
    return given if isinstance(given, str) else None


def stream(path: str, body: Body) -> bool:
    """Whether a stream is asked for. Ollama streams unless told not to; Gemini has a method of its own."""
    found = _METHOD.search(path)
    if found:
        return found.group(2) == "streamGenerateContent"
    return body.get("stream", path.endswith("/api/chat")) is True


def max_tokens(body: Body) -> int | None:
    """The caller's bound on output tokens, under whichever name."""
    for place in (body, _dict(body.get("generationConfig")), _dict(body.get("options"))):
        for name in _LIMITS:
            if isinstance(place.get(name), int):
                return int(place[name])
    return None


def turns(body: Body) -> list[Turn]:
    """The conversation."""
    given: Any = next((body[name] for name in ("messages", "input", "contents") if name in body), [])
    if isinstance(given, str):
        return [Turn("user", given)]
    return [_turn(one) for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def wanted(conversation: list[Turn]) -> tuple[str, list[str]]:
    """The user's last text, and what tools told since. A text beside results is a remark of the client's: then the
    request is the text before them that names a behaviour."""
    last, results = "", list[str]()
    for turn in conversation:
        if turn.results:
            results.extend(turn.results)
        elif turn.role == "user" and turn.text and not (results and "behave:" in last and "behave:" not in turn.text):
            last, results = turn.text, []
    return last, results


def tools(body: Body) -> list[str]:
    """The names of the functions that may be called."""
    return list(_tools(body.get("tools")))


def forced(body: Body) -> str | None:
    """The function that has to be called: the one that is named, or the first where any will do."""
    choice = body.get("tool_choice")
    config = _dict(_dict(body.get("toolConfig")).get("functionCallingConfig"))
    names = tools(body)
    if config.get("mode") == "ANY":
        allowed = config.get("allowedFunctionNames")
        names = [name for name in names if name in allowed] if isinstance(allowed, list) and allowed else names
    elif isinstance(choice, dict) and choice.get("type") in ("function", "tool"):
        named = choice.get("name") or _dict(choice.get("function")).get("name")
        names = [name for name in names if name == named]
    elif choice not in ("required", "any", "REQUIRED") and _dict(choice).get("type") != "any":
        return None
    return names[0] if names else None


def _turn(one: Body) -> Turn:
    if one.get("type") == "function_call_output":
        return Turn("tool", "", (_text(one.get("output")),))
    content = one.get("content", one.get("parts"))
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    if one.get("role") == "tool":
        return Turn("tool", "", (_text(content),))
    results = [_text(part.get("content")) for part in parts if part.get("type") == "tool_result"]
    results += [
        _json(part["functionResponse"].get("response")) for part in parts if _dict(part.get("functionResponse"))
    ]
    return Turn(str(one.get("role", "user")), _text(content), tuple(results))


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    # Cohere's results of tools are documents.
    return "".join(str(part.get("text") or _dict(part.get("document")).get("data") or "") for part in parts)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _tools(given: object) -> Iterator[str]:
    for tool in given if isinstance(given, list) else []:
        one = _dict(tool)
        yield from _tools(one.get("functionDeclarations"))
        name = _dict(one.get("function")).get("name") or one.get("name")
        if isinstance(name, str):
            yield name


def _dict(value: object) -> Body:
    return value if isinstance(value, dict) else {}
