"""The same handler behind the gateway's own server and behind uvicorn gives the same answers.

`cases.jsonl` holds the requests, as bytes; `differences.toml` says which differences there are, and why. A difference
that is not explained fails, and so does an explanation that explains nothing.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import pytest

from encke.testing.upstream import FakeUpstream
from tests.conftest import Count
from tests.differential.exchange import Case, differences, play
from tests.differential.pair import Pair
from tests.support.gateway import KEY, lab
from tests.surface.upstream import behave

HERE = Path(__file__).parent
# Seconds without a byte after which a server is said to be silent. Ours never is: it must answer, however busy the
# machine; of the other it is a finding, which has to be waited for.
PATIENCE = {"ours": 20.0, "theirs": 4.0}


class Explanation(NamedTuple):
    """Which cases differ (patterns of names), in what (a field, and the two values where they are always the same)."""

    cases: tuple[str, ...]
    differ: dict[str, list[str]]
    why: str


def cases() -> list[Case]:
    """The requests."""
    read = [json.loads(line) for line in (HERE / "cases.jsonl").read_text("utf-8").splitlines()]
    return [Case(one["name"], one["raw"].replace("@KEY", KEY).encode("latin-1"), tuple(one["methods"])) for one in read]


def explanations() -> list[Explanation]:
    """The table."""
    table = tomllib.loads((HERE / "differences.toml").read_text("utf-8"))["difference"]
    return [Explanation(tuple(row["cases"]), row["differ"], row["why"]) for row in table]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Both servers, in front of a provider that answers every route."""
    with FakeUpstream(behave) as upstream:
        settings = {
            **lab(upstream.url),
            "server": {"cors_origins": ["https://app.example"]},
            "routing": {"retries": 0, "breaker": "off"},
            "log": {"access": "off"},
            "local": {"enabled": False},
        }
        with Pair(tmp_path_factory.mktemp("differential"), settings) as running:
            yield running


def test_the_same_handler_on_another_server_answers_the_same(pair: Pair, count: Count) -> None:
    """Status, code, headers, body and what becomes of the connection are the same, or the table says why not."""
    table = explanations()
    used: Counter[tuple[int, str]] = Counter()
    unexplained, same, explained = [], 0, 0
    for case in cases():
        ours, theirs = play(pair.ours, case, PATIENCE["ours"]), play(pair.theirs, case, PATIENCE["theirs"])
        assert ours.fate != "silent" and len(ours.answers) == len(case.methods), (case.name, ours)
        found = differences(ours, theirs)
        same += not found
        explained += bool(found)
        for field, values in found.items():
            rows = matching(table, case.name, field, values)
            used.update(rows)
            if not rows:
                unexplained.append(f"{case.name}: {field}: ours {values[0][:160]!r}, theirs {values[1][:160]!r}")
    assert not unexplained, f"{len(unexplained)} unexplained differences:\n" + "\n".join(unexplained)
    idle = [(*key, table[key[0]].why) for key in every(table) if not used[key]]
    assert not idle, f"explanations that explain nothing: {idle}"
    assert pair.open == 0
    count(f"differential: {same + explained} cases, {same} alike, {explained} with {len(table)} explained differences")


def matching(table: list[Explanation], name: str, field: str, values: tuple[str, str]) -> list[tuple[int, str]]:
    """What explains a difference: the row, and its pattern or field."""
    found: list[tuple[int, str]] = []
    for number, row in enumerate(table):
        patterns = [pattern for pattern in row.cases if fnmatchcase(name, pattern)]
        if patterns and field in row.differ and row.differ[field] in ([], list(values)):
            found += [*((number, pattern) for pattern in patterns), (number, field)]
    return found


def every(table: list[Explanation]) -> Iterator[tuple[int, str]]:
    """All that may explain something."""
    for number, row in enumerate(table):
        yield from ((number, key) for key in (*row.cases, *row.differ))


def test_the_corpus_is_large_and_its_names_are_its_own() -> None:
    """150 cases and more, none twice."""
    names = [case.name for case in cases()]
    assert len(names) >= 150 and len(set(names)) == len(names)
