"""Every maker's Python client before recorded answers of every provider's wire: what the client's own objects hold is
what was recorded, whole and streamed, by every way that the client has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache

import pytest

from tests.clients.askers import ASKERS, Asker, Way
from tests.clients.replayed import Replay, replay
from tests.conftest import Count, Size
from tests.dialects.recorded import cases
from tests.dialects.recorded.agree import differences
from tests.dialects.recorded.cases import Case
from tests.dialects.recorded.reasons import reason
from tests.dialects.recorded.tally import Tally
from tests.dialects.recorded.test_replies import is_failure
from tests.dialects.wires.facts import Facts

pytestmark = [
    pytest.mark.recordings,
    # What google-genai says of words that its maker had not heard of either.
    pytest.mark.filterwarnings("ignore:.* is not a valid:UserWarning"),
]
Found = list[tuple[Case, Facts]]
# What an answer can hold. Requests are made here.
ANSWERED = frozenset((
    "tool_call", "parallel_tool_calls", "legacy_function_call", "server_tool", "reasoning", "redacted_thinking", "n>1",
    "citations", "refusal", "logprobs", "content_filter", "blocked_prompt", "cached_tokens", "mid_stream_error",
))  # fmt: skip
LONGEST = 12_000


@lru_cache(maxsize=1)
def answers() -> Found:
    """Every recorded answer to a chat, with what it says."""
    return list(cases.answers(1, Counter()))


def spread(found: Found) -> Found:
    """As few as show each provider, each end and each thing that an answer can hold on each wire."""
    seen: set[tuple[str, str]] = set()
    chosen = []
    for case, facts in found:
        held = (one for one in case.exchange.features if one in ANSWERED or one.startswith("stop:"))
        marks = {(case.op, mark) for mark in (case.exchange.provider, *held)}
        if not marks <= seen and len(case.exchange.body) < LONGEST:
            seen |= marks
            chosen.append((case, facts))
    return chosen


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """A gateway before the recordings."""
    with replay(tmp_path_factory.mktemp("recorded"), [case for case, _ in answers()]) as found:
        yield found


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("route", ASKERS)
def test_a_client_has_what_was_recorded(route: str, stream: bool, site: Replay, size: Size, count: Count) -> None:
    """Text, thoughts, refusals, tools with their arguments, the reason of the end, and usage; failures are raised."""
    found = [one for one in answers() if one[0].exchange.stream is stream]
    tally = Tally()
    with (
        closing(ASKERS[route](site.root, site.key)) as asker,
        closing(ASKERS[route](site.upstream, site.key)) as direct,
    ):
        for case, facts in found if size(0, soak=1) else spread(found):
            for name, way in asker.ways(stream).items():
                wrong = ask(asker, way, site.model(case), facts)
                control = direct.ways(stream)[name] if wrong and case.op == route else None
                same = control is not None and wrong == ask(direct, control, case.id, facts)
                note(tally, case, facts, route, name, wrong, "so it is without the gateway, too" if same else "")
    tally.check()
    why = {f"{aspect}, {reason}": number for (_, aspect, reason), number in tally.reasons.items()}
    kind = f"{'streamed' if stream else 'whole'}, for {ASKERS[route].__name__}"
    count(f"recorded answers, {kind}: {tally.line()} {why or ''}".rstrip())


def note(tally: Tally, case: Case, facts: Facts, route: str, way: str, wrong: dict[str, str], known: str) -> None:
    """What came of one question."""
    source = f"{case.exchange.provider} {case.exchange.api}"
    if not wrong:
        tally.note(source, route, way)
    for aspect, what in wrong.items():
        why = known or reason(case, route, aspect, facts)
        tally.note(source, route, aspect, f"{way}: {what}", case.name, why)


def ask(asker: Asker, way: Way, model: str, facts: Facts) -> dict[str, str]:
    """What is not as it was said, by aspect."""
    tools = sorted({name for answer in facts.answers for name, _ in answer.calls})
    try:
        told = way(model, tools)
    except asker.failures as error:
        return {} if is_failure(facts) else {"end": f"{type(error).__name__}: {error}"}
    except Exception as error:  # a client's own code did not get along with what it was given
        return {"client": f"{type(error).__name__}: {error}"}
    if is_failure(facts):
        return {} if told.failed else {"end": "a failure is told as an answer"}
    return differences(facts, told, asker.route)
