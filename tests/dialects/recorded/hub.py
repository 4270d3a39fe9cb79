"""What the hub says of an answer, as facts: of a whole one, and of the deltas of a stream."""

from __future__ import annotations

from collections.abc import Iterable

from encke.core.chat import Audio, ChatReply, Citation, Image, Refusal, Text, Thinking, TokenLogprob, ToolCall
from encke.core.delta import (
    ARGUMENTS,
    CITATION,
    FINISH,
    LOGPROBS,
    MEDIA,
    REDACTED,
    REFUSAL,
    SIGNATURE,
    TEXT,
    THINKING,
    TOOL,
    Delta,
)
from encke.core.usage import Usage
from tests.dialects.wires.facts import Answer, Facts, json_of, label


def of_reply(reply: ChatReply) -> Facts:
    """A whole answer's."""
    facts = Facts(usage=_usage(reply.usage))
    for choice in reply.choices:
        answer = Answer(finish=choice.finish or "", logprobs=_likely(choice.logprobs))
        for part in choice.parts:
            match part:
                case Text():
                    answer.text += part.text
                    answer.cited |= _sources(part.citations)
                case Thinking():
                    answer.thinking += part.text
                case Refusal():
                    answer.refusal += part.text
                case ToolCall():
                    answer.calls.append((part.name, json_of(part.arguments)))
                case Image():
                    answer.media += 1
                case Audio():
                    answer.media += 1
                    answer.spoken += part.transcript
            answer.signed += bool(getattr(part, "signature", ""))
        facts.answers.append(answer)
    facts.whole = bool(facts.answers) and all(answer.finish for answer in facts.answers)
    return facts


def of_deltas(deltas: Iterable[Delta], usage: Usage | None) -> Facts:
    """A stream's."""
    facts = Facts(usage=_usage(usage))
    answers: dict[int, Answer] = {}
    calls: dict[tuple[int, int], list[str]] = {}
    for delta in deltas:
        answer = answers.setdefault(delta.choice, Answer())
        if delta.kind == TEXT:
            answer.text += delta.text
        elif delta.kind == THINKING:
            answer.thinking += delta.text
        elif delta.kind == REFUSAL:
            answer.refusal += delta.text
        elif delta.kind == TOOL:
            calls[delta.choice, delta.key] = [delta.name, ""]
        elif delta.kind == ARGUMENTS:
            calls[delta.choice, delta.key][1] += delta.text
        elif delta.kind == FINISH:
            answer.finish = answer.finish or delta.name
        elif delta.kind == LOGPROBS:
            answer.logprobs += _likely(delta.data)
        if delta.kind == MEDIA:
            answer.media += 1
            answer.spoken += getattr(delta.data, "transcript", "")
        if delta.kind == CITATION:
            answer.cited |= _sources((delta.data,))
        answer.signed += delta.kind in (SIGNATURE, REDACTED)
    for (choice, _), (name, arguments) in calls.items():
        answers[choice].calls.append((name, json_of(arguments)))
    facts.answers = [answers[index] for index in sorted(answers)]
    facts.whole = bool(facts.answers) and all(answer.finish for answer in facts.answers)
    return facts


def _sources(citations: Iterable[Citation]) -> set[str]:
    return {name for one in citations for name in label(one.url, one.title, one.quote)}


def _likely(tokens: Iterable[TokenLogprob]) -> list[tuple[str, float]]:
    return [(one.token, round(one.logprob, 4)) for one in tokens]


def _usage(usage: Usage | None) -> tuple[int, int] | None:
    return None if usage is None else (usage.total_input, usage.total_output)
