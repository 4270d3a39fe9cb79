"""After a Fault: the same target again, another one, or stop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from encke.core.faults import Fault, Verdict

# A provider's wish to be left alone for longer than this goes to the caller, who can do better things than wait here.
LONGEST_PAUSE: Final = 5.0
# A rate limit that says nothing of its length is given more time than a failure.
RATE_LIMIT_FACTOR: Final = 4.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`retries` is how many attempts may follow the first. `uncertain` allows another attempt when the request was sent
    and it is not known whether upstream did the work, which may then be paid twice. `backoff` is the pause in seconds
    before the same target is tried again; it doubles each time, up to 5 s."""

    retries: int = 2
    uncertain: bool = False
    backoff: float = 0.25


class Step(NamedTuple):
    """What follows an attempt: `verdict`, after `pause` seconds; `fresh` asks for a new connection."""

    verdict: Verdict
    pause: float = 0.0
    fresh: bool = False


STOP: Final = Step("stop")
NEXT: Final = Step("next")
FRESH: Final = Step("again", fresh=True)


def decide(
    policy: RetryPolicy,
    fault: Fault,
    *,
    attempt: int,
    sent: bool,
    reused: bool,
    answered: bool,
    others: bool,
    left: float,
    luck: float,
) -> Step:
    """What may follow attempt number `attempt`. It is never asked once Content has reached the client.

    `sent`: the request went out. `reused`: on a connection that had served before. `answered`: a byte of answer came.
    `others`: there are targets that have not been tried. `left`: seconds that the call may still take. `luck`: a random
    number from 0 to 1, so that calls which failed together do not come back together.
    """
    if fault.code == "upstream_reset" and sent and reused and not answered:
        # The connection was closed while it lay idle, and our request crossed that: in all likelihood no one has read
        # it. Not counted as a retry, since it says nothing of the provider; the next one is on a fresh connection.
        return FRESH
    if attempt > policy.retries:
        return STOP
    verdict = fault.verdict
    if fault.code in ("upstream_reset", "upstream_timeout") and verdict == "stop":
        if sent and not policy.uncertain:
            return STOP
        verdict = "again"
    if verdict == "stop":
        return STOP
    if others:
        return NEXT
    if verdict == "next":
        return STOP
    if fault.retry_after is not None and fault.retry_after > LONGEST_PAUSE:
        return STOP
    pause = pause_before(policy, fault, attempt, luck)
    return Step("again", pause) if pause < left else STOP


def pause_before(policy: RetryPolicy, fault: Fault, attempt: int, luck: float) -> float:
    """Seconds to wait before the same target is tried again: at least what it asked for, else `backoff`, doubled with
    each attempt, of which half is up to luck."""
    base = policy.backoff * 2.0 ** (attempt - 1)
    if fault.retry_after is not None:
        return fault.retry_after + base * 0.5 * luck
    if fault.code == "upstream_rate_limited":
        base *= RATE_LIMIT_FACTOR
    return min(base, LONGEST_PAUSE) * (0.5 + 0.5 * luck)
