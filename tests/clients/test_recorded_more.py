"""Every maker's Python client before recorded vectors, counts, refusals, and answers that are objects by schema."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import anthropic
import openai
import pytest
from google.genai import errors
from pydantic import BaseModel, ConfigDict

from encke.testing.replay import Exchange
from tests.clients.askers import ASKERS, Chat, Gemini, Messages, Responses
from tests.clients.replayed import Replay, replay
from tests.clients.test_recorded import answers
from tests.conftest import Count, Size
from tests.dialects.recorded.cases import APIS, Case
from tests.dialects.recorded.test_embeddings import APIS as EMBEDDING_APIS
from tests.dialects.recorded.test_embeddings import COUNTS, exchanges, op_of, same, vectors
from tests.dialects.recorded.test_errors import refusals
from tests.dialects.recorded.test_replies import is_failure
from tests.dialects.wires.facts import Facts
from tests.relay import oracle

pytestmark = pytest.mark.recordings
REFUSED = (openai.APIStatusError, anthropic.APIStatusError, errors.APIError)


class Anything(BaseModel):
    """An object of any form."""

    model_config = ConfigDict(extra="allow")


def embedded() -> list[Case]:
    """Answers with vectors that the clients can ask for: of Gemini's two operations theirs asks for a batch."""
    found = [Case(one, op_of(one)) for one in exchanges([*EMBEDDING_APIS, "google.embed"])]
    return [case for case in found if case.op != "embed_content"]


def refused(step: int) -> list[Case]:
    """Refusals of chats."""
    known = [Case(one, APIS[one.api][0]) for one in refusals() if one.api in APIS]
    return known[::step]


def objects(step: int) -> list[tuple[Case, Facts]]:
    """Whole answers whose text is a JSON object, and nothing else."""
    found = [(case, facts) for case, facts in answers() if not case.exchange.stream]
    return [one for one in found if not is_failure(one[1]) and _is_object(one[1])][::step]


def _is_object(facts: Facts) -> bool:
    answer = facts.answers[0]
    try:
        plain = len(facts.answers) == 1 and not answer.calls and answer.finish == "stop" and not answer.refusal
        return plain and isinstance(json.loads(answer.text), dict)
    except ValueError:
        return False


def counted() -> list[Case]:
    """Counts of tokens."""
    return [Case(one, COUNTS[one.api]) for one in exchanges(COUNTS)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, size: Size) -> Iterator[Replay]:
    """A gateway before them."""
    chats = [*refused(1), *(case for case, _ in objects(1))]
    with replay(tmp_path_factory.mktemp("more"), [*embedded(), *counted(), *chats]) as found:
        yield found


def test_vectors(site: Replay, count: Count) -> None:
    """The provider's numbers: `openai` asks for floats, or by itself for base64; `google-genai` for a batch."""
    seen: Counter[str] = Counter()
    with closing(Chat(site.root, site.key)) as ours, closing(Gemini(site.root, site.key)) as theirs:
        for case in embedded():
            expected = vectors(json.loads(case.exchange.body))
            if not all(map(math.isfinite, [number for vector in expected for number in vector])):
                continue  # base64 that the recording has cut off
            if not expected:
                continue  # nobody can ask for none
            texts = [f"text {at}" for at in range(len(expected))]
            given: Any = {"model": site.model(case), "input": texts}
            for more in ({}, {"encoding_format": "float"}):
                made = ours.client.embeddings.create(**given, **more)
                assert same(expected, vectors(made.model_dump(warnings=False))), (
                    case.name
                )  # native ones come as they were recorded
            told = theirs.client.models.embed_content(model=site.model(case), contents=texts)
            assert same(expected, [item.values for item in told.embeddings]), case.name
            seen[case.op] += 1
    assert len(seen) == 6
    count(f"recorded vectors, for openai and google-genai: {dict(seen)}")


def test_counts(site: Replay) -> None:
    """`anthropic` and `google-genai` are told what the provider has counted, whichever it is."""
    found = counted()
    assert len(found) > 20
    with closing(Messages(site.root, site.key)) as ours, closing(Gemini(site.root, site.key)) as theirs:
        for case in found:
            value, model = json.loads(case.exchange.body), site.model(case)
            expected = value.get("input_tokens", value.get("totalTokens"))
            turns: Any = [{"role": "user", "content": "Hello"}]
            assert ours.client.messages.count_tokens(model=model, messages=turns).input_tokens == expected
            assert theirs.client.models.count_tokens(model=model, contents="Hello").total_tokens == expected


@pytest.mark.parametrize("route", ASKERS)
def test_refusals(route: str, site: Replay, size: Size, count: Count) -> None:
    """Each is raised as an error of the client's own, with the status of the one table, before the first word."""
    seen: Counter[int] = Counter()
    with closing(ASKERS[route](site.root, site.key)) as asker:
        for case in refused(size(50, soak=1)):
            expected = oracle.expect(False, False, _status(case.exchange), case.exchange.body).status
            if route == "messages" and expected == 503:
                expected = 529  # Anthropic's own for no capacity
            for way in asker.ways(case.exchange.stream).values():
                with pytest.raises(REFUSED) as raised:
                    way(site.model(case), [])
                told: Any = raised.value
                status = told.code if isinstance(told, errors.APIError) else told.status_code
                assert status == expected and str(told), (case.name, status, expected)
                seen[status] += 1
    count(f"recorded refusals for {ASKERS[route].__name__}: {dict(seen)}")


def _status(one: Exchange) -> int:
    # 498 stands in no register: Groq has no capacity left, Cohere does not take the key.
    return {"groq": 503, "cohere": 401}[one.provider] if one.status == 498 else one.status


def test_parsed_objects(site: Replay, size: Size, count: Count) -> None:
    """`parse` of `openai` (both APIs) and of `anthropic`, and Gemini's schema: the recorded object, as one."""
    seen: Counter[str] = Counter()
    askers = [made(site.root, site.key) for made in (Chat, Responses, Messages, Gemini)]
    chat, responses, messages, gemini = (asker.client for asker in askers)
    hello: Any = [{"role": "user", "content": "Hello"}]
    schema = Anything.model_json_schema()
    config: Any = {"response_mime_type": "application/json", "response_json_schema": schema}
    for case, facts in objects(size(40, soak=1)):
        model, expected = site.model(case), json.loads(facts.answers[0].text)
        said = chat.chat.completions.parse(model=model, messages=hello, response_format=Anything)
        made: list[Any] = [
            said.choices[0].message.parsed,
            responses.responses.parse(model=model, input="Hello", text_format=Anything).output_parsed,
            messages.messages.parse(model=model, max_tokens=9, messages=hello, output_format=Anything).parsed_output,
        ]
        assert [one.model_dump() for one in made] == [expected] * 3, case.name
        assert gemini.models.generate_content(model=model, contents="Hello", config=config).parsed == expected
        seen[case.op] += 1
    for asker in askers:
        asker.close()
    assert seen.total() > 5
    count(f"recorded objects, parsed by four clients: {dict(seen)}")
