"""A worker's book of leases, without a keeper."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.keys.grant import Limit
from encke.limits.book import FORGET_MS, IDLE_MS, Book, Hold, Short
from encke.limits.windows import window_of

NOW = 1_764_000_000_000
BUDGET = Limit(1, "budget", 10**12, 'key "app"')
OTHER = Limit(2, "budget", 10**12, 'project "web"')
REQUESTS = Limit(3, "requests", 60, 'key "app"')
TOKENS = Limit(4, "tokens", 1000, 'key "app"')
SLOTS = Limit(5, "concurrency", 4, 'key "app"')
ALL = (BUDGET, OTHER, REQUESTS, TOKENS, SLOTS)


def grant(book: Book, short: list[Short], extra: int = 0) -> None:
    """The keeper grants what was asked for, and `extra`."""
    items = [[one.account.limit.id, one.account.window, one.need + extra, 7] for one in short]
    book.granted(items, short)


def free(book: Book, limits: tuple[Limit, ...] = ALL) -> dict[int, int]:
    """What is free of each limit."""
    return {account.limit.id: account.free for account in book.charges(limits, NOW).every}


def begun(book: Book, money: int = 100, tokens: int = 10, extra: int = 0) -> Hold:
    """A call that has got what it asked for."""
    hold = Hold(book.charges(ALL, NOW))
    grant(book, book.begin(hold, money, tokens, NOW), extra)
    return hold


def test_the_first_call_asks_for_all_of_it() -> None:
    """With nothing in hand everything is short, and a lease for calls to come is wanted, except of places."""
    book = Book()
    hold = Hold(book.charges(ALL, NOW))
    short = {one.account.limit.id: (one.need, one.want > one.need) for one in book.begin(hold, 100, 10, NOW)}
    assert short == {1: (100, True), 2: (100, True), 3: (1, True), 4: (10, True), 5: (1, False)}


def test_a_call_within_its_leases_asks_nobody() -> None:
    """What was granted beyond the need is there for the next."""
    book = Book()
    begun(book, extra=100)
    assert book.begin(Hold(book.charges(ALL, NOW)), 100, 10, NOW) == []
    assert free(book) == {1: 0, 2: 0, 3: 99, 4: 90, 5: 99}


def test_two_that_ask_at_once_ask_each_for_their_own() -> None:
    """What the first asks for is not the second's, and what it leaves is not asked for twice."""
    book = Book()
    first, second = (Hold(book.charges((BUDGET,), NOW)) for _ in range(2))
    one, two = book.begin(first, 100, 0, NOW), book.begin(second, 30, 0, NOW)
    assert [one[0].need, two[0].need] == [100, 30]
    book.undo_begin(first, one)
    grant(book, two)
    assert free(book, (BUDGET,)) == {1: 0}
    book.charge(second, 10)
    book.end(second, 0)
    assert free(book, (BUDGET,)) == {1: 20}


def test_a_refusal_consumes_nothing() -> None:
    """Everything is as it was."""
    book = Book()
    book.end(begun(book, extra=5), 10)
    before = free(book)
    hold = Hold(book.charges(ALL, NOW))
    book.undo_begin(hold, book.begin(hold, 1000, 50, NOW))
    book.end(hold, 3)  # too late: nothing happens
    assert free(book) == before


def test_the_end_returns_what_was_not_used() -> None:
    """The hold less the cost, the place, and the tokens that were estimated too many; a request is gone."""
    book = Book()
    hold = begun(book)
    book.charge(hold, 40)
    book.charge(hold, 20)
    book.end(hold, 4)
    book.end(hold, 4)
    assert free(book) == {1: 40, 2: 40, 3: 0, 4: 6, 5: 1}


def test_what_costs_more_is_missing_from_the_next() -> None:
    """An excess is recorded: the account is below zero, and the next call has to ask for that too."""
    book = Book()
    hold = begun(book)
    book.charge(hold, 130)
    book.end(hold, 15)
    assert free(book) == {1: -30, 2: -30, 3: 0, 4: -5, 5: 1}
    short = book.begin(Hold(book.charges(ALL, NOW)), 100, 10, NOW)
    assert [one.need for one in short if one.account.limit.id in (1, 4)] == [15, 130]


def test_more_for_a_stream() -> None:
    """A refused part goes back alone; after the end of the call there is nothing to go back."""
    book = Book()
    hold = begun(book)
    short = book.more(hold, 50)
    assert hold.money == 150 and [one.need for one in short] == [50, 50]
    book.undo_more(hold, 50, short)
    assert hold.money == 100 and free(book)[1] == 0
    short = book.more(hold, 50)
    book.end(hold, 0)
    book.undo_more(hold, 50, short)
    assert free(book)[1] == 100


def test_tokens_that_can_never_be_there() -> None:
    """A call of more tokens than a minute allows is held at all that a minute allows."""
    book = Book()
    hold = Hold(book.charges((TOKENS,), NOW))
    assert [one.need for one in book.begin(hold, 0, 10**6, NOW)] == [1000]


def test_a_recall_takes_what_is_free_and_no_more() -> None:
    """Holds stay; what was given back was never granted, as the hello tells it."""
    book = Book()
    begun(book, extra=11)
    assert book.recalled([[1, 0], [99, 0]]) == [[1, 0, 11]]
    assert book.recalled([[1, 0]]) == []
    assert sorted(book.leases()) == [[1, 0, 100], [2, 0, 111], [5, 0, 12]]


def test_idle_allowance_is_given_back() -> None:
    """After a while without a call; while one runs, nothing."""
    book = Book()
    hold = begun(book, extra=11)
    assert book.idle(NOW + IDLE_MS) == []
    book.end(hold, 10)
    given = book.idle(NOW + IDLE_MS)
    assert sorted(given) == [[1, 0, 111], [2, 0, 111], [3, 0, 11], [4, 0, 11], [5, 0, 12]]
    assert book.idle(NOW + IDLE_MS) == [] and book.leases() == []
    book.idle(NOW + FORGET_MS + 1)
    assert free(book)[1] == 0


def test_a_forgotten_account_goes_on_where_it_was() -> None:
    """What was granted and spent is still told in the hello, and what was overspent is made up for first: the keeper
    counts from there. Of a window that is closed nothing is kept."""
    book = Book()
    daily = Limit(8, "budget", 100, "", "day")
    hold = Hold(book.charges((BUDGET, daily), NOW))
    grant(book, book.begin(hold, 100, 0, NOW), 20)
    book.charge(hold, 130)
    book.end(hold, 0)
    book.idle(NOW + FORGET_MS + 1)
    today = NOW - NOW % 86_400_000
    assert sorted(book.leases()) == [[1, 0, 120], [8, today, 120]]
    again = Hold(book.charges((BUDGET, daily), NOW))
    short = book.begin(again, 5, 0, NOW)
    assert [one.need for one in short] == [15, 15]
    grant(book, short)
    assert sorted(book.leases()) == [[1, 0, 135], [8, today, 135]]
    book.end(again, 0)
    book.idle(NOW + 2 * FORGET_MS)
    book.idle(NOW + 4 * FORGET_MS)
    book.charges((BUDGET, daily), today + 86_400_000)
    assert sorted(book.leases()) == [[1, 0, 130]]


def test_a_debt_of_tokens_does_not_lock_out() -> None:
    """An answer much longer than it was held at: no later call asks for more than a minute has, or it would be refused
    for ever; a minute's worth is paid at a time, and then it is as before."""
    book = Book()
    hold = Hold(book.charges((TOKENS,), NOW))
    grant(book, book.begin(hold, 0, 500, NOW))
    book.end(hold, 2700)
    needs: list[int] = []
    for _ in range(4):
        hold = Hold(book.charges((TOKENS,), NOW))
        short = book.begin(hold, 0, 100, NOW)
        needs += [one.need for one in short]
        grant(book, short)
        book.end(hold, 100)
    assert needs == [TOKENS.amount, TOKENS.amount, 500, 100]
    assert book.charges((TOKENS,), NOW).every[0].asked == 0


def test_of_a_day_that_is_over_nothing_is_kept() -> None:
    """Whether its limit is used again or not; a call that began in it is still charged to it, however long it takes."""
    book = Book()
    daily = [(Limit(100 + number, "budget", 100, "", "day"),) for number in range(3)]
    today = NOW - NOW % 86_400_000
    held = []
    for limits in daily:
        hold = Hold(book.charges(limits, NOW))
        grant(book, book.begin(hold, 10, 0, NOW))
        held.append(hold)
    for hold in held[:2]:
        book.charge(hold, 10)
        book.end(hold, 0)
    book.idle(NOW + FORGET_MS + 1)
    assert sorted(book.leases()) == [[100, today, 10], [101, today, 10], [102, today, 10]]
    book.idle(today + 86_399_999)
    assert len(book.leases()) == 3
    book.idle(today + 86_400_000)
    assert book.leases() == [[102, today, 10]]
    assert msgspec.msgpack.decode(held[2].charges.packed) == [[102, today]]
    book.charge(held[2], 10)
    book.end(held[2], 0)
    book.idle(today + 86_400_000 + FORGET_MS)
    assert book.leases() == []


def test_windows() -> None:
    """Another day is another account, even while calls of the first run; a clock that is put back opens none again."""
    book = Book()
    daily = (Limit(8, "budget", 100, "", "day"),)
    today = NOW - NOW % 86_400_000
    hold = Hold(book.charges(daily, NOW))
    grant(book, book.begin(hold, 10, 0, NOW))
    charges = book.charges(daily, today + 86_400_000)
    assert [account.window for account in charges.every] == [today + 86_400_000]
    assert msgspec.msgpack.decode(charges.packed) == [[8, today + 86_400_000]]
    assert book.charges(daily, NOW).every == charges.every
    assert msgspec.msgpack.decode(hold.charges.packed) == [[8, today]]


def test_another_anchor_is_another_window_at_once() -> None:
    """Also one that has begun earlier than the one before: it is no clock that was put back."""
    book = Book()
    late = Limit(8, "budget", 100, "", "month", anchor=15)
    begin = [book.charges((limit,), NOW).every[0].window for limit in (late, msgspec.structs.replace(late, anchor=1))]
    assert begin == [window_of("month", "UTC", anchor, NOW)[0] for anchor in (15, 1)] and begin[1] < begin[0]


def test_no_budget_is_told_as_nothing() -> None:
    """Rates are not charged to by entries."""
    assert msgspec.msgpack.decode(Book().charges((REQUESTS,), NOW).packed) is None


def test_a_lowered_amount_is_asked_about() -> None:
    """What running calls return after a budget was cut is spent by nobody before the keeper has granted something."""
    book = Book()
    hold = Hold(book.charges((BUDGET,), NOW))
    grant(book, book.begin(hold, 100, 0, NOW), 100)
    lower = (msgspec.structs.replace(BUDGET, amount=10),)
    book.forget_limits()
    charges = book.charges(lower, NOW)
    book.end(hold, 0)
    assert charges.every[0].free == 200
    (short,) = book.begin(Hold(charges), 50, 0, NOW)
    assert short.need == 50
    grant(book, [short])
    assert book.begin(Hold(charges), 50, 0, NOW) == []


def test_new_amounts_count_after_new_grants() -> None:
    """The account stays, with its leases; its limit is the new one."""
    book = Book()
    begun(book, extra=5)
    book.forget_limits()
    lower = (msgspec.structs.replace(BUDGET, amount=7),)
    account = book.charges(lower, NOW).every[0]
    assert (account.amount, account.free) == (7, 5)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 200), st.integers(0, 300), st.booleans()), max_size=60))
@pytest.mark.filterwarnings("ignore")
def test_nothing_is_lost_or_made(steps: list[tuple[int, int, int, bool]]) -> None:
    """Granted less given back is always free plus held plus spent, whatever is asked, granted, refused, and in which
    order."""
    book, spent = Book(), 0
    running: list[Hold] = []
    asked: list[tuple[Hold, list[Short]]] = []
    for kind, amount, cost, yes in steps:
        if kind == 0:
            hold = Hold(book.charges((BUDGET,), NOW))
            short = book.begin(hold, amount, 0, NOW)
            if short:
                asked.append((hold, short))
            else:
                running.append(hold)
        elif kind == 1 and asked:
            hold, short = asked.pop(amount % len(asked))
            if yes:
                grant(book, short, cost)
                running.append(hold)
            else:
                book.undo_begin(hold, short)
        elif kind == 2 and running:
            hold = running.pop(amount % len(running))
            book.charge(hold, cost)
            spent += cost
            book.end(hold, 0)
        elif kind == 3:
            book.recalled([[1, 0]])
    for hold, short in asked:
        book.undo_begin(hold, short)
    account = book.charges((BUDGET,), NOW).every[0]
    assert account.granted == account.free + sum(hold.money for hold in running) + spent
    assert account.asked == 0 and account.open == len(running)
