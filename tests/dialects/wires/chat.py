"""Chat completions, of OpenAI and of those who are like it (Mistral's content in parts, `reasoning` for thoughts)."""

from __future__ import annotations

import json
from typing import Any

from tests.dialects.wires.facts import Answer, Facts, events, json_of, label, likely
from tests.relay import oracle

FINISHES = {
    "stop": "stop",
    "length": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "error": "error",
}


_DETAILS = "reasoning_details"


def whole(body: bytes) -> Facts:
    """A chat.completion."""
    value = json.loads(body)
    facts = Facts(usage=oracle.usage(False, body))
    for choice in sorted(value["choices"], key=lambda c: c.get("index") or 0):
        facts.failed = facts.failed or bool(choice.get("error"))  # OpenRouter's way
        answer, calls = Answer(), dict[Any, list[str]]()
        message = choice.get("message") or {}
        _add(answer, message, calls)
        _add_call(calls, 0, {"function": message.get("function_call")})
        facts.answers.append(_made(answer, calls, choice.get("finish_reason"), choice))
        if not answer.cited and answer.text:
            answer.cited = _beside(value)
    return facts


def stream(body: bytes) -> Facts:
    """Chunks. It is whole if each choice has finished, or its end mark is there."""
    marked = False
    facts = Facts(usage=oracle.usage(True, body))
    found: dict[int, tuple[Answer, dict[Any, list[str]]]] = {}
    finishes: dict[int, str] = {}
    beside: set[str] = set()
    for event in events(body):
        if event == "[DONE]":
            marked = True
            break
        if not isinstance(event, dict):
            continue
        if event.get("error"):
            facts.failed = True
            break
        for choice in event.get("choices") or ():
            facts.failed = facts.failed or bool(choice.get("error"))
            index = choice.get("index") or 0
            answer, calls = found.setdefault(index, (Answer(), {}))
            delta = choice.get("delta") or {}
            _add(answer, delta, calls)
            _add_call(calls, 0, {"function": delta.get("function_call")})
            answer.logprobs += _logprobs(choice)
            beside |= _beside(event)
            if choice.get("finish_reason"):
                finishes.setdefault(index, choice["finish_reason"])
    for index in sorted(found):
        answer, calls = found[index]
        answer.cited = answer.cited or beside
        facts.answers.append(_made(answer, calls, finishes.get(index), {}))
    facts.whole = not facts.failed and bool(found) and (marked or found.keys() == finishes.keys())
    return facts


def _add(answer: Answer, message: dict[str, Any], calls: dict[Any, list[str]]) -> None:
    content = message.get("content")
    parts: list[dict[str, Any]] = content if isinstance(content, list) else [{"text": content or ""}]
    for part in parts:
        if isinstance(part.get("thinking"), list):
            answer.thinking += "".join(inner.get("text") or "" for inner in part["thinking"])
            answer.signed += bool(part.get("signature"))
        else:
            answer.text += part.get("text") or ""
    details = [one for one in message.get("reasoning_details") or () if isinstance(one, dict)]
    told = "".join(one.get("text") or one.get("summary") or "" for one in details)
    # Thoughts are told twice: as text, and in details, which here have the text only with its signature.
    said = message.get("reasoning_content") or message.get("reasoning") or ""
    answer.thinking += said
    calls.setdefault(_DETAILS, ["", "", ""])[1] += told
    answer.signed += sum(bool(one.get("signature") or one.get("data")) for one in details)
    answer.refusal += message.get("refusal") or ""
    if isinstance(message.get("audio"), dict):
        answer.media += "id" in message["audio"]
        answer.spoken += message["audio"].get("transcript") or ""
    answer.media += len(message.get("images") or ())
    for one in message.get("annotations") or ():
        told = one.get("url_citation") or one
        if told.get("url") is not None or told.get("title"):
            answer.cited |= label(told.get("url"), told.get("title"), told.get("content"))
    answer.signed += _is_signed(message)
    for place, call in enumerate(message.get("tool_calls") or ()):
        _add_call(calls, _key(call, place, calls), call)
        answer.signed += _is_signed(call)


def _is_signed(value: dict[str, Any]) -> bool:
    extra = value.get("extra_content") or {}
    return bool((extra.get("google") or {}).get("thought_signature"))


def _key(call: dict[str, Any], place: int, calls: dict[Any, list[str]]) -> Any:
    """Which call a piece is of: its index; where there is none, a new id begins a new one."""
    index = call.get("index")
    if isinstance(index, int) and index >= 0:
        # Some number all of their calls 0 and tell them apart by id.
        known = calls.get(index)
        if known and call.get("id") and known[2] and call["id"] != known[2]:
            return call["id"]
        return index
    return call.get("id") or place


def _add_call(calls: dict[Any, list[str]], key: Any, call: dict[str, Any]) -> None:
    kinds = (call.get("function"), call.get("custom"))
    inner = next((one for one in kinds if one and one.get("name")), call.get("function") or call.get("custom"))
    if not inner:
        return
    known = calls.setdefault(key, ["", "", call.get("id") or ""])
    known[0] = known[0] or inner.get("name") or ""
    said = inner.get("input", inner.get("arguments"))
    known[1] += said if isinstance(said, str) else "" if said is None else json.dumps(said)


def _made(answer: Answer, calls: dict[Any, list[str]], finish: Any, choice: dict[str, Any]) -> Answer:
    details = calls.pop(_DETAILS, ["", "", ""])[1]
    answer.thinking = answer.thinking or details
    answer.calls = [(name, json_of(arguments)) for name, arguments, _ in calls.values() if name]
    answer.finish = FINISHES.get(str(finish), "other") if finish else ""
    answer.logprobs += _logprobs(choice)
    return answer


def _logprobs(choice: dict[str, Any]) -> list[tuple[str, float]]:
    found = choice.get("logprobs")
    if not isinstance(found, dict):
        return []
    if found.get("tokens"):  # Together's
        numbers = found.get("token_logprobs") or ()
        return likely(
            [{"token": one, "logprob": number} for one, number in zip(found["tokens"], numbers, strict=False)]
        )
    return likely([*(found.get("content") or ()), *(found.get("refusal") or ())])


def _beside(value: dict[str, Any]) -> set[str]:
    """Perplexity's sources, which stand beside the choices."""
    if value.get("search_results"):
        return {one["url"] for one in value["search_results"] if one.get("url")}
    return {one for one in value.get("citations") or () if isinstance(one, str) and one}
