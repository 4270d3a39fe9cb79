"""Phase 11 and what is told of failures: to the log, to the ledger, to the client."""

from __future__ import annotations

from encke.calls.call import Call, named
from encke.calls.desk import Desk
from encke.core.clock import monotonic
from encke.core.faults import Fault
from encke.core.money import dollars
from encke.core.redact import without_keys
from encke.ledger.entry import Entry
from encke.telemetry.crash import report
from encke.telemetry.line import AccessLine


def crash(desk: Desk, call: Call, error: Exception) -> None:
    """A fault of ours: it is told to the log, to the ledger and to the client, whose connection then ends."""
    report(error)
    fault = Fault("internal_error", "The gateway failed; this is its fault.")
    if call.attempts == 0:
        note_refusal(desk, call, fault)
    call.outcome = call.outcome or "failed"
    call.client.close_after_answer()
    call.fail(fault)


def masked(desk: Desk, fault: Fault) -> Fault:
    """The fault, without credentials of ours: an upstream that refuses one may quote it."""
    fault.message = desk.redactor.clean(fault.message)
    if fault.body is not None:
        fault.body = desk.redactor.clean_values(fault.body)
    return fault


def note_refusal(desk: Desk, call: Call, fault: Fault | None) -> None:
    """The entry of a call that made no attempt; None: its caller left. If it cannot be written, the caller's error
    matters more."""
    grant = call.grant
    key = grant.public_id if grant is not None else ""
    if not desk.refusals.takes(key, fault.code if fault is not None else "client_closed", monotonic()):
        return
    entry = Entry(
        call.id,
        0,
        key,
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
            named(call) if call.dropped and call.unsupported == "warn" else "",
            None if call.unpriced else dollars(call.cost) if call.attempts else "",
        )
    )
