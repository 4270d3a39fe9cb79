"""What another has sealed is left out, and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from encke.core.chat import ChatRequest, Message, Text, Thinking, ToolCall
from encke.core.faults import Fault
from encke.dialects import seals
from encke.dialects.carrier import wrap
from encke.dialects.faults import parse_fault
from encke.dialects.google_generate.signature import SENTINEL, pack
from encke.dialects.seals import refused, unsealed
from encke.dialects.table import CLIENTS
from encke.dialects.typed import MOST_VALUES

CARRIER = wrap("openai_responses", "sealed", "rs_1")
GOOGLES = pack("openai_responses", "sealed", "rs_1")
OPENAI = "The encrypted content gAAA...DQ== could not be verified. Reason: Encrypted content could not be decrypted."


@pytest.mark.parametrize(
    ("status", "message", "code", "expected"),
    [
        (400, OPENAI, "invalid_encrypted_content", True),
        (400, "The encrypted content for item rs_1 could not be verified.", None, True),
        (400, "messages.1.content.0: Invalid `signature` in `thinking` block", None, True),
        (400, "messages.1.content.0: Invalid `data` in `redacted_thinking` block", None, True),
        (400, "Corrupted thought signature.", 400, True),
        (400, "Invalid thought_signature", 400, True),
        (400, "Function call is missing a thought_signature in functionCall parts.", 400, False),
        (400, "messages.0: all messages must have non-empty content", None, False),
        (422, "Corrupted thought signature.", None, False),
        (500, "Corrupted thought signature.", None, False),
        (400, "encrypted content " + "x " * 100_000, None, False),
    ],
)
def test_refused(status: int, message: str, code: object, expected: bool) -> None:
    """By the words that providers have for it, and nothing else that they refuse."""
    body = {"error": {"message": message, "type": "invalid_request_error", "code": code}}
    assert refused(parse_fault(status, json.dumps(body).encode())) is expected
    assert not refused(Fault("invalid_value", message))


def without(route: str, body: dict[str, Any], all_: bool) -> dict[str, Any] | None:
    """A request without seals."""
    usual: dict[str, Any] = {"model": "m", "stream": True}
    side = CLIENTS[route]
    request = side.read(json.dumps(usual | body).encode(), "m:streamGenerateContent?alt=sse", {})
    request.output_limit, request.fields = 7, b"x: y\r\n"
    found = side.without_seals(request, all_)
    if found is None:
        return None
    kept = (found.model, found.stream, found.form, found.include_usage, found.output_limit, found.fields)
    same = (request.model, request.stream, request.form, request.include_usage, 7, b"x: y\r\n")
    assert kept == same and json.loads(found.data) == {n: json.loads(bytes(raw)) for n, raw in found.body.items()}
    made: dict[str, Any] = json.loads(found.data)
    return made


def messages(*said: Any, **more: Any) -> dict[str, Any]:
    """A conversation with one answer."""
    user = {"role": "user", "content": "go on", "future": 1.5}
    return {"max_tokens": 5, "messages": [user, {"role": "assistant", "content": list(said)}, user], **more}


OWN = {"type": "thinking", "thinking": "hm", "signature": "EqQB"}
SEALED = {"type": "redacted_thinking", "data": "EmwK"}
OTHERS = [{"type": "thinking", "thinking": "hm", "signature": CARRIER}, {"type": "redacted_thinking", "data": CARRIER}]
HELLO = {"type": "text", "text": "encke. is a name", "cache_control": {"type": "ephemeral"}}


@pytest.mark.parametrize(
    ("said", "all_", "left"),
    [
        ((OWN, SEALED, HELLO), False, None),
        ((HELLO,), True, None),
        ((*OTHERS, OWN, HELLO), False, [OWN, HELLO]),
        ((*OTHERS, OWN, SEALED, HELLO), True, [HELLO]),
    ],
)
def test_messages(said: tuple[Any, ...], all_: bool, left: list[Any] | None) -> None:
    """Blocks of thoughts; all else is as it was."""
    found = without("messages", messages(*said), all_)
    assert (found and found["messages"]) == (left and messages(*left)["messages"])


def test_messages_of_which_nothing_is_left() -> None:
    """Are none."""
    found = without("messages", messages(*OTHERS), False)
    assert found is not None and [one["role"] for one in found["messages"]] == ["user", "user"]


USE = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "1"}, HELLO]}
USER = {"role": "user", "content": "go on"}


def answer(*content: Any) -> dict[str, Any]:
    """A message of a model."""
    return {"role": "assistant", "content": list(content)}


@pytest.mark.parametrize(
    ("turns", "kind", "stays"),
    [
        ([USER, answer(OTHERS[0], USE), RESULT], "enabled", False),
        ([USER, answer(OTHERS[0], USE), RESULT], "adaptive", True),
        ([USER, answer(OTHERS[0], USE), RESULT, USER], "enabled", False),
        ([USER, answer(OTHERS[1], USE), RESULT, answer(USE), RESULT], "enabled", False),
        ([USER, answer(OTHERS[0], USE)], "enabled", False),
        ([USER, answer(OTHERS[0], USE), RESULT, answer(HELLO), USER], "enabled", True),
        ([USER, answer(OTHERS[0], HELLO), USER, answer(OWN, USE), RESULT], "enabled", True),
        ([USER, answer(OTHERS[0], OWN, USE), RESULT], "enabled", True),
        ([USER, answer(OTHERS[0], HELLO), USER], "enabled", True),
        ([answer(OTHERS[0], USE), 7, {"content": [{"type": ["tool_result"]}]}], "enabled", True),
    ],
)
def test_a_budget_for_thinking(turns: list[Any], kind: str, stays: bool) -> None:
    """It goes with the thought that the answer which is to go on began with, and stays for all other turns."""
    found = without("messages", {"max_tokens": 5, "messages": turns, "thinking": {"type": kind}}, False)
    assert found is not None and ("thinking" in found) is stays


CLEAR = {"type": "clear_thinking_20251015", "keep": "all"}
USES = {"type": "clear_tool_uses_20250919"}


@pytest.mark.parametrize(
    ("managed", "left"),
    [
        ({"edits": [CLEAR]}, None),
        ({"edits": [CLEAR, USES]}, {"edits": [USES]}),
        ({"edits": [CLEAR], "future": 1}, {"future": 1}),
        ({"edits": [USES]}, {"edits": [USES]}),
        ({"edits": []}, {"edits": []}),
        ({"edits": [7]}, {"edits": [7]}),
        ({"edits": [{"type": ["x"]}, {}]}, {"edits": [{"type": ["x"]}, {}]}),
        ([], []),
        (None, None),
    ],
)
def test_what_clears_thoughts(managed: Any, left: Any) -> None:
    """It goes with the budget, since it is refused without; and only then."""
    body = {"max_tokens": 5, "thinking": {"type": "enabled"}, "context_management": managed}
    found = without("messages", {**body, "messages": [USER, answer(OTHERS[0], USE), RESULT]}, False)
    assert found is not None and "thinking" not in found and found.get("context_management") == left
    found = without("messages", {**body, "messages": [USER, answer(OTHERS[0], HELLO), USER]}, False)
    assert found is not None and found["thinking"] and found["context_management"] == managed


REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
FOREIGN = {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": CARRIER}
OPEN = {"type": "reasoning", "id": "rs_3", "summary": [{"type": "summary_text", "text": "hm"}]}
COMPACT = {"type": "compaction", "encrypted_content": "gAAA"}
CALL = {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}"}


@pytest.mark.parametrize(
    ("items", "all_", "left"),
    [
        ([REASONING, CALL], False, None),
        ([OPEN, CALL, COMPACT], True, None),
        ([REASONING, FOREIGN, OPEN, CALL], False, [REASONING, OPEN, {**CALL, "id": None}]),
        ([REASONING, FOREIGN, CALL, COMPACT], True, [{**CALL, "id": None}, COMPACT]),
    ],
)
def test_responses(items: list[Any], all_: bool, left: list[Any] | None) -> None:
    """Reasoning items with what is sealed; ids that bind others to them go too."""
    found = without("responses", {"input": items}, all_)
    expected = left and [{name: value for name, value in item.items() if value is not None} for item in left]
    assert (found and found["input"]) == expected


@pytest.mark.parametrize(
    ("parts", "all_", "left"),
    [
        ([{"text": "a", "thoughtSignature": "AAAA"}], False, None),
        ([{"functionCall": {"name": "f"}, "thoughtSignature": SENTINEL}], True, None),
        ([{"text": "hm", "thought": True, "thoughtSignature": GOOGLES}, {"text": "a", "thought_signature": "AAAA"}],
         False, [{"text": "a", "thought_signature": "AAAA"}]),
        ([{"text": "hm", "thought": True}, {"text": "a", "thoughtSignature": "AAAA"},
          {"functionCall": {"name": "f"}, "thoughtSignature": "AAAA"}],
         True, [{"text": "hm", "thought": True}, {"text": "a"},
                {"functionCall": {"name": "f"}, "thoughtSignature": SENTINEL}]),
        ([{"functionCall": {"name": "f"}, "thoughtSignature": "", "thought_signature": GOOGLES},
          {"text": "a", "thought_signature": GOOGLES, "thoughtSignature": "AAAA"}, {"thoughtSignature": GOOGLES}, {}],
         False, [{"functionCall": {"name": "f"}, "thoughtSignature": SENTINEL}, {"text": "a"}, {}]),
    ],
)  # fmt: skip
def test_generate(parts: list[Any], all_: bool, left: list[Any] | None) -> None:
    """Signatures; a call gets the one that Google documents for calls of others."""
    found = without("generate", {"contents": [{"role": "model", "parts": parts}]}, all_)
    assert (found and found["contents"][0]["parts"]) == left


def test_contents_of_which_nothing_is_left() -> None:
    """Are none: neither a part nor a content that held only what another has sealed."""
    user = {"role": "user", "parts": [{"text": "go on"}]}
    model = {"role": "model", "parts": [{"thoughtSignature": GOOGLES}, {"thought_signature": GOOGLES}]}
    found = without("generate", {"contents": [user, model, user]}, False)
    assert found is not None and found["contents"] == [user, user]


@pytest.mark.parametrize(
    "said",
    [
        "7", '"encke."', '[7,null,{"content":7},{"content":["encke."]}]', '[{"parts":[7]}]',
        '[{"type":["encke."],"content":[{"type":["x"]},{"type":{}}],"parts":[{"thought":[],"thoughtSignature":{}}]}]',
        '[{"content":"encke.","future":"\\ud800"}]', f"{'[' * 5000}{']' * 5000}",
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    ("route", "name"), [("messages", "messages"), ("responses", "input"), ("generate", "contents")]
)
def test_what_cannot_be_read_is_its_providers(route: str, name: str, said: str) -> None:
    """It will say what it thinks of it."""
    side = CLIENTS[route]
    data = b'{"model":"m","max_tokens":1,"messages":[],"input":[],"contents":[]}'
    request = side.read(data, "m:generateContent", {})
    request.body[name] = type(request.body[name])(said.encode())
    request.data = said.encode()
    assert side.without_seals(request, True) is None and side.without_seals(request, False) is None


@pytest.mark.parametrize(
    ("route", "body"),
    [
        ("messages", messages(*OTHERS, HELLO)),
        ("responses", {"input": [FOREIGN, CALL]}),
        ("generate", {"contents": [{"role": "model", "parts": [{"text": "a", "thoughtSignature": GOOGLES}]}]}),
    ],
)
def test_what_is_too_much_to_be_read(route: str, body: dict[str, Any]) -> None:
    """More values than what is translated may have: it goes as it is. Commas in a text are none."""
    assert without(route, {**body, "future": "," * (MOST_VALUES + 2)}, False) is not None
    much = {**body, "future": [0] * (MOST_VALUES + 2)}
    assert without(route, much, False) is None and without(route, much, True) is None


@pytest.mark.parametrize(
    ("route", "name", "word"),
    [("messages", "messages", "encke."), ("responses", "input", "encke."), ("generate", "contents", GOOGLES[:8])],
)
def test_who_talks_about_carriers(route: str, name: str, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is read in full for a word in a text: a carrier stands at its string's beginning."""
    read: list[Any] = []

    class Decoder:
        """Remembers what it was given."""

        def decode(self, raw: Any) -> Any:
            """Nothing is in it."""
            read.append(bytes(raw))
            return []

    monkeypatch.setattr(seals, "_any", Decoder())
    said = [{"role": "user", "content": f"see {word}dialects", "parts": [{"text": f"see {word}"}]}]
    assert without(route, {"max_tokens": 5, "messages": [], name: said}, False) is None and not read
    said[0]["content"] = f"{word}dialects"
    assert without(route, {"max_tokens": 5, "messages": [], name: said}, False) is None and len(read) == 1


def test_in_no_dialects_words() -> None:
    """Thoughts go, what was signed stays without its signature; a message of which nothing is left goes."""
    call = ToolCall("c", "f", "{}", signature="s", origin="google_generate")
    thought = Thinking("hm", "s", "anthropic_messages")
    said = (Message("user", (Text("hi"),)), Message("assistant", (thought, call)), Message("assistant", (thought,)))
    found = unsealed(ChatRequest(model="m", messages=(*said, Message("user", ()))))
    assert found is not None
    assert found.messages == (said[0], Message("assistant", (ToolCall("c", "f", "{}"),)), Message("user", ()))
    assert unsealed(found) is None
