"""What a FakeUpstream does for one request: a list of steps, played in order.

After the last step the connection is kept for the next request, unless a step ended it or the request asked to close.
Steps may come from a generator, so that a script can be longer than memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Send:
    """Write `data` and wait until the kernel has all of it (so a slow reader holds the script back).

    `tokens`: output tokens this piece carries; the statement adds them up over the pieces that went out.
    """

    data: bytes
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Sleep:
    """Do nothing for `seconds`; ends at once when the peer leaves."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Fin:
    """End the connection in order: TLS says goodbye, then FIN."""


@dataclass(frozen=True, slots=True)
class Cut:
    """FIN below TLS, without TLS's goodbye (on a plain connection the same as Fin): a truncation."""


@dataclass(frozen=True, slots=True)
class Rst:
    """Reset the connection (SO_LINGER 0)."""


@dataclass(frozen=True, slots=True)
class Stall:
    """Send nothing more; hold the connection until the peer leaves (outcome `peer_left`) or the upstream stops."""


@dataclass(frozen=True, slots=True)
class WaitGone:
    """Wait until the peer has left, as planned: the outcome stays `completed`. After `seconds` go on anyway."""

    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class PauseReading:
    """Stop taking bytes from the peer: its writes fill the socket buffers and then block."""


@dataclass(frozen=True, slots=True)
class ResumeReading:
    """Take bytes again; what comes is kept for the next request or dropped with the connection."""


Step = Send | Sleep | Fin | Cut | Rst | Stall | WaitGone | PauseReading | ResumeReading


@dataclass(frozen=True, slots=True)
class Script:
    """Steps with a name for the statement. `prompt_tokens`: what this upstream claims to have read."""

    steps: Iterable[Step]
    name: str = "custom"
    prompt_tokens: int = 0


def pieces(data: bytes, offsets: Iterable[int], pause: float = 0.001) -> list[Step]:
    """Steps that send `data` cut at `offsets`, with `pause` seconds between so that the peer reads each alone."""
    steps: list[Step] = []
    start = 0
    for end in [*sorted({at for at in offsets if 0 < at < len(data)}), len(data)]:
        if steps:
            steps.append(Sleep(pause))
        steps.append(Send(data[start:end]))
        start = end
    return steps
