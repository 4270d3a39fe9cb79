"""Why an answer may differ in a caller's dialect. docs/compatibility.md shows each reason with how often it holds."""

from __future__ import annotations

from encke.core.faults import Fault
from tests.dialects.recorded.agree import NO_PLACE
from tests.dialects.recorded.cases import Case
from tests.dialects.wires.facts import QUOTED, Answer, Facts

# What a request is refused for when it is to be translated: code, field (its beginning), and why that is right.
REFUSED: tuple[tuple[str, str, str], ...] = (
    ("unsupported_parameter", "previous_response_id", "kept at the provider: only a provider of the same wire has it"),
    ("unsupported_parameter", "prompt", "kept at the provider: only a provider of the same wire has it"),
    ("unsupported_parameter", "conversation", "kept at the provider: only a provider of the same wire has it"),
    ("unsupported_parameter", "background", "runs on at the provider: only a provider of the same wire can do it"),
    ("unsupported_parameter", "input", "an item that only Responses can read: a compacted conversation"),
    ("invalid_value", "max_tokens", "0 in one client library's own notes of what it sent; OpenAI refuses it"),
    ("missing_required_parameter", "response_format", "Together's own form, which OpenAI refuses"),
)


_GOOGLES = (b'"toolCall"', b'"executableCode"')

# A provider's own words that are no JSON cannot become the object that these dialects have.
_OBJECTS = ("messages", "generate", "array", "hub")


def reason(case: Case, route: str, aspect: str, facts: Facts) -> str:
    """The reason, or "" if there is none."""
    if (route, aspect) in NO_PLACE:
        return NO_PLACE[route, aspect]
    broken = any(isinstance(value, str) for answer in facts.answers for _, value in answer.calls)
    if broken and route in _OBJECTS and aspect in ("grammar", "calls"):
        return "the model wrote arguments that are no JSON; they are passed on as they are"
    if aspect == "signed" and case.op == "generate":
        if route == "messages" and not any(answer.calls for answer in facts.answers):
            return "a turn of Anthropic's must not end with a thought, in which a text's signature would go back"
        if any(kind in case.exchange.body for kind in _GOOGLES):
            return "what Google's own tools did is told to nobody else, nor are the signatures of it"
    if aspect == "cited" and route == "responses" and any(_is_quoted(answer) for answer in facts.answers):
        return "a citation has an address or a name here, and neither was told: it stands there without"
    if case.op == "messages" and case.exchange.body.count(b"message_start") > 1:
        return "a recording of two answers in one stream"
    return ""


def _is_quoted(answer: Answer) -> bool:
    return any(name.startswith(QUOTED) for name in answer.cited)


def refusal(fault: Fault) -> str:
    """Why it is right that a request cannot be read, or "" if it is not known to be."""
    field = fault.param or ""
    return next((why for code, name, why in REFUSED if code == fault.code and field.startswith(name)), "")


# (wire, what stands in the difference that was found, why it is right): the same, said as the wire says it.
_SAID_SO: tuple[tuple[str, str, str], ...] = (
    ("generate", ".signature: ", "the signature of a thought without text stands on the part behind it"),
    ("generate", ".role'", "instructions in the middle go to the one place for instructions, and are named"),
    ("generate", ".arguments: ", "arguments that are no object are the one argument `input`"),
    ("messages", ".arguments: ", "arguments that are no object are the one argument `arguments`"),
    ("generate", ".format.kind: ", "a schema that says nothing asks for JSON only"),
    ("messages", ".format.schema: b'{}'", "a schema that says nothing asks for an object"),
    ("messages", ".id: ", "ids of calls have letters, digits, - and _ only"),
    ("messages", ".description: ", "the grammar of a custom tool goes into its description"),
    ("responses", ".name: ", "the tool's name of a result that has no call stands nowhere"),
    ("messages", ".tools: ", "tools that may not be called are left out, where only some may"),
    ("messages", ".parallel_tools: ", "all of the tools were left out, and named"),
    ("messages", ".stop: ", "stop sequences of white space are refused; they were left out, and named"),
    ("generate", ".parameters: ", "a custom tool is one with the argument `input`"),
    ("generate", ".parts: ", "a result is one object: its texts are joined"),
    ("generate", ".name: ", "a result must have a name: without its call it is the id"),
    ("generate", "('tool', ['ToolResult']), ('user', ['Text'])]", "a document that a tool gave follows as text"),
    ("chat", "('tool', ['ToolResult']), ('user', ['Text'])]", "a document that a tool gave follows as the user's text"),
)


def moved(op: str, problem: str) -> str:
    """Why a request may differ when it is read again."""
    return next((why for wire, mark, why in _SAID_SO if wire == op and mark in problem), "")
