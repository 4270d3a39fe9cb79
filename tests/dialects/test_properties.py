"""What holds for every request, answer and stream that the hub can hold, not only for those that were recorded."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from encke.core.chat import ChatReply, ChatRequest
from encke.core.delta import Delta
from encke.core.faults import Fault
from encke.core.traits import PLAIN
from encke.core.usage import Usage
from encke.dialects.table import CLIENTS, PROVIDERS
from tests.dialects import strategies
from tests.dialects.recorded import drive, hub
from tests.dialects.recorded.agree import differences
from tests.dialects.recorded.cases import MODEL, ROUTES, grammar, read_stream
from tests.dialects.recorded.losses import first_difference, stands_for, tidy, without
from tests.dialects.recorded.normal import normal

EXAMPLES = settings(
    max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
BOTH = [op for op in ROUTES if op in PROVIDERS]
SINGLE = ("responses", "messages")
BROKEN = Fault("upstream_reset", "The provider broke the connection.", verdict="again")


# Anthropic's and Google's wires say some things in another form (tests/dialects/recorded/normal.py): for these the
# recorded requests are the proof.
@pytest.mark.parametrize("op", ["chat", "responses"])
@EXAMPLES
@given(request=strategies.requests())
def test_a_request_is_read_as_it_was_written(op: str, request: ChatRequest) -> None:
    """Written for a provider and read again it is equal, or what is missing was listed, and is there to be missed."""
    rendered = PROVIDERS[op].render(request, MODEL, PLAIN)
    assert all(stands_for(request, name) for name in rendered.dropped), rendered.dropped
    assert len(set(rendered.dropped)) == len(rendered.dropped)
    side = CLIENTS[op]
    method = "streamGenerateContent" if request.stream else "generateContent"
    again = side.to_hub(side.read(rendered.body, f"{MODEL}:{method}" if op == "generate" else "", {}))
    assert isinstance(again, ChatRequest)
    expected = normal(op, tidy(without(replace(request, model=MODEL), rendered.dropped)), rendered.dropped)
    assert not first_difference(expected, normal(op, tidy(again), rendered.dropped)), rendered.dropped


@pytest.mark.parametrize("op", [op for op, side in PROVIDERS.items() if side.kind == "chat"])
@EXAMPLES
@given(request=strategies.requests())
def test_every_request_can_be_written(op: str, request: ChatRequest) -> None:
    """For every wire; what is dropped is named once, by a name that is there, and writing it again is the same."""
    rendered = PROVIDERS[op].render(request, MODEL, PLAIN)
    assert all(stands_for(request, name) for name in rendered.dropped), rendered.dropped
    assert len(set(rendered.dropped)) == len(rendered.dropped)
    assert PROVIDERS[op].render(request, MODEL, PLAIN).body == rendered.body


@pytest.mark.parametrize("route", ROUTES)
@EXAMPLES
@given(reply=strategies.replies())
def test_an_answer_says_what_the_hub_says(route: str, reply: ChatReply) -> None:
    """In every caller's dialect, read by hand."""
    told = ROUTES[route].whole(CLIENTS[route].render_reply(reply, drive.asked(route), drive.CALL_ID, drive.CREATED))
    assert not differences(hub.of_reply(reply), told, route)


@pytest.mark.parametrize("op", BOTH)
@EXAMPLES
@given(reply=strategies.replies())
def test_an_answer_is_read_as_it_was_written(op: str, reply: ChatReply) -> None:
    """By the provider's side of the same dialect: a gateway in front of a gateway."""
    side, request = CLIENTS[op], drive.asked(op)
    body = side.render_reply(reply, request, drive.CALL_ID, drive.CREATED)
    again = PROVIDERS[op].read_reply(body, side.to_hub(request), drive.CALL_ID)
    assert isinstance(again, ChatReply)
    assert not differences(hub.of_reply(reply), hub.of_reply(again), op)


@pytest.mark.parametrize("route", [*ROUTES, "array"])
@EXAMPLES
@given(data=st.data())
def test_every_stream_obeys_its_grammar(route: str, data: st.DataObject) -> None:
    """Whatever order upstream chose: the caller's grammar holds, and the facts are all there."""
    several = 1 if route in SINGLE else data.draw(st.sampled_from([1, 1, 2]))
    deltas, usage = data.draw(strategies.streams(several)), data.draw(st.none() | strategies.usages)
    out = written(route, deltas, usage)
    book = grammar(route, out)
    assert not book.breaches and book.end == "whole", str(book)
    assert not differences(hub.of_deltas(deltas, usage), read_stream(route, out), route), out


@pytest.mark.parametrize("route", [*ROUTES, "array"])
@EXAMPLES
@given(data=st.data())
def test_a_stream_that_breaks_obeys_its_grammar(route: str, data: st.DataObject) -> None:
    """Wherever upstream breaks off: the last word is the failure."""
    deltas = data.draw(strategies.streams())
    at = data.draw(st.integers(0, len(deltas) - 1))
    book = grammar(route, written(route, deltas[:at], None, fault=BROKEN))
    assert not book.breaches and book.end == "error", str(book)


def written(route: str, deltas: list[Delta], usage: Usage | None, fault: Fault | None = None) -> bytes:
    """What a caller gets."""
    request: Any = drive.asked(route, stream=True)
    writer = drive.side_of(route).writer(request, drive.CALL_ID, drive.CREATED)
    for delta in deltas:
        writer.feed(delta)
    if fault is None:
        writer.finish(usage)
        return b"".join(writer.out)
    sent = b"".join(writer.out)
    writer.out.clear()
    return sent + writer.break_off(fault, drive.CALL_ID)
