"""The billing table as data: how a call ends, and what it costs then, to the nano-dollar.

A million tokens read cost 15 dollars, written 75: a token 15,000 and 75,000 nano-dollars. Every request reaches the
provider with 300 bytes, 100 tokens by estimate; the provider claims 40. Its answer's pieces have 12 bytes, then 9 each:
two of them are 7 tokens by estimate, four 13; the provider counts one for each piece.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PRICE = {"input": "15", "output": "75", "cache_read": "1.5", "reasoning": "60"}
BODY_BYTES = 300
TOLD = 40
NONCE_LENGTH = 6


@dataclass(frozen=True)
class Bill:
    """What the ledger must have. `read` and `written` are all tokens of either side."""

    status: str
    read: int
    written: int
    cost: int
    estimated: bool = False


@dataclass(frozen=True)
class Cell:
    """One way to end. `model` is where it goes; `leave`: seconds after which the caller does."""

    phase: str
    name: str
    whole: Bill | None
    stream: Bill | None
    behave: dict[str, Any] = field(default_factory=dict)
    model: str = "lab/m"
    leave: float | None = None
    # The bills of routes whose answers are no text, where these differ.
    plain: Bill | None = None
    text: bool = False  # only for routes whose answers are text


def refused(status: str = "refused") -> Bill:
    """Nothing read, nothing written, nothing to pay."""
    return Bill(status, 0, 0, 0)


def unknown(status: str, written: int = 0) -> Bill:
    """The input by estimate, and what was received."""
    return Bill(status, 100, written, 1_500_000 + written * 75_000, True)


COMPLETE = Bill("complete", TOLD, 4, 900_000)
READ_ONLY = Bill("complete", TOLD, 0, 600_000)
GUESSED = Bill("complete", 100, 13, 2_475_000, True)
NO_TEXT = unknown("complete")
LATE = unknown("uncertain")
HALF = unknown("truncated", 7)
CACHED = {
    "prompt_tokens": 40,
    "completion_tokens": 10,
    "total_tokens": 50,
    "prompt_tokens_details": {"cached_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 6},
}


def both(phase: str, name: str, bill: Bill, plain: Bill | None = None, **more: Any) -> Cell:
    """The same for a stream and for a whole answer."""
    return Cell(phase, name, bill, bill, plain=plain, **more)


def behaves(phase: str, names: str, whole: Bill | None, stream: Bill | None, plain: Bill | None = None) -> list[Cell]:
    """Behaviours of the fake upstream that cost the same."""
    return [Cell(phase, name, whole, stream, {"name": name}, plain=plain) for name in names.split()]


NEVER = "refused by us, or never sent"
SAID_NO = "upstream refused"
UNKNOWN = "sent, outcome unknown"
LEFT_EARLY = "left before the first byte"
BROKEN = "broken off in the middle"
WITH_USAGE = "complete with usage"
WITHOUT = "complete without usage"

CELLS: list[Cell] = [
    both(NEVER, "a model that nobody has", refused("rejected"), model="no-such-model"),
    both(NEVER, "nobody listens", refused("failed"), model="gone/m"),
    *behaves(SAID_NO, "400 401 402 403 404 408 409 413 422 425 429 500 501 502 503 504 529", refused(), refused()),
    *behaves(SAID_NO, "429_absurd redirect_302 early_400_before_body", refused(), refused()),
    *behaves(UNKNOWN, "reset_before_head fin_before_head reset_in_head fin_in_head", LATE, LATE),
    *behaves(UNKNOWN, "stall_before_head stall_in_head", LATE, LATE),
    *behaves(UNKNOWN, "half_json", unknown("failed"), None),
    *behaves(UNKNOWN, "garbage_200 null_200", unknown("failed"), unknown("failed")),
    *behaves(UNKNOWN, "html_200", refused("failed"), refused("failed")),
    both(LEFT_EARLY, "the caller leaves", unknown("client_closed"), behave={"name": "stall_before_head"}, leave=0.25),
    Cell(BROKEN, "the caller leaves", None, unknown("client_closed", 7), {"name": "stall_mid_stream"}, leave=0.25),
    *behaves(BROKEN, "reset_mid_stream fin_mid_stream stall_mid_stream", None, HALF),
    *behaves(BROKEN, "sse_no_terminal", COMPLETE, unknown("truncated", 13), READ_ONLY),
    both(WITH_USAGE, "in order", COMPLETE, READ_ONLY),
    both(WITH_USAGE, "slowly", COMPLETE, READ_ONLY, behave={"name": "slow_chunks", "interval": 0.01}),
    *behaves(WITH_USAGE, "missing_done chunk_dust bom crlf trailers close_after_answer", COMPLETE, COMPLETE, READ_ONLY),
    # 10 read fresh, 30 from a cache at a tenth; 4 said, 6 thought at less.
    both(
        WITH_USAGE,
        "from a cache, with thoughts",
        Bill("complete", 40, 10, 10 * 15_000 + 30 * 1_500 + 4 * 75_000 + 6 * 60_000),
        behave={"usage": CACHED, "chunks": 10},
        text=True,
    ),
    *behaves(WITHOUT, "usage_missing usage_negative usage_float usage_string", GUESSED, GUESSED, NO_TEXT),
]
