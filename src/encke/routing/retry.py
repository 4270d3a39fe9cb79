"""After a Fault: the same target again, another one, or stop."""

from __future__ import annotations

from dataclasses import dataclass

from encke.core.faults import Fault, Verdict


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """`retries` is how many attempts may follow the first. `uncertain` allows another attempt when the request was sent
    and it is not known whether upstream did the work, which may then be paid twice."""

    retries: int = 2
    uncertain: bool = False


def decide(policy: RetryPolicy, fault: Fault, *, attempt: int, sent: bool, reused: bool, answered: bool) -> Verdict:
    """What may follow attempt number `attempt`. It is never asked once Content has reached the client.

    `sent`: the request went out. `reused`: on a connection that had served before. `answered`: a byte of answer came.
    """
    if fault.code == "upstream_reset" and sent and reused and not answered:
        # The connection was closed while it lay idle, and our request crossed that: in all likelihood no one has read
        # it. Not counted as a retry, since it says nothing of the provider; the next one is on a fresh connection.
        return "again"
    if attempt > policy.retries:
        return "stop"
    if fault.code == "upstream_reset":
        if not sent:
            return "next"
        return "next" if policy.uncertain else "stop"
    if fault.code == "upstream_timeout" and fault.verdict == "stop":
        return "next" if policy.uncertain else "stop"
    return fault.verdict
