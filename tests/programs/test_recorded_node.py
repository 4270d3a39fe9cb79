"""The makers' packages for Node.js and the Vercel AI SDK before recorded answers of every wire: what their objects hold
is what was recorded."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.clients.replayed import Replay, replay
from tests.conftest import Count, Size
from tests.dialects.recorded import cases
from tests.dialects.recorded.agree import differences
from tests.dialects.recorded.cases import ROUTES, Case
from tests.dialects.recorded.reasons import reason
from tests.dialects.recorded.tally import Tally
from tests.dialects.recorded.test_replies import is_failure
from tests.dialects.wires import generate
from tests.dialects.wires.facts import Answer, Facts
from tests.support.node import NODE

pytestmark = [pytest.mark.recordings, pytest.mark.node]
# Each maker's package, by what it speaks; `chat-helper` is OpenAI's `stream()`.
FLAVOURS = [*ROUTES, "chat-helper", *(f"vercel-{route}" for route in ROUTES)]
# What is looked for on each wire, whole and streamed: as many answers as there are names, one with each.
WANTED = ("tool_call", "parallel_tool_calls", "reasoning", "citations", "plain")
# What the Vercel AI SDK calls ends, where it has a word of its own.
ENDS = {"tool-calls": "tool_calls", "content-filter": "content_filter", "unknown": ""}
# OpenAI's helper for Node.js keeps the last piece only of fields that it does not know; Vercel's package for OpenAI's
# chat completions does not know thoughts; what proves them, and citations, it has in forms of its own.
UNSAID = {"chat-helper": {"reasoning", "signed", "cited"}, "vercel-chat": {"reasoning"}}
VERCEL = {"signed", "cited", "logprobs", "refusal"}
LONGEST = 60_000


def answers(each: int) -> list[tuple[Case, Facts]]:
    """So many of each wire and kind that hold what is wanted; their arguments are objects, and they came to an end."""
    found: dict[tuple[object, ...], list[tuple[Case, Facts]]] = {}
    for case, facts in cases.answers(1, Counter()):
        objects = all(isinstance(value, dict) for answer in facts.answers for _, value in answer.calls)
        if is_failure(facts) or not objects or len(facts.answers) != 1 or len(case.exchange.body) > LONGEST:
            continue
        for feature in case.exchange.features.intersection(WANTED):
            found.setdefault((case.op, case.exchange.stream, feature), []).append((case, facts))
    chosen = {one[0].id: one for group in found.values() for one in group[:each]}
    return list(chosen.values())


@pytest.fixture(scope="module")
def chosen(size: Size) -> list[tuple[Case, Facts]]:
    """Which are asked for."""
    return answers(size(1, soak=25))


@pytest.fixture(scope="module")
def site(chosen: list[tuple[Case, Facts]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """A gateway before the recordings."""
    with replay(tmp_path_factory.mktemp("node"), [case for case, _ in chosen]) as found:
        yield found


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_package_has_what_was_recorded(
    flavour: str, chosen: list[tuple[Case, Facts]], site: Replay, packages: Path, tmp_path: Path, count: Count
) -> None:
    """Text, thoughts, tools with their arguments, the reason of the end, and usage, whole and streamed."""
    tally, route = Tally(), route_of(flavour)
    asked = [_question(flavour, site.root, site.key, site.model(case), case, facts) for case, facts in chosen]
    control = [_question(flavour, site.upstream, site.key, case.id, case, facts) for case, facts in chosen]
    native = [at for at, (case, _) in enumerate(chosen) if case.op == route]
    told = ask(packages, tmp_path, [*asked, *(control[at] for at in native)])
    without = dict(zip(native, told[len(asked) :], strict=True))
    for at, (case, facts) in enumerate(chosen):
        source, wrong = f"{case.exchange.provider} {case.exchange.api}", compare(flavour, facts, told[at])
        same = at in without and wrong == compare(flavour, facts, without[at])
        if not wrong:
            tally.note(source, flavour, "all")
        for aspect, what in wrong.items():
            why = "so it is without the gateway, too" if same else reason(case, route, aspect, facts)
            tally.note(source, flavour, aspect, what, case.name, why)
    tally.check()
    count(f"recorded answers for {flavour} (Node.js): {tally.line()} {dict(tally.reasons) or ''}".rstrip())


def _question(flavour: str, root: str, key: str, model: str, case: Case, facts: Facts) -> dict[str, Any]:
    tools = sorted({name for answer in facts.answers for name, _ in answer.calls})
    stream = case.exchange.stream
    return {"flavour": flavour, "root": root, "key": key, "model": model, "stream": stream, "tools": tools}


def ask(packages: Path, home: Path, asked: list[dict[str, Any]]) -> list[Any]:
    """What the script has to say."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    command = [str(NODE), "recorded.mjs"]
    given = json.dumps(asked)
    done = subprocess.run(command, cwd=packages, env=env, input=given, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    told: list[Any] = json.loads(done.stdout.splitlines()[-1])
    assert len(told) == len(asked)
    return told


def route_of(flavour: str) -> str:
    """What it speaks."""
    return flavour.removeprefix("vercel-").removesuffix("-helper")


def compare(flavour: str, facts: Facts, told: Any) -> dict[str, str]:
    """What is not as it was said, by aspect."""
    route = route_of(flavour)
    if isinstance(told, dict) and told.get("error") and "object" not in told:  # which is a response's own
        return {"client": told["error"]}
    unsaid = UNSAID.get(flavour, set()) | (VERCEL if flavour.startswith("vercel") else set())
    wrong = differences(facts, _read(flavour, route, told), route)
    return {aspect: what for aspect, what in wrong.items() if aspect not in unsaid}


def _read(flavour: str, route: str, told: Any) -> Facts:
    facts: Facts
    if flavour.startswith("vercel"):
        return _vercel(told)
    if route == "generate":
        return generate.read(told)
    if isinstance(told, list):
        facts = ROUTES[route].stream(b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in told))
    else:
        facts = ROUTES[route].whole(json.dumps(told).encode())
    return facts


def _vercel(told: dict[str, Any]) -> Facts:
    calls = [(name, value) for name, value in told["calls"]]
    finish = ENDS.get(told["finish"], told["finish"])
    read, written = (count or 0 for count in told["usage"])
    return Facts([Answer(told["text"], told["thinking"], "", calls, finish)], (read, written))
