"""Phases 9 and 10: the answer on its way, and its entry, written before the client can see the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from encke.calls.attempt import Attempt
from encke.calls.call import Call
from encke.calls.desk import Desk, Drained, draining
from encke.calls.headers import cost_field
from encke.calls.passing import asked_in_full
from encke.calls.replies import Once, through
from encke.core.chat import ChatRequest, CountReply
from encke.core.faults import Fault
from encke.core.money import dollars
from encke.dialects.cost import DONE, cost_event
from encke.dialects.estimate import size_of
from encke.http.drive import Signal
from encke.http.server import ClientGone
from encke.ledger.settlement import estimate_tokens

# Of a stream that could not be paid on; no fault of the provider's.
OUR_CUTS: Final = ("budget_exceeded", "unavailable")


async def synced(sync: Callable[[], Signal[None]]) -> None:
    """Strict durability: wait for the disk before the client can see the end. Raises Unsynced, ClientGone."""
    try:
        await sync()
    except Drained:
        await sync()  # the answer is whole: it need not be taken away for a few milliseconds


async def tried_to_sync(desk: Desk) -> bool:
    """As `synced` before an error is told, which is told in any case; False when the client is gone."""
    try:
        if desk.sync is not None:
            await synced(desk.sync)
    except ClientGone:
        return False
    except (Drained, Fault):
        pass
    return True


async def answer_whole(desk: Desk, call: Call, attempt: Attempt) -> None:
    """Phase 10 for an answer that is no stream, then the answer."""
    body = attempt.body
    if call.shows_cost:
        attempt.reckon("complete", "")
        body = call.side.whole_with_cost(body, shown_cost(attempt), call.usage)
    if call.once is not None:
        await settle_once(desk, call, attempt, call.once, body)
    else:
        call.outcome = "complete"
        attempt.settle("complete", "", final=True)
        if desk.sync is not None:
            await synced(desk.sync)
    desk.purse.learn(call)
    call.respond(200, attempt.content_type, body, cost_field(attempt.cost))


async def answer_count(call: Call) -> None:
    """How many tokens a request has, for a model whose providers do not count, by its texts and what else is in it.
    Raises Fault for what cannot be read."""
    parsed = call.parsed
    assert parsed is not None
    hub = asked_in_full(call)
    assert isinstance(hub, ChatRequest)
    size = size_of(hub)
    if call.once is not None:
        await call.once.fail()  # what the same text gives again needs not be kept
    call.outcome = "complete"
    counted = CountReply(estimate_tokens(size.text) + size.tokens, estimated=True)
    body = call.side.render_reply(counted, parsed, call.id, call.started_ms // 1000)
    call.respond(200, "application/json", body, "x-encke-estimated: true\r\n")


async def settle_once(desk: Desk, call: Call, attempt: Attempt, once: Once, last: bytes) -> None:
    """Phase 10 of a whole answer under an Idempotency-Key. A caller who leaves now finds it the next time."""
    call.outcome = "complete"
    try:
        await once.keep(attempt.content_type, attempt.relay is not None, last)
    finally:
        attempt.settle("complete", "", final=True)
        once.settled = True
    if desk.sync is not None:
        await through(synced(desk.sync))
    await once.done()


async def relay_stream(desk: Desk, call: Call, attempt: Attempt) -> None:
    """Phases 9 and 10: what was held, then events as they come, then the entry, then the end."""
    relay = attempt.relay
    assert relay is not None
    client = call.client
    call.tap = relay.tap
    try:
        call.open_stream(relay.flow(client))
        call.forget_body()  # there is no second attempt after Content
        client.sink = attempt
        if client.is_paused:
            attempt.pause()
        end = await relay.ended
    except ClientGone:
        attempt.settle("client_closed", "", final=True)
        raise
    except Drained:
        attempt.settle("truncated", "draining", final=True)
        call.outcome = "truncated"
        raise draining() from None
    except BaseException:
        attempt.settle("truncated", "internal_error", final=True)
        raise
    if end.fault is None:
        tail = end.tail
        if call.shows_cost:
            attempt.reckon("complete", "")
            tail = last_events(call, attempt, relay.late + tail)
        if call.once is not None:
            await settle_once(desk, call, attempt, call.once, tail)
        else:
            call.outcome = "complete"
            attempt.settle("complete", "", final=True)
            if desk.sync is not None:
                await synced(desk.sync)
        client.end_stream(tail)
    else:
        call.outcome = "truncated"
        if end.fault.code not in OUR_CUTS:
            attempt.blame(end.fault)
        attempt.settle("truncated", end.fault.code, final=True)
        if call.shows_cost and await tried_to_sync(desk):
            call.open_stream(late_events(call, attempt, relay.late))
        raise end.fault


def shown_cost(attempt: Attempt) -> bytes:
    """What the call has cost, as JSON."""
    cost = attempt.cost
    return b"null" if cost is None else dollars(cost).encode()


def last_events(call: Call, attempt: Attempt, end: bytes) -> bytes:
    """The end of a stream with its cost: in the usage as the provider told it there, or else in an event of its own."""
    cost, parsed = shown_cost(attempt), call.parsed
    assert parsed is not None
    told = call.side.end_with_cost(end, parsed, cost, call.usage)
    place = call.side.cost_place
    if told is not None or place is None or not place.spare:
        return end if told is None else told
    own = cost_event(call.id, call.started_ms // 1000, call.upstream_model, call.route, cost, call.usage)
    return end[: -len(DONE)] + own + DONE if end.endswith(DONE) else own + end


def late_events(call: Call, attempt: Attempt, late: bytes) -> bytes:
    """What a stream that broke off had said of its usage, with the cost."""
    parsed = call.parsed
    assert parsed is not None
    told = call.side.end_with_cost(late, parsed, shown_cost(attempt), call.usage) if late else None
    return late if told is None else told
