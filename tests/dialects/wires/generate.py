"""Gemini's generateContent and streamGenerateContent."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.dialects.wires.facts import Answer, Facts, count, events, label, likely

_FILTERS = (
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION", "MODEL_ARMOR",
)  # fmt: skip
_BROKE = ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE", "TOO_MANY_TOOL_CALLS")
# Some ask for enums as numbers: google/ai/generativelanguage/v1beta, Candidate.FinishReason.
_NUMBERS = {1: "STOP", 2: "MAX_TOKENS", 3: "SAFETY", 4: "RECITATION", 5: "OTHER"}


def whole(body: bytes) -> Facts:
    """A response. Why it ended need not be told."""
    facts = read([json.loads(body)])
    facts.whole = (bool(facts.answers) or b'"promptFeedback"' in body) and not facts.failed
    return facts


def stream(body: bytes) -> Facts:
    """Events, or one array."""
    try:
        values = json.loads(body) if body.lstrip().startswith(b"[") else events(body)
    except ValueError:
        values = []
    return read(values)


def read(chunks: list[Any]) -> Facts:
    """Chunks, of which a whole answer has one."""
    facts = Facts(whole=False)
    found: dict[int, Answer] = {}
    blocked = False
    usage: dict[str, Any] = {}
    for chunk in chunks:
        if not isinstance(chunk, dict):
            continue
        if chunk.get("error"):
            facts.failed = True
            break
        feedback = chunk.get("promptFeedback") or {}
        blocked = blocked or bool(feedback.get("blockReason") or feedback.get("blockReasonMessage"))
        for candidate in chunk.get("candidates") or ():
            _add(found.setdefault(candidate.get("index", 0), Answer()), candidate)
        usage = chunk.get("usageMetadata") or usage  # each tells all of it
    facts.answers = [found[index] for index in sorted(found)]
    for answer in facts.answers:
        if answer.finish == "stop" and answer.calls:
            answer.finish = "tool_calls"
    if blocked and not found:
        facts.answers = [Answer(finish="content_filter")]
    facts.whole = not facts.failed and bool(facts.answers) and all(answer.finish for answer in facts.answers)
    if usage:
        read_, said = ("promptTokenCount", "toolUsePromptTokenCount"), ("candidatesTokenCount", "thoughtsTokenCount")
        written = sum(count(usage.get(n)) for n in said)
        # What the total has on top was read: some last chunks leave the prompt's count out.
        facts.usage = (
            max(sum(count(usage.get(n)) for n in read_), count(usage.get("totalTokenCount")) - written),
            written,
        )
    return facts


def _fill(arguments: dict[str, Any], piece: dict[str, Any]) -> None:
    """Put a piece of a call's arguments to its place ("$.operations[0].name"); texts go on where they were."""
    *way, last = [int(n) if n else name for name, n in re.findall(r"\.(\w+)|\[(\d+)\]", piece["jsonPath"])]
    place: Any = arguments
    for step, following in zip(way, [*way[1:], last], strict=True):
        place = _open(place, step, [] if isinstance(following, int) else {})
    value = next((piece[name] for name in ("stringValue", "numberValue", "boolValue") if name in piece), None)
    before = _open(place, last, "" if isinstance(value, str) else None)
    place[last] = before + value if isinstance(value, str) else value


def _open(place: Any, step: Any, empty: Any) -> Any:
    if isinstance(place, list):
        place += [empty] * (step + 1 - len(place))
    else:
        place.setdefault(step, empty)
    return place[step]


def _add(answer: Answer, candidate: dict[str, Any]) -> None:
    for part in (candidate.get("content") or {}).get("parts") or ():
        if part.get("thought"):
            answer.thinking += part.get("text") or ""
        else:
            answer.text += part.get("text") or ""
        if "functionCall" in part:
            call = part["functionCall"]
            if call.get("name"):
                answer.calls.append((call["name"], call.get("args") or {}))
            for piece in call.get("partialArgs") or ():
                _fill(answer.calls[-1][1], piece)
        answer.media += "inlineData" in part
        answer.signed += bool(part.get("thoughtSignature"))
    finish = candidate.get("finishReason")
    finish = _NUMBERS.get(finish, finish) if isinstance(finish, int) else finish
    if finish and finish != "FINISH_REASON_UNSPECIFIED":
        known = {"STOP": "stop", "MAX_TOKENS": "length"}
        known |= dict.fromkeys(_FILTERS, "content_filter") | dict.fromkeys(_BROKE, "error")
        answer.finish = known.get(finish, "other")
    answer.cited |= _grounded(candidate.get("groundingMetadata") or {})
    learnt = candidate.get("citationMetadata") or {}
    for one in learnt.get("citations") or learnt.get("citationSources") or ():
        answer.cited |= label(one.get("uri"), one.get("title"))
    answer.logprobs += likely((candidate.get("logprobsResult") or {}).get("chosenCandidates"), logprob="logProbability")


def _grounded(grounding: dict[str, Any]) -> set[str]:
    """The sources that something rests on; all, where it is not told what rests on which."""
    found: list[set[str]] = []
    for chunk in grounding.get("groundingChunks") or ():
        source: dict[str, Any] = next(
            (chunk[kind] for kind in ("web", "maps", "retrievedContext", "image") if chunk.get(kind)), {}
        )
        found.append(label(source.get("uri") or source.get("sourceUri"), source.get("title"), source.get("text")))
    supports = grounding.get("groundingSupports")
    used = [at for one in supports for at in one.get("groundingChunkIndices") or ()] if supports else range(len(found))
    return set().union(*(found[at] for at in used if at < len(found)))
