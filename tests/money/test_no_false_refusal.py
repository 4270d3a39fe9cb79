"""A budget is not said to be spent while it is not."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from itertools import count as numbers

from tests.conftest import Count, Size
from tests.durability.crowd import Seen
from tests.money.burst import Wish, call
from tests.money.house import DOLLAR, LARGE, House
from tests.support.accountant import Statement, Tariff, read_statement

AGENTS = 20
LIMIT = 25 * DOLLAR
EACH = 50
PIECE = " abcd" * 30


@dataclass
class Refusal:
    """A call that was refused; `sent` and `told` are nanoseconds of the monotonic clock."""

    nonce: str
    told: int
    code: str


async def agents(port: int, key: str, name: str, whole: bool, until: float) -> tuple[list[Seen], list[Refusal]]:
    """Twenty, one call after the other, until each has been refused or the time is over."""
    seen: list[Seen] = []
    refusals: list[Refusal] = []
    turns = numbers()

    async def agent(number: int) -> None:
        while time.monotonic() < until:
            turn = next(turns)
            # Little of what they may write: some a few tokens, some a page.
            behave = {"chunks": 2 + turn * 7 % 45, "each": EACH, "piece": PIECE}
            stream = not whole and number % 2 == 0
            nonce = f"{name}x{turn}"
            one = await call(port, Wish(nonce, key, stream, behave=behave, more={"max_tokens": 128_000}))
            seen.append(one)
            if one.end != "whole":
                refusals.append(Refusal(nonce, time.monotonic_ns(), one.code))
                return

    await asyncio.gather(*map(agent, range(AGENTS)))
    return seen, refusals


def spent(statement: Statement, prefix: str, moment: int) -> int:
    """What calls that had been sent by then cost in the end: what is posted, and what is really in flight."""
    tariff = Tariff(LARGE["m"])
    total = 0
    for nonce, asked in statement.asked.items():
        for one in asked if nonce.startswith(prefix) else ():
            outcome = statement.outcomes.get(one["call"])
            if one["at_ns"] <= moment and outcome is not None:
                total += tariff.cost({"input": outcome["prompt_tokens"], "output": outcome["tokens"]})
    return total


def test_twenty_agents(house: House, size: Size, count: Count) -> None:
    """$25, `max_tokens` 128,000 (a call could cost $9.60), four workers, streams and whole answers: the first refusal
    comes when 80 % of it is really spent, or later."""
    house.organisation("agents")
    house.project("agents", "agents", "--budget", "25/month")
    key = house.key("agent", "agents")
    seen, refusals = asyncio.run(agents(house.gateway.port, key, "g", False, time.monotonic() + size(300, soak=600)))
    statement = read_statement(house.log)
    assert refusals, f"{len(seen)} calls, and the budget is not spent"
    assert {one.code for one in refusals} <= {"insufficient_quota", "budget_exceeded"}
    shares = [100 * spent(statement, "gx", one.told) / LIMIT for one in refusals]
    count(f"no false refusal: {len(seen)} calls, first refused at {min(shares):.1f} % of $25")
    assert min(shares) >= 80
    audit = house.audit(seen, lambda nonce, tokens: 60 + len(PIECE) * (tokens // EACH + 1))
    assert audit.problems == []
