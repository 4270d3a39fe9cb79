"""Money for a stream while it comes: a part of it is held for, and more is taken before it is needed.

The relay stops at the end of what is held for (`encke.calls.relay`). Usually the worker's lease has the next part; else
the keeper is asked, and nothing more is read from upstream meanwhile.
"""

from __future__ import annotations

from typing import Final, Protocol

from encke.calls.call import Call
from encke.calls.hold import STEP, Purse
from encke.calls.refusal import cut_off
from encke.calls.relay import StreamRelay
from encke.core.faults import Fault
from encke.core.money import Price
from encke.http.drive import Driver
from encke.ledger.settlement import BYTES_PER_TOKEN
from encke.limits.book import Hold, Short
from encke.telemetry.crash import report

# A stream whose length is bounded has no more events than tokens, give or take what providers add to begin and to end
# with, and no tokens longer than this on the whole, framing of tool calls included.
SLACK: Final = 32
LONG_TOKEN: Final = 24
AHEAD: Final = 256  # tokens before the end of what is held that more is asked for


class Metered(Protocol):
    """Whose stream it is: the attempt."""

    settled: bool

    def stand(self) -> None:
        """Read no more from upstream."""

    def move(self) -> None:
        """Read on; what lay beyond the mark has been looked at."""

    def cut(self, fault: Fault) -> None:
        """It may not go on."""


class Meter:
    """Of one stream. `asking`: the keeper, for more."""

    __slots__ = ("_call", "_held", "_metered", "_price", "_purse", "_relay", "asking")

    def __init__(self, call: Call, price: Price, purse: Purse, relay: StreamRelay, metered: Metered) -> None:
        """The call is held at its first part."""
        self.asking = False
        self._call = call
        self._price = price
        self._purse = purse
        self._relay = relay
        self._metered = metered
        self._held = call.written  # tokens
        self._mark()

    def _mark(self) -> None:
        """A stream whose length is bounded is believed as long as it does not have more events than it may have tokens;
        one that is not is metered by its bytes, as an estimate of it would be."""
        held = self._held
        if held == self._call.cap:
            self._relay.stop_at(held * LONG_TOKEN, held + SLACK)
        else:
            self._relay.stop_at((held - AHEAD) * BYTES_PER_TOKEN, held - AHEAD)

    def go_on(self) -> None:
        """The stream has come to its mark: take what the next part may cost, or ask for it and wait."""
        relay = self._relay
        while relay.stopped and not self.asking:
            hold, step, money = self._next_part()
            short = self._purse.book.more(hold, money)
            if short:
                self.asking = True
                self._metered.stand()
                Driver(self._ask(hold, step, money, short), _ended).start()
                return
            self._take(step)

    def _take(self, step: int) -> None:
        self._held += step
        self._mark()
        self._relay.go_on()

    def _next_part(self) -> tuple[Hold, int, int]:
        """The call's hold, tokens of the next part, and what they may cost."""
        hold, cap = self._call.hold, self._call.cap
        assert hold is not None
        step = STEP
        if self._held < cap < self._held + step:
            step = cap - self._held
        return hold, step, self._price.bound(0, step, hold.charges.strict) - self._price.request

    async def _ask(self, hold: Hold, step: int, money: int, short: list[Short]) -> None:
        refused: Fault | None = None
        try:
            await self._purse.settle_more(hold, money, short)
        except Fault as fault:
            refused = fault
        self.asking = False
        metered = self._metered
        if metered.settled:
            return
        if refused is not None:
            metered.cut(cut_off(refused))
            return
        self._take(step)
        metered.move()


def _ended(problem: BaseException | None) -> None:
    if problem is not None:
        report(problem)
