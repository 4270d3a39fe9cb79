"""The tables of docs/compatibility.md, from `compatibility.json`, which tests write that play every recording:

pytest tests/dialects/recorded --soak --write-compatibility
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

DATA = Path(__file__).with_name("compatibility.json")
# Callers' dialects and providers' wires, as they are called in the page.
NAMES = {
    "chat": "Chat Completions",
    "responses": "Responses",
    "messages": "Messages",
    "generate": "Gemini",
    "array": "Gemini (array)",
    "mistral_chat": "Mistral",
    "cohere_chat": "Cohere",
    "ollama_chat": "Ollama",
}
_SAID = ("text", "reasoning", "refusal", "calls", "signed", "cited", "logprobs", "answers", "stop", "usage")
ANSWERS = (*_SAID, "failures")
STREAMS = ("grammar", "cuts", "end", *_SAID)
HEADS = {
    "calls": "tools",
    "answers": "`n`",
    "stop": "stop reason",
    "cuts": "any cuts",
    "refusal": "refusals",
    "signed": "signatures",
    "cited": "citations",
    "text": "text",
}
_NOTHING = "—"


def _data(part: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DATA.read_text("utf-8"))[part] if DATA.exists() else {}
    return found


def answers() -> str:
    """Whole answers: provider and wire, caller's dialect, feature."""
    return _table("replies", ANSWERS)


def streams() -> str:
    """Streams, likewise."""
    return _table("streams", STREAMS)


def requests() -> str:
    """Requests: from a caller's dialect to a provider's wire, feature by feature: kept, of how many."""
    cells: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for source, op, feature, kept, lost in _data("requests")["cells"]:
        if op != "hub" and feature != "requests":
            cells[source, op][feature] = _cell(kept, lost)
    features = sorted({feature for row in cells.values() for feature in row})
    pairs = sorted(cells, key=lambda pair: (list(NAMES).index(pair[0]), list(NAMES).index(pair[1])))
    head = ["", *(f"{NAMES[source]} → {NAMES[op]}" for source, op in pairs)]
    return _lines(head, [[name, *(cells[pair].get(name, _NOTHING) for pair in pairs)] for name in features])


def left_out() -> str:
    """What was named as left out, most of all first, by wire."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for op, _, name, count in _data("requests")["dropped"]:
        found[op][name] += count
    rows = []
    for op in sorted(found, key=list(NAMES).index):
        names = sorted(found[op].items(), key=lambda item: (-item[1], item[0]))
        rows.append([NAMES[op], ", ".join(f"`{name}` {count}" for name, count in names)])
    return _lines(["wire", "names, and how often"], rows)


def exceptions() -> str:
    """What differs, and why."""
    rows = []
    for part in ("replies", "streams", "requests"):
        for route, feature, why, count in _data(part)["reasons"]:
            rows.append([NAMES.get(route, "reading"), HEADS.get(feature, feature), str(count), why])
    return _lines(["caller's dialect", "what", "how often", "why"], rows)


def _table(part: str, features: tuple[str, ...]) -> str:
    cells: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for source, route, feature, passed, differ in _data(part)["cells"]:
        cells[source, route][feature] = _cell(passed, differ)
    rows = [
        [source, NAMES[route], *(cells[source, route].get(feature, _NOTHING) for feature in features)]
        for source, route in sorted(cells, key=lambda pair: (pair[0], list(NAMES).index(pair[1])))
    ]
    return _lines(["provider, wire", "caller", *(HEADS.get(name, name) for name in features)], rows)


def _cell(passed: int, differ: int) -> str:
    return f"{passed} of {passed + differ}" if differ else str(passed)


def _lines(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell for cell in line) + " |" for line in lines)
