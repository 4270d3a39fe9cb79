"""The life of a call. Each phase in order; each may end the call with a Fault.

    1  receive   `encke.http.server` reads the request, `encke.worker.routes` finds its route
    2  admit     its key is looked up in the snapshot (`encke.worker.admission`), before the body is read
    3  read      the top level of the body, as a map of raw values
    4  resolve   the model's name to targets
    5  hold      what it may cost is taken from the worker's leases, or asked of the keeper (`encke.calls.hold`)
    6  plan      the order in which to try the targets
    7  attempt   render for the target, connect
    8  open      journal that it goes out, send, wait for Content or for the whole answer
    9  relay     the stream's events, as they come (`encke.calls.ending`)
    10 settle    usage to an entry in the journal: once, always, before the client can see the end
    11 tell      one access line (`encke.calls.telling`)

Between 8 and 9 lies the point of no return: before Content the call may go to another target, after it never.
"""

from __future__ import annotations

from typing import Final

from encke.calls.allowed import check_model, check_others, policy
from encke.calls.attempt import Attempt
from encke.calls.call import Call
from encke.calls.desk import Desk, Drained, Unsynced, draining
from encke.calls.ending import answer_count, answer_whole, relay_stream, tried_to_sync
from encke.calls.passing import asked_in_full
from encke.calls.replies import HEADER, Once, Replies, name_of
from encke.calls.telling import crash, masked, note_refusal, tell
from encke.calls.upstream import Target
from encke.core.clock import monotonic
from encke.core.faults import Fault
from encke.core.redact import without_keys
from encke.dialects.port import COUNT
from encke.dialects.service import asked_service
from encke.http.drive import rest
from encke.http.headers import visible
from encke.http.server import ClientGone
from encke.ledger.entry import Status
from encke.routing.plan import plan, remaining
from encke.routing.retry import STOP, Step, decide

# Once more to the same target, without what it could not open.
UNSEALED: Final = Step("again")


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
    if not targets:
        if grant is not None and grant.limits:
            await desk.purse.hold(call, targets)
        await answer_count(call)
        return
    if all(target.op(call.route) != call.side.native for target in targets):
        asked_in_full(call)  # what cannot be read at all needs no attempt
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
    kept = await once.begin(call.request.body, headers, call.place)
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


def read(desk: Desk, call: Call) -> None:
    """Phase 3."""
    request = call.request
    parsed = call.side.read(request.body, call.place, request.headers)
    call.parsed = parsed
    call.asked = parsed.model
    call.service = asked_service(parsed.body, call.side.service_fields)
    wish = request.headers.get(b"x-encke-include-cost")
    if wish is not None:
        call.shows_cost = _flag(wish) and call.side.cost_place is not None
    call.unsupported = policy(desk.on_unsupported, call.grant, request.headers.get(b"x-encke-unsupported"))
    if parsed.stream and not parsed.form:  # what is no stream of events has nothing that keeps it open
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
        if call.parsed is not None and any(one.models is not None for one in rules):
            check_others(call.side.others(call.parsed), True, False)
    if model is None:
        model = catalogue.resolve(call.asked)
    first, fallback = desk.targets_of(model)
    route = call.route
    targets = plan(first, fallback, lambda target: bool(target.op(route)) and target.healthy, desk.rng)
    if not targets and call.side.kind != COUNT:
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
                await desk.purse.ensure(call, target.pricing.most(call.service, call.started_ms))
            await attempt.send(fresh=fresh)
            await attempt.opened
        except Fault as fault:
            attempt.abandon()
            others = remaining(queue, fault.code)
            # Once is enough for the end of an idle connection: the next was to be a fresh one.
            stale = attempt.reused and not fresh
            left = until - monotonic()
            step = after(desk, attempt, fault, stale, bool(others), left)
            more = attempt.number <= desk.policy.retries and left > 0
            if step.verdict == "stop" and more and attempt.may_go_unsealed(fault):
                call.unsealed = True
                step = UNSEALED
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
                # Nor may what a fallback of another dialect cannot be asked, that the first one had failed.
                ours = not attempt.sent and fault.kind.owner == "caller"
                if refused is not None and (fault.code == "upstream_auth" or ours):
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


def failed_status(attempt: Attempt, fault: Fault) -> Status:
    """How an attempt ended that came to nothing."""
    if not attempt.sent:
        return "failed"
    if attempt.http_status and attempt.http_status != 200:
        return "refused"
    if fault.code in ("upstream_timeout", "upstream_reset", "upstream_idle"):
        return "uncertain"
    return "failed"


def _nothing_to_try(call: Call, targets: list[Target]) -> Fault:
    if not any(target.op(call.route) for target in targets):
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
