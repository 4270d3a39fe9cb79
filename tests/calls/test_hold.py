"""What a call is held at, and what it does with the keeper's answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from encke.calls.call import Call
from encke.calls.hold import FRAMING, MOST_HELD, STEP, STRICT_OUTPUT, Purse
from encke.calls.upstream import Target
from encke.catalogue.pricing import Pricing, Term, always
from encke.core.clock import now_ms
from encke.core.faults import Fault
from encke.core.money import RATES, Price
from encke.dialects.openai_chat.parse import parse_request
from encke.http.drive import Driver, Signal
from encke.http.request import Request
from encke.http.server import ServerConnection
from encke.keys.grant import Grant, Limit
from encke.limits.book import Book, Hold, KeeperAway
from encke.limits.sizes import ENOUGH, START

PRICE = Price("test", tuple(1000 if name == "input" else 2000 if name == "output" else 0 for name in RATES))
DEAR = Price("dear", tuple(9000 if name == "output" else 0 for name in RATES))
FLEX = Price("flex", tuple(rate // 2 for rate in PRICE.rates))
FREE = Price("free", (0,) * len(RATES))
BUDGET = Limit(1, "budget", 10**9, 'key "app"')
STRICT = msgspec.structs.replace(BUDGET, id=2, strict=True)
REQUESTS = Limit(3, "requests", 60, 'key "app"')
TOKENS = Limit(4, "tokens", 10**6, 'key "app"')


class Keeper:
    """Answers as it is told: with a payload for `granted`, a payload for `refused`, or not at all."""

    def __init__(self) -> None:
        self.asked: list[list[list[int]]] = []
        self.late: list[Callable[[Any], None]] = []
        self.refuse: dict[str, Any] | None = None
        self.silent = False
        self.answers: list[Signal[Any]] = []

    def request(
        self, kind: str, payload: dict[str, Any], timeout: float, *, again: bool = False, on_late: Any = None
    ) -> Signal[Any]:
        """See `Keeper`."""
        assert kind == "ask" and again
        items = payload["items"]
        self.asked.append(items)
        self.late.append(on_late)
        answer: Signal[Any] = Signal()
        self.answers.append(answer)
        if self.refuse is not None:
            answer.set(SimpleNamespace(kind="refused", payload=self.refuse))
        elif not self.silent:
            answer.set(self.grant(items))
        return answer

    def grant(self, items: list[list[int]]) -> Any:
        """What it needs, and no more."""
        granted = [[limit, window, need, 0] for limit, window, need, _ in items]
        return SimpleNamespace(kind="granted", payload={"items": granted})


def make_call(limits: tuple[Limit, ...], more: str = "", route: str = "chat", stream: bool = True) -> Call:
    """A call that has been read."""
    grant = Grant("0123456789AB", "app", 0, limits=limits)
    call = Call("id", Request(), cast(ServerConnection, None), route, grant)
    field = {"chat": '"messages":[]', "completions": '"suffix":""'}.get(route, '"input":"x"')
    tail = ',"stream":true' if stream and route == "chat" else ""
    call.parsed = parse_request(route, f'{{"model":"m",{field}{tail}{more}}}'.encode())
    call.asked = "m"
    return call


def target(price: Price | None) -> Target:
    """A place to go to, of which only the price matters."""
    pricing = Pricing() if price is None else Pricing((Term(price),), {"flex": always(FLEX), "fast": always(DEAR)})
    return cast(Target, SimpleNamespace(pricing=pricing))


def drive(work: Coroutine[Any, Any, Any]) -> Any:
    """What it returns, if it need not wait."""
    out: list[Any] = []

    async def run() -> None:
        out.append(await work)

    failed: list[BaseException | None] = []
    driver = Driver(run(), failed.append)
    driver.start()
    if failed and failed[0] is not None:
        raise failed[0]
    return out[0] if out else driver


def held(call: Call, *prices: Price | None, purse: Purse | None = None) -> int:
    """What of a budget it is held at."""
    drive((purse or Purse(Book(), Keeper())).hold(call, [target(price) for price in prices]))
    return 0 if call.hold is None else call.hold.money


def hold_of(call: Call) -> Hold | None:
    """Its hold, asked by a function, since what happens in between is hidden from the types."""
    return call.hold


def size(call: Call) -> int:
    """Bytes of the body."""
    assert call.parsed is not None
    return len(call.parsed.data)


def test_a_stream_is_held_at_a_part() -> None:
    """Its input by bytes / 3, and the first thousand tokens, or fewer where the request says so."""
    call = make_call((BUDGET,))
    assert held(call, PRICE) == -(-size(call) // 3) + STEP * 2
    call = make_call((BUDGET,), ',"max_tokens":10')
    assert held(call, PRICE) == -(-size(call) // 3) + 20 and call.cap == 10
    call = make_call((BUDGET,), ',"max_tokens":100000,"n":3')
    assert held(call, PRICE) == -(-size(call) // 3) + STEP * 3 * 2 and call.cap == 300000


def test_a_whole_answer_is_held_at_what_such_answers_need() -> None:
    """4,096 tokens before anything is known of the model, or what the request allows."""
    purse = Purse(Book(), Keeper())
    call = make_call((BUDGET,), stream=False)
    assert held(call, PRICE, purse=purse) == -(-size(call) // 3) + START * 2
    for _ in range(ENOUGH):
        purse.sizes.learn("m", 100)
    call = make_call((BUDGET,), stream=False)
    assert held(call, PRICE, purse=purse) == -(-size(call) // 3) + 128 * 2
    call = make_call((BUDGET,), ',"max_tokens":10', stream=False)
    assert held(call, PRICE, purse=purse) == -(-size(call) // 3) + 20


def test_the_dearest_target_counts() -> None:
    """Whichever it goes to in the end."""
    assert held(make_call((BUDGET,), ',"max_tokens":100'), FREE, DEAR, PRICE) == 900


@pytest.mark.parametrize(("service", "output"), [("", 2), ("flex", 2), ("fast", 9), ("moonlight", 2)])
def test_a_class_of_service_is_held_at_the_dearer(service: str, output: int) -> None:
    """Who asks for less than the standard may get the standard all the same, before another attempt as well."""
    call = make_call((BUDGET,), ',"max_tokens":100')
    call.service = service
    purse = Purse(Book(), Keeper())
    read = -(-size(call) // 3)
    assert held(call, PRICE, purse=purse) == read + 100 * output
    assert call.hold is not None
    drive(purse.ensure(call, target(PRICE).pricing.most(service, 0)))
    assert call.hold.money == read + 100 * output


def test_strict_is_the_most_it_may_cost() -> None:
    """A token for each byte, all of the answer's limit, and a limit where there is none."""
    call = make_call((BUDGET, STRICT), ',"max_tokens":128000')
    assert held(call, PRICE) == size(call) + FRAMING + 128000 * 2
    call = make_call((STRICT,))
    assert held(call, PRICE) == size(call) + FRAMING + STRICT_OUTPUT * 2
    assert call.parsed is not None and call.parsed.output_limit == STRICT_OUTPUT == call.cap


def test_strict_refuses_what_nobody_can_bound() -> None:
    """By name; a free model may have it."""
    with pytest.raises(Fault, match="web_search_options") as caught:
        held(make_call((STRICT,), ',"web_search_options":{}'), PRICE)
    assert (caught.value.code, caught.value.param) == ("invalid_value", "web_search_options")
    assert held(make_call((STRICT,), ',"web_search_options":{}'), FREE) == 0


def test_strict_counts_every_prompt() -> None:
    """Each of a list of prompts may have an answer as long as the limit."""
    call = make_call((STRICT,), ',"max_tokens":100,"prompt":["a","b","c"],"best_of":2', route="completions")
    held(call, PRICE)
    assert call.cap == call.written == 600


@pytest.mark.parametrize("limit", [BUDGET, STRICT])
def test_more_than_anybody_has(limit: Limit) -> None:
    """What a call may cost at most fits into a message to the keeper, whatever it asks for."""
    keeper = Keeper()
    dearest = Price("dearest", (10**12,) * len(RATES))
    call = make_call((limit,), ',"max_tokens":67108864,"n":65536', stream=False)
    assert held(call, dearest, purse=Purse(Book(), keeper)) <= MOST_HELD
    assert max(map(max, keeper.asked[0])) < 1 << 63


def test_embeddings_write_nothing() -> None:
    """Only what is read is held."""
    call = make_call((BUDGET,), route="embeddings")
    assert held(call, PRICE) == -(-size(call) // 3)


def test_a_model_without_a_price() -> None:
    """With a budget it is left out, and refused when there is no other; without one it is nobody's business."""
    call = make_call((BUDGET,))
    assert drive(Purse(Book(), Keeper()).hold(call, [target(None), target(FREE)])) != []
    with pytest.raises(Fault) as caught:
        held(make_call((BUDGET,)), None, None)
    assert caught.value.code == "unpriced_model"
    assert held(make_call((REQUESTS,)), None) == 0


def test_one_question_for_the_whole_vector() -> None:
    """And none when the leases cover it."""
    keeper, book = Keeper(), Book()
    call = make_call((BUDGET, REQUESTS, TOKENS), ',"max_tokens":10')
    held(call, PRICE, purse=Purse(book, keeper))
    assert [[limit for limit, *_ in items] for items in keeper.asked] == [[3, 4, 1]]
    assert msgspec.msgpack.decode(call.charged) == [[1, 0]]
    book.granted([[1, 0, 10**6, 0], [3, 0, 5, 0], [4, 0, 10**5, 0]], ())
    held(make_call((BUDGET, REQUESTS, TOKENS), ',"max_tokens":10'), PRICE, purse=Purse(book, keeper))
    assert len(keeper.asked) == 1


def test_a_refusal() -> None:
    """Nothing is held; a flood of the same does not reach the keeper for a moment."""
    keeper, book = Keeper(), Book()
    purse = Purse(book, keeper)
    keeper.refuse = {
        "limit": 3, "window": 0, "need": 1, "spent": 0, "reserved": 0, "amount": 60, "retry_ms": 1500, "reset": None,
    }  # fmt: skip
    for _ in range(20):
        call = make_call((BUDGET, REQUESTS))
        with pytest.raises(Fault) as caught:
            held(call, PRICE, purse=purse)
        assert caught.value.code == "rate_limit_exceeded" and call.hold is None
        assert caught.value.retry_after is not None and 0 < caught.value.retry_after <= 1.5
    assert len(keeper.asked) == 1
    accounts = book.charges((BUDGET, REQUESTS), now_ms()).every
    assert [(account.free, account.asked, account.open) for account in accounts] == [(0, 0, 0)] * 2


def test_a_refusal_is_of_the_whole_call() -> None:
    """Not of what its worker's lease left short; and what that worker has ready is held by no running call."""
    keeper, book = Keeper(), Book()
    book.charges((STRICT,), now_ms())
    book.granted([[2, 0, 300_000_000, 0]], ())
    keeper.refuse = {
        "limit": 2, "window": 0, "need": 0, "spent": 600_000_000, "reserved": 350_000_000, "amount": 10**9,
        "retry_ms": None, "reset": None,
    }  # fmt: skip
    price = Price("test", tuple(10**8 if name == "output" else 0 for name in RATES))
    for _ in range(2):  # the second time by memory
        with pytest.raises(Fault) as caught:
            held(make_call((STRICT,), ',"max_tokens":5000'), price, purse=Purse(book, keeper))
        assert "has too little left for this call: $0.60 of $1.00 in all, $0.05 held" in caught.value.message
        assert "this call needs $0.50. It is not filled again by itself" in caught.value.message
    with pytest.raises(Fault, match=r"is too small for this call: it may cost \$1\.20, and"):
        held(make_call((STRICT,), ',"max_tokens":12000'), price, purse=Purse(book, keeper))
    assert len(keeper.asked) == 1


def test_a_larger_call_is_told_to_wait_longer() -> None:
    """Though the keeper was asked for a smaller one a moment ago, and not again."""
    keeper = Keeper()
    purse = Purse(Book(), keeper)
    limit = Limit(4, "tokens", 6000, 'key "app"')
    keeper.refuse = {
        "limit": 4, "window": 0, "need": 0, "spent": 6000, "reserved": 0, "amount": 6000, "retry_ms": 1000,
        "reset": None,
    }  # fmt: skip
    waits: list[float] = []
    for tokens in (100, 1000):
        with pytest.raises(Fault) as caught:
            held(make_call((limit,), f',"max_tokens":{tokens}'), PRICE, purse=purse)
        assert caught.value.retry_after is not None
        waits.append(caught.value.retry_after)
    assert waits[0] == 1 and 9 < waits[1] < 10.5 and len(keeper.asked) == 1


@pytest.mark.parametrize("payload", [{"unavailable": True}, {"limit": 99, "window": 0}])
def test_a_keeper_that_cannot_tell(payload: dict[str, Any]) -> None:
    """Nobody spends what nobody can record."""
    keeper = Keeper()
    keeper.refuse = payload
    with pytest.raises(Fault) as caught:
        held(make_call((BUDGET,)), PRICE, purse=Purse(Book(), keeper))
    assert (caught.value.code, caught.value.status) == ("unavailable", 503)


def test_no_keeper() -> None:
    """503, at once where there is none."""
    with pytest.raises(Fault) as caught:
        held(make_call((BUDGET,)), PRICE, purse=Purse())
    assert caught.value.status == 503


def test_a_caller_that_leaves_while_the_keeper_is_asked() -> None:
    """What is granted to nobody is there for the next call."""
    keeper, book = Keeper(), Book()
    keeper.silent = True
    driver = drive(Purse(book, keeper).hold(make_call((BUDGET,), ',"max_tokens":10'), [target(PRICE)]))
    need = keeper.asked[0][0][2]
    driver.cancel(RuntimeError())
    assert keeper.answers[0].ready and isinstance(keeper.answers[0]._error, KeeperAway)
    keeper.late[0](keeper.grant(keeper.asked[0]))
    account = book.charges((BUDGET,), now_ms()).every[0]
    assert (account.free, account.asked, account.granted) == (need, 0, need)


def test_a_dearer_target_after_the_first_failed() -> None:
    """What the first attempt has cost is gone from the hold: the second begins with all that it needs."""
    keeper, book = Keeper(), Book()
    purse = Purse(book, keeper)
    call = make_call((BUDGET,), ',"max_tokens":100')
    first = held(call, PRICE, purse=purse)
    assert call.hold is not None
    book.charge(call.hold, 50)
    drive(purse.ensure(call, PRICE))
    assert call.hold.money == first and keeper.asked[1][0][2] == 50
    drive(purse.ensure(call, FREE))
    assert len(keeper.asked) == 2


def test_a_stream_waits_for_a_keeper_that_comes_back() -> None:
    """For a few seconds; it is not cut because nobody could grant for a moment."""
    keeper, book = Keeper(), Book()
    purse = Purse(book, keeper)
    call = make_call((BUDGET,))
    first = held(call, PRICE, purse=purse)
    keeper.refuse = {"unavailable": True}

    async def main() -> None:
        assert call.hold is not None
        done: list[BaseException | None] = []
        Driver(purse.more(call.hold, 1000), done.append).start()
        await asyncio.sleep(0.15)
        keeper.refuse = None
        while not done:
            await asyncio.sleep(0.01)
        assert done == [None] and call.hold.money == first + 1000

    asyncio.run(main())


def test_a_stream_that_gets_no_more_is_told_of_all_it_takes() -> None:
    """What it holds itself is not held by others: nothing would be free again if it waited."""
    keeper, book = Keeper(), Book()
    purse = Purse(book, keeper)
    price = Price("test", tuple(10**8 if name == "output" else 0 for name in RATES))
    call = make_call((BUDGET,))
    held(call, price, purse=purse)
    assert call.hold is not None and call.hold.money == STEP * 10**5
    keeper.refuse = {
        "limit": 1, "window": 0, "need": 0, "spent": 850_000_000, "reserved": call.hold.money, "amount": 10**9,
        "retry_ms": None, "reset": None,
    }  # fmt: skip
    with pytest.raises(Fault) as caught:
        drive(purse.more(call.hold, call.hold.money))
    assert "has too little left for this call: $0.85 of $1.00 in all; this call needs $0.2048." in caught.value.message


def test_what_ends_while_the_keeper_is_asked() -> None:
    """A refusal does not count when other calls of this worker have left enough meanwhile."""
    keeper, book = Keeper(), Book()
    purse = Purse(book, keeper)
    first = make_call((BUDGET,), ',"max_tokens":1000')
    held(first, PRICE, purse=purse)
    keeper.silent = True
    second = make_call((BUDGET,), ',"max_tokens":1000')
    drive(purse.hold(second, [target(PRICE)]))
    assert hold_of(second) is None
    purse.end(first)
    refusal = {"limit": 1, "window": 0, "need": 1, "spent": 0, "reserved": 0, "amount": 1, "reset": None}
    keeper.answers[1].set(SimpleNamespace(kind="refused", payload=refusal))
    hold = hold_of(second)
    account = book.charges((BUDGET,), now_ms()).every[0]
    assert hold is not None and (account.asked, account.open) == (0, 1)
    assert account.free == account.granted - hold.money


def test_what_ends_while_more_is_asked_for() -> None:
    """The same for a stream that goes on; one whose call is over gets nothing."""
    keeper, book = Keeper(), Book()
    purse = Purse(book, keeper)
    first, second = (make_call((BUDGET,), ',"max_tokens":1000') for _ in range(2))
    held(first, PRICE, purse=purse)
    money = held(second, PRICE, purse=purse)
    assert second.hold is not None
    keeper.silent = True
    refusal = {"limit": 1, "window": 0, "need": 1, "spent": 0, "reserved": 0, "amount": 1, "reset": None}
    drive(purse.more(second.hold, 100))
    purse.end(first)
    keeper.answers[2].set(SimpleNamespace(kind="refused", payload=refusal))
    assert second.hold.money == money + 100
    hold = second.hold
    book.forget_limits()
    drive(purse.more(hold, 10**6))
    purse.end(second)
    account = book.charges((BUDGET,), now_ms()).every[0]
    keeper.answers[3].set(SimpleNamespace(kind="refused", payload=refusal))
    assert (account.asked, account.open, account.free) == (0, 0, account.granted)


@pytest.mark.parametrize("more", [',"models":["dear/one"]', ',"preset":"x"'])
def test_the_provider_does_not_choose_the_model(more: str) -> None:
    """Where a budget applies nobody could tell the price; null says nothing."""
    with pytest.raises(Fault) as caught:
        held(make_call((BUDGET,), more), PRICE)
    assert caught.value.code == "invalid_value" and caught.value.param in ("models", "preset")
    assert held(make_call((REQUESTS,), more), PRICE) == 0
    assert held(make_call((BUDGET,), ',"models":null'), PRICE) > 0


def test_a_strict_limit_goes_out_in_the_words_of_the_provider() -> None:
    """Also one that the caller has set, perhaps by another name."""
    call = make_call((STRICT,), ',"max_completion_tokens":70')
    held(call, PRICE)
    assert call.parsed is not None and call.parsed.output_limit == 70
