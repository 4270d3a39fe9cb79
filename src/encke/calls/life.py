"""The life of a call. Each phase in order; each may end the call with a Fault.

    1  receive   `encke.http.server` reads the request, `encke.worker.routes` finds its route
    2  admit     its key is looked up in the snapshot (`encke.worker.admission`), before the body is read
    3  read      the top level of the body, as a map of raw values
    4  resolve   the model's name to targets
    5  hold      what it may cost is taken from the worker's leases, or asked of the keeper (`encke.calls.hold`)
    6  plan      the order in which to try the targets
    7  attempt   render for the target, connect
    8  open      journal that it goes out, send, wait for Content or for the whole answer
    9  relay     the stream's events, as they come
    10 settle    usage to an entry in the journal: once, always, before the client can see the end
    11 tell      one access line

Between 8 and 9 lies the point of no return: before Content the call may go to another target, after it never.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from encke.calls.allowed import check_model
from encke.calls.attempt import Attempt, StreamCare
from encke.calls.call import Call
from encke.calls.headers import cost_field
from encke.calls.hold import Purse
from encke.calls.relay import StreamRelay
from encke.calls.replies import HEADER, Once, Replies, name_of, through
from encke.calls.upstream import Target, Upstream
from encke.catalogue.catalogue import Catalogue, Model, TargetName
from encke.core.clock import monotonic
from encke.core.faults import Fault
from encke.core.money import dollars
from encke.core.redact import Redactor, without_keys
from encke.dialects.openai_chat.cost import cost_event, with_cost
from encke.dialects.openai_chat.parse import parse_request
from encke.http.drive import Signal, rest
from encke.http.headers import visible
from encke.http.server import ClientGone
from encke.ledger.entry import Entry, Status
from encke.ledger.journal import Journal
from encke.routing.plan import plan, remaining
from encke.routing.retry import STOP, RetryPolicy, Step, decide
from encke.telemetry.access import AccessLog
from encke.telemetry.crash import report
from encke.telemetry.line import AccessLine
from encke.telemetry.tally import Tally

# Callers choose the names of models, so what is remembered of them is bounded.
MAX_REMEMBERED: Final = 4096
OUR_CUTS: Final = (
    "budget_exceeded",
    "unavailable",
)  # of a stream that could not be paid on; no fault of the provider's


class Drained(Exception):
    """The gateway stops and the call's time of grace is over."""


class Unsynced(Fault):
    """What was settled could not be written to the disk, and nobody may see the end of it (`durability = "strict"`)."""

    def __init__(self) -> None:
        super().__init__(
            "unavailable",
            "The answer has come, but its record could not be written to the disk, without which it is not given out "
            '(store.durability = "strict"). The call was made, and what it cost is charged.',
            headers=(("x-should-retry", "false"),),
        )


@dataclass(slots=True)
class Desk:
    """What a call needs of its worker."""

    catalogue: Catalogue
    upstreams: Mapping[str, Upstream]
    journal: Journal
    access: AccessLog
    # Asks providers what they offer. For bare model ids that are not known yet.
    discover: Callable[[], Awaitable[None]]
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    tally: Tally = field(default_factory=Tally)
    care: StreamCare = field(default_factory=StreamCare)
    purse: Purse = field(default_factory=Purse)
    rng: random.Random = field(default_factory=random.Random)
    # Our credentials, which an upstream's error may quote.
    redactor: Redactor = field(default_factory=lambda: Redactor(()))
    # For calls with an Idempotency-Key; None: it is not heeded.
    replies: Replies | None = None
    # Strict durability: what has been settled so far is on the disk when the signal happens; it may fail with Unsynced.
    sync: Callable[[], Signal[None]] | None = None
    # By identity, since hashing a model costs more than all the rest; the model is kept so that its id stays its own.
    _targets: dict[int, tuple[list[Target], list[Target], Model]] = field(default_factory=dict)

    def targets_of(self, model: Model) -> tuple[list[Target], list[Target]]:
        """A model's targets and its fallback, ready to send to."""
        found = self._targets.get(id(model))
        if found is None:
            if len(self._targets) >= MAX_REMEMBERED:
                self._targets.clear()
            first = self._targets_named(model.targets)
            found = self._targets[id(model)] = (first, self._targets_named(model.fallback), model)
        return found[0], found[1]

    def _targets_named(self, names: tuple[TargetName, ...]) -> list[Target]:
        return [
            target
            for name in names
            for target in self.upstreams[name.provider].targets(name.model, name.weight, name.pricing)
        ]


async def live(desk: Desk, call: Call) -> None:
    """A call from its admission to its end."""
    tally = desk.tally
    tally.calls += 1
    try:
        read(desk, call)
        if HEADER in call.request.headers and desk.replies is not None:
            await answer_once(desk, call, desk.replies)
        else:
            await answer(desk, call)
    except Unsynced as unsynced:  # a name of its own: compiled, a name has one type
        call.fail(unsynced)
    except Fault as fault:
        if call.attempts == 0:
            note_refusal(desk, call, fault)
        call.outcome = call.outcome or "rejected"
        if call.attempts == 0 or desk.sync is None or await tried_to_sync(desk):
            call.fail(masked(desk, fault))
    except ClientGone:
        call.outcome = "client_closed"
        if call.attempts == 0:
            note_refusal(desk, call, None)
    except Drained:
        call.outcome = "rejected"
        note_refusal(desk, call, draining())
        call.fail(draining())
    except Exception as error:
        crash(desk, call, error)
    finally:
        tally.calls -= 1
        if call.hold is not None:
            desk.purse.end(call)
    tell(desk, call)


async def answer(desk: Desk, call: Call) -> None:
    """Phases 4 to 10, where routing plans before anything is held: targets without a price may drop out."""
    targets = await find_targets(desk, call)
    grant = call.grant
    if grant is not None and grant.limits:
        targets = await desk.purse.hold(call, targets)
    attempt = await open_answer(desk, call, targets)
    if attempt.relay is None:
        await answer_whole(desk, call, attempt)
        return
    desk.tally.streams += 1
    try:
        await relay_stream(desk, call, attempt)
    finally:
        desk.tally.streams -= 1


async def answer_once(desk: Desk, call: Call, replies: Replies) -> None:
    """The same under an Idempotency-Key: run, or answered from what was kept, which is no call to anybody."""
    grant, headers = call.grant, call.request.headers
    assert grant is not None
    once = Once(replies, call.id, name_of(grant, call.route, headers[HEADER]))
    kept = await once.begin(call.request.body, headers)
    if kept is not None:
        call.outcome = "replayed"
        call.replay(kept)
        return
    call.once = once
    problem: Exception | None = None
    try:
        await answer(desk, call)
    except Exception as error:
        problem = error  # compiled, an exception does not outlive an await in its own handler
    if problem is not None:
        # Before the caller is told: who tries again at once is not to find it still running.
        await once.fail()
        raise problem


def crash(desk: Desk, call: Call, error: Exception) -> None:
    """A fault of ours: it is told to the log, to the ledger and to the client, whose connection then ends."""
    report(error)
    fault = Fault("internal_error", "The gateway failed; this is its fault.")
    if call.attempts == 0:
        note_refusal(desk, call, fault)
    call.outcome = call.outcome or "failed"
    call.client.close_after_answer()
    call.fail(fault)


def read(desk: Desk, call: Call) -> None:
    """Phase 3."""
    parsed = parse_request(call.route, call.request.body)
    call.parsed = parsed
    call.asked = parsed.model
    wish = call.request.headers.get(b"x-encke-include-cost")
    if wish is not None:
        call.shows_cost = _flag(wish)
    if parsed.stream:
        call.next_keepalive = call.started + desk.care.early_keepalive


async def find_targets(desk: Desk, call: Call) -> list[Target]:
    """Phases 4 and 6."""
    catalogue = desk.catalogue
    model = catalogue.find(call.asked)
    if model is None:
        await desk.discover()
        model = catalogue.find(call.asked)
        if model is None:
            # Whoever mixes up two variables sends a key here; the log and the ledger would have it.
            call.asked = without_keys(call.asked)
    rules = call.grant.rules if call.grant is not None else ()
    if rules:
        check_model(catalogue, rules, call.asked, model)
    if model is None:
        model = catalogue.resolve(call.asked)
    first, fallback = desk.targets_of(model)
    route = call.route
    targets = plan(first, fallback, lambda target: route in target.heads and target.healthy, desk.rng)
    if not targets:
        raise _nothing_to_try(call, [*first, *fallback])
    return targets


async def open_answer(desk: Desk, call: Call, targets: list[Target]) -> Attempt:
    """Phases 7 and 8, as often as routing allows. Returns the attempt that has something to answer with."""
    began = monotonic()
    queue = list(targets)
    pause, fresh = 0.0, False
    refused: Fault | None = None
    while True:
        target = queue[0]
        until = began + target.upstream.patience.total
        attempt = Attempt(call, target, desk.journal, desk.care, until, desk.purse)
        try:
            if pause:
                await rest(pause)
            if call.attempts > 1 and call.hold is not None:
                await desk.purse.ensure(call, target.pricing.at(call.started_ms))
            await attempt.send(fresh=fresh)
            await attempt.opened
        except Fault as fault:
            attempt.abandon()
            others = remaining(queue, fault.code)
            # Once is enough for the end of an idle connection: the next was to be a fresh one.
            stale = attempt.reused and not fresh
            step = after(desk, attempt, fault, stale, bool(others), until - monotonic())
            pause, fresh = step.pause, step.fresh
            if step.verdict == "next":
                queue = others
            final = step.verdict == "stop"
            # What is sent again at once was never taken: its connection had ended before.
            status: Status = "failed" if step.fresh else failed_status(attempt, fault)
            if final:
                call.outcome = status
            attempt.settle(status, fault.code, final=final)
            if final:
                # A credential that is no good must not hide that another one only has to wait.
                if refused is not None and fault.code == "upstream_auth":
                    raise refused from None
                raise
            if fault.code != "upstream_auth":
                refused = fault
        except ClientGone:
            target.left()
            attempt.settle("client_closed", "", final=True)
            raise
        except Drained:
            target.left()
            call.outcome = "uncertain" if attempt.sent else "failed"
            attempt.settle("uncertain" if attempt.sent else "failed", "draining", final=True)
            raise draining() from None
        except BaseException:
            target.left()
            attempt.settle("uncertain" if attempt.sent else "failed", "internal_error", final=True)
            raise
        else:
            attempt.praise()
            return attempt


def after(desk: Desk, attempt: Attempt, fault: Fault, stale: bool, others: bool, left: float) -> Step:
    """Tell the breaker, and what follows a failed attempt.

    `stale`: its connection may have been closed while it lay idle; `others`: there are targets to try; `left`: seconds
    that the call may take.
    """
    step = decide(
        desk.policy,
        fault,
        attempt=attempt.number,
        sent=attempt.sent,
        reused=stale,
        answered=attempt.answered,
        others=others,
        left=left,
        luck=desk.rng.random(),
    )
    if step.fresh:
        attempt.target.left()  # an idle connection's end says nothing of the provider
        return step
    attempt.blame(fault)
    # Perhaps this failure was the one that opened its breaker.
    return step if step.verdict != "again" or attempt.target.healthy else STOP


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
        body = with_cost(body, shown_cost(attempt), call.usage)
    if call.once is not None:
        await settle_once(desk, call, attempt, call.once, body)
    else:
        call.outcome = "complete"
        attempt.settle("complete", "", final=True)
        if desk.sync is not None:
            await synced(desk.sync)
    desk.purse.learn(call)
    call.respond(200, attempt.content_type, body, cost_field(attempt.cost))


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
            tail = last_events(call, attempt, relay) + tail
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
            call.open_stream(relay.late(shown_cost(attempt), call.usage))
        raise end.fault


def shown_cost(attempt: Attempt) -> bytes:
    """What the call has cost, as JSON."""
    cost = attempt.cost
    return b"null" if cost is None else dollars(cost).encode()


def last_events(call: Call, attempt: Attempt, relay: StreamRelay) -> bytes:
    """The usage with its cost, as the provider told it at the end, or else in an event of its own."""
    cost = shown_cost(attempt)
    late = relay.late(cost, call.usage)
    return late or cost_event(call.id, call.started_ms // 1000, call.upstream_model, call.route, cost, call.usage)


def _flag(value: bytes) -> bool:
    word = value.strip().lower()
    if word not in (b"true", b"false"):
        shown = visible(value.decode("latin-1"), 40)
        raise Fault(
            "invalid_value",
            f"The header x-encke-include-cost is true or false, not {shown}.",
            param="x-encke-include-cost",
        )
    return word == b"true"


def masked(desk: Desk, fault: Fault) -> Fault:
    """The fault, without credentials of ours: an upstream that refuses one may quote it."""
    fault.message = desk.redactor.clean(fault.message)
    if fault.body is not None:
        fault.body = desk.redactor.clean_values(fault.body)
    return fault


def draining() -> Fault:
    """What is told when the time of grace is over."""
    return Fault("draining", "The gateway is being stopped or renewed, and the time that running calls get is over.")


def failed_status(attempt: Attempt, fault: Fault) -> Status:
    """How an attempt ended that came to nothing."""
    if not attempt.sent:
        return "failed"
    if attempt.http_status and attempt.http_status != 200:
        return "refused"
    if fault.code in ("upstream_timeout", "upstream_reset", "upstream_idle"):
        return "uncertain"
    return "failed"


def note_refusal(desk: Desk, call: Call, fault: Fault | None) -> None:
    """The entry of a call that made no attempt. If it cannot be written, the caller's error matters more."""
    grant = call.grant
    entry = Entry(
        call.id,
        0,
        grant.public_id if grant is not None else "",
        call.route,
        call.asked,
        "",
        "",
        "rejected" if fault is not None else "client_closed",
        fault.code if fault is not None else "",
        0,
        call.parsed is not None and call.parsed.stream,
        True,
        call.started_ms,
        0,
        0,
        int((monotonic() - call.started) * 1e6),
        client_request_id=call.client_request_id,
        project=grant.project if grant is not None else 1,
    )
    try:
        desk.journal.note(entry)
    except Fault:
        pass


def tell(desk: Desk, call: Call) -> None:
    """Phase 11."""
    parsed, seconds = call.parsed, monotonic() - call.started
    desk.tally.count(
        call.route,
        call.status,
        call.outcome,
        call.code,
        parsed is not None and parsed.stream,
        seconds,
        call.first_at - call.started if call.first_at else 0.0,
        call.attempts,
        call.client.bytes_sent,
    )
    access = desk.access
    if access.off:
        return
    request, client, usage, grant, parsed = call.request, call.client, call.usage, call.grant, call.parsed
    access.write(
        AccessLine(
            access.stamp.of(call.started_ms),
            call.id,
            client.peer,
            request.method,
            without_keys(request.path[:256]),  # a line fits into a pipe in one write
            call.status,
            int((monotonic() - call.started) * 1e6) / 1000,
            client.bytes_sent,
            grant.public_id if grant is not None else "",
            call.asked,
            call.provider,
            call.credential,
            call.upstream_model,
            call.attempts,
            parsed is not None and parsed.stream,
            int((call.first_at - call.started) * 1e6) / 1000 if call.first_at else 0,
            usage.total_input,
            usage.total_output,
            call.outcome,
            call.code,
            call.client_request_id,
            call.replayed,
            None if call.unpriced else dollars(call.cost) if call.attempts else "",
        )
    )


def _nothing_to_try(call: Call, targets: list[Target]) -> Fault:
    if not any(call.route in target.heads for target in targets):
        return Fault(
            "invalid_value",
            f"The model `{call.asked}` does not do {call.route}; no provider behind it has it.",
            param="model",
        )
    waits = [
        breaker.retry_after(monotonic())
        for target in targets
        if (breaker := target.upstream.breakers.get(target.model)) is not None
    ]
    return Fault(
        "overloaded",
        f"Every provider of `{call.asked}` has been failing; none is tried for a moment.",
        retry_after=max(min(waits, default=1.0), 1.0),
    )
