"""Entry: a line of the ledger, one attempt.

A call that failed over has several entries with the same `call` and rising `attempt`; the last is the one the caller
saw (`final`). A call that was admitted and then refused before any attempt (unknown model, no capacity) has one entry
with attempt 0 and no target.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from encke.core.usage import NO_USAGE, Usage

NIL: Final = b"\xc0"  # msgpack's
NOTHING: Final = msgspec.Raw(NIL)

# How an attempt ended. The words follow the billing table: what was used is recorded, whoever ended it.
Status = Literal[
    "complete",  # the answer, or the stream with its end, was received whole
    "client_closed",  # the caller left first
    "truncated",  # upstream broke off, or fell silent, after it had begun
    "refused",  # upstream answered with an error
    "failed",  # no usable answer: unreachable, reset, garbage
    "uncertain",  # sent, and no answer: whether upstream did the work is not known
    "rejected",  # refused by the gateway before any attempt
    "orphan",  # settled by the keeper after the worker died
]


class Entry(msgspec.Struct, array_like=True, frozen=True):
    """One settled attempt. Times are UTC milliseconds, durations microseconds, money integer nano-dollars (null:
    unpriced).

    Array-like on the wire and in the journal: fields may only be added at the end.
    """

    call: str  # UUIDv7, the request id the caller saw
    attempt: int  # 1, 2, ... ; 0 where none was made
    key: str  # the key's public id
    route: str  # the path's name, such as "chat"
    asked: str  # the model name asked for
    provider: str
    model: str  # the upstream model
    status: Status
    reason: str  # a fault code, a finish reason, or ""
    http_status: int  # what upstream answered; 0 when it did not
    stream: bool
    final: bool
    started: int  # ms: the call was received
    dispatched: int  # ms: the attempt was sent; 0 when it was not
    first_us: int  # from dispatch to the first content, or to the answer's head; 0 when it never came
    total_us: int  # from receipt to settlement
    usage: Usage = NO_USAGE
    cost: int | None = None
    price_version: str = ""
    received: int = 0  # bytes of upstream's body
    client_request_id: str = ""
    credential: str = ""  # the name of the provider's credential, where the settings give it one
    project: int = 1  # the key's project
    # What the cost is charged to, found out at admission and kept past midnight: msgpack [[limit, window], …], or nil.
    accounts: msgspec.Raw = NOTHING


class Intent(msgspec.Struct, array_like=True, frozen=True):
    """What is journalled before an attempt is sent: enough to settle it if this process dies."""

    call: str
    attempt: int
    key: str
    route: str
    asked: str
    provider: str
    model: str
    stream: bool
    started: int
    dispatched: int
    input_estimate: int  # tokens, by bytes / 3
    slot: int  # the progress slot that this attempt writes to
    client_request_id: str = ""
    credential: str = ""
    project: int = 1
    accounts: msgspec.Raw = NOTHING  # as of `Entry`
    price: msgspec.Raw = NOTHING  # `Price.packed`; nothing where the model has none
    cap: int = 0  # the most tokens that it was asked to write; 0: any
