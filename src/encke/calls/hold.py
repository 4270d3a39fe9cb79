"""Phase 5: what a call may cost is taken from its worker's leases, or asked of the keeper, before anything is sent.

A stream takes a part and more while it comes; an answer that comes in one piece is held at what such answers need.
Where a budget is strict, everything is held that the call may cost at most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

from encke.calls.allowed import check_others
from encke.calls.call import Call
from encke.calls.refusal import refusal, unavailable
from encke.calls.upstream import Target
from encke.core.clock import now_ms
from encke.core.faults import Fault
from encke.core.money import Price
from encke.dialects.port import CHAT, COUNT
from encke.http.drive import Signal, rest
from encke.ledger.settlement import estimate_tokens
from encke.limits.book import Book, Charges, Hold, KeeperAway, Short
from encke.limits.sizes import Sizes

STEP: Final = 1024  # tokens that a stream is held at, again and again
STRICT_OUTPUT: Final = 4096  # tokens that a strict budget allows an answer whose request sets no limit
# Nano-dollars, nine millions of dollars: who asks for more than anybody has is refused all the same, and what is asked
# for must fit into a message.
MOST_HELD: Final = 1 << 53
FRAMING: Final = 512  # tokens that a provider may put around what was sent
ASK_SECONDS: Final = 1.0  # a recall may take a fifth of it, and a busy machine the rest
STREAM_PATIENCE_MS: Final = 5000
PAUSE_SECONDS: Final = 0.1
REMEMBER_MS: Final = 50  # how long a refusal holds without asking again
REMEMBER_RATE_MS: Final = 1000
MINUTE_MS: Final = 60_000  # rates are of a minute


class Keeper(Protocol):
    """Whoever grants leases (`encke.worker.link`)."""

    def request(
        self, kind: str, payload: dict[str, Any], timeout: float, *, again: bool = False, on_late: Any = None
    ) -> Signal[Any]:
        """Ask; the signal gets a frame with `kind` and `payload`, or fails with KeeperAway."""


class NoKeeper:
    """Nobody: what is not held already is not granted."""

    def request(
        self, kind: str, payload: dict[str, Any], timeout: float, *, again: bool = False, on_late: Any = None
    ) -> Signal[Any]:
        """See `Keeper`."""
        nobody: Signal[Any] = Signal()
        nobody.fail(KeeperAway())
        return nobody


class Purse:
    """What calls of a worker are held with."""

    __slots__ = ("book", "keeper", "sizes")

    def __init__(self, book: Book | None = None, keeper: Keeper | None = None) -> None:
        self.book = book if book is not None else Book()
        self.keeper: Keeper = keeper if keeper is not None else NoKeeper()
        self.sizes = Sizes()

    async def hold(self, call: Call, targets: list[Target]) -> list[Target]:
        """Take what the call needs. Returns the targets that it may go to.

        Raises Fault unpriced_model, invalid_value (what a strict budget cannot bound), insufficient_quota,
        rate_limit_exceeded, unavailable.
        """
        grant, parsed = call.grant, call.parsed
        assert grant is not None and parsed is not None
        now = now_ms()
        charges = self.book.charges(grant.limits, now)
        strict = charges.strict
        call.charges = charges
        self._size(call, strict)
        money = 0
        if charges.budgets and call.side.kind != COUNT:
            check_others(call.side.others(parsed), False, True)
            targets, money = _priced(call, targets, strict)
            if strict and money:
                _check_bounds(call)
        call.hold = await self._begin(charges, money, call.read + call.written, now)
        call.charged = charges.packed
        return targets

    async def _begin(self, charges: Charges, money: int, tokens: int, now: int) -> Hold:
        hold = Hold(charges)
        short = self.book.begin(hold, money, tokens, now)
        if not short:
            return hold
        refused: Fault | None = None
        try:
            await self._ask(short, now)
        except Fault as fault:
            self.book.undo_begin(hold, short)
            refused = fault
        except BaseException:
            self.book.undo_begin(hold, short)
            raise
        if refused is None:
            return hold
        # Calls of this worker may have ended meanwhile: what they have left is there without asking.
        hold = Hold(charges)
        short = self.book.begin(hold, money, tokens, now)
        if short:
            self.book.undo_begin(hold, short)
            raise refused
        return hold

    def _size(self, call: Call, strict: bool) -> None:
        """How much the call is held at: tokens read and written."""
        parsed = call.parsed
        assert parsed is not None
        side, size = call.side, len(parsed.data)
        if side.kind == COUNT:
            return  # nobody charges for it
        call.read = size + FRAMING if strict else estimate_tokens(size)
        if not writes(call):
            return
        count = side.copies(parsed)
        limit = side.output_limit(parsed)
        if strict:
            # Also where the caller has said it: perhaps by a name that this provider does not know.
            limit = parsed.output_limit = STRICT_OUTPUT if limit is None else limit
        if limit is not None:
            call.cap = limit * count
        if strict:
            call.written = call.cap
            return
        usual = (STEP if parsed.stream else self.sizes.most(call.asked)) * count
        call.written = usual if limit is None or usual < call.cap else call.cap

    async def ensure(self, call: Call, price: Price | None) -> None:
        """Before another attempt: what the first has cost is gone, and this target may be dearer. Raises Fault."""
        hold = call.hold
        if hold is None or price is None or not hold.charges.budgets:
            return
        need = min(price.bound(call.read, call.written, hold.charges.strict), MOST_HELD) - hold.money
        if need > 0:
            await self.more(hold, need)

    async def more(self, hold: Hold, money: int) -> None:
        """Take more. Raises Fault insufficient_quota, unavailable."""
        short = self.book.more(hold, money)
        if short:
            await self.settle_more(hold, money, short)

    async def settle_more(self, hold: Hold, money: int, short: list[Short]) -> None:
        """Ask for what is short of it. A stream is not cut because the keeper is away for a moment."""
        until = now_ms() + STREAM_PATIENCE_MS
        refused: Fault | None = None
        while True:
            try:
                if refused is not None:
                    await rest(PAUSE_SECONDS)
                await self._ask(short, now_ms())
                return
            except Fault as fault:
                refused = fault
            except BaseException:
                self.book.undo_more(hold, money, short)
                raise
            if refused.code != "unavailable" or hold.over or now_ms() >= until:
                break
        self.book.undo_more(hold, money, short)
        if not hold.over:
            short = self.book.more(hold, money)
            if not short:
                return  # other calls of this worker have ended meanwhile
            self.book.undo_more(hold, money, short)
        raise refused

    def learn(self, call: Call) -> None:
        """A whole answer has come: how long such answers are."""
        if call.hold is not None and writes(call) and not call.usage.estimated:
            self.sizes.learn(call.asked, call.usage.total_output)

    def end(self, call: Call) -> None:
        """The call is over."""
        hold = call.hold
        if hold is not None:
            call.hold = None
            self.book.end(hold, call.tokens)

    async def _ask(self, short: list[Short], now: int) -> None:
        for one in short:
            account = one.account
            if account.refused is not None and now < account.refused_until and one.need >= account.refused_need:
                raise _said_again(one, now)
        items = [[one.account.limit.id, one.account.window, one.need, one.want] for one in short]
        answer = self.keeper.request("ask", {"items": items}, ASK_SECONDS, again=True, on_late=self._late)
        try:
            frame = await answer
        except KeeperAway:
            raise unavailable() from None
        except BaseException:
            answer.fail(KeeperAway())  # the caller left: what is granted yet is nobody's
            raise
        if frame.kind == "granted":
            self.book.granted(frame.payload["items"], short)
            for one in short:
                one.account.left_at = now
            return
        raise _refused(short, frame.payload, now)

    def _late(self, frame: Any) -> None:
        if frame.kind == "granted":
            self.book.granted(frame.payload["items"], ())


def writes(call: Call) -> bool:
    """Whether the answer is text that a model writes."""
    return call.side.kind == CHAT or call.route == "completions"


def _priced(call: Call, targets: list[Target], strict: bool) -> tuple[list[Target], int]:
    """The targets that have a price, and the most that the call is held at on any of them."""
    found: list[Target] = []
    most = 0
    for target in targets:
        price = target.pricing.most(call.service, call.started_ms)
        if price is not None:
            found.append(target)
            money = price.bound(call.read, call.written, strict)
            most = money if money > most else most
    if not found:
        raise Fault(
            "unpriced_model",
            f"The model `{call.asked}` has no price, and a budget applies to this key: nobody could tell what is left. "
            'A price can be set in the gateway\'s settings; `price = "free"` says that it costs nothing.',
            param="model",
        )
    return found, min(most, MOST_HELD)


def _check_bounds(call: Call) -> None:
    parsed = call.parsed
    assert parsed is not None
    what = call.side.unbounded(parsed)
    if what is not None:
        raise Fault(
            "invalid_value",
            f"A strict budget applies to this key, and nobody can tell beforehand what `{what}` costs at most. Leave "
            "it out, or use a key whose budgets are not strict.",
            param=what,
        )


def _refused(short: Sequence[Short], payload: dict[str, Any], now: int) -> Fault:
    if payload.get("unavailable"):
        return unavailable()
    for one in short:
        account = one.account
        if account.limit.id == payload["limit"] and account.window == payload["window"]:
            retry = payload.get("retry_ms")
            account.refused = payload
            account.refused_at = now
            account.refused_need = one.need
            account.left = max(payload["amount"] - payload["spent"] - payload["reserved"], 0)
            account.left_at = now
            remember = REMEMBER_MS if account.lasting or retry is None else min(retry, REMEMBER_RATE_MS)
            account.refused_until = now + remember
            return refusal(account.limit, _told(one, payload))
    return unavailable()  # nobody asked for that


def _told(one: Short, payload: dict[str, Any]) -> dict[str, Any]:
    """The keeper's answer, of the whole call: it was asked only for what is short, and has what this worker keeps ready
    for the next calls as reserved, though no call holds that, and what a stream holds already."""
    told = payload | {"need": one.whole}
    ready = one.account.free + one.whole  # without what this call has taken
    if ready > 0 and one.account.lasting:
        told["reserved"] = max(payload["reserved"] - ready, 0)
    return told


def _said_again(one: Short, now: int) -> Fault:
    account = one.account
    payload = dict(account.refused or {})
    retry = payload.get("retry_ms")
    if isinstance(retry, int):
        # A larger call than the one that was refused has to wait until the rest of it has come in as well.
        more = -(-(one.need - account.refused_need) * MINUTE_MS // account.amount)
        payload["retry_ms"] = max(retry + more - (now - account.refused_at), 1)
    return refusal(account.limit, _told(one, payload))
