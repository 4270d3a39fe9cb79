"""Many exchanges through one gateway at once: the upstream plays each by its number, and every answer is judged."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from zlib import crc32

from encke.testing.replay import Exchange
from encke.testing.request import Request
from encke.testing.script import Script
from tests.relay import oracle
from tests.relay.addresses import provider_of, request_problems
from tests.relay.caller import Caller, Came
from tests.relay.judge import differences, header_problems
from tests.support.gateway import Gateway
from tests.support.presets import PRESETS

LANES = 16
OWN = "ours"  # the provider of our own examples
_NUMBERS = count()
MODES = ("whole", "random", "bytes")


@dataclass(frozen=True)
class Case:
    """One exchange to be played in one way. `model` names it, so that the upstream knows which to play."""

    number: int
    exchange: Exchange
    mode: str

    @property
    def model(self) -> str:
        return f"x{self.number}.{self.mode}"

    @property
    def provider(self) -> str:
        """The gateway's provider that plays the recorded one."""
        return provider_of(self.exchange)

    @property
    def asked(self) -> str:
        return f"{self.provider}/{self.model}"

    @property
    def stream_usage(self) -> str:
        """What its preset says."""
        return PRESETS[self.provider].stream_usage if self.provider in PRESETS else "option"

    @property
    def script(self) -> Script:
        if self.mode == "whole":
            return self.exchange.whole()
        return (
            self.exchange.bytewise()
            if self.mode == "bytes"
            else self.exchange.at_random(crc32(self.exchange.id.encode()))
        )

    def request(self, minimal: dict[str, Any]) -> dict[str, Any]:
        """The recorded body with our model's name, or `minimal` where none was recorded."""
        recorded = self.exchange.request_body
        if recorded is not None:
            return {**recorded, "model": self.asked}
        return {**minimal, "model": self.asked, **({"stream": True} if self.exchange.stream else {})}


@dataclass
class Tally:
    """What was played and what was wrong about it."""

    exchanges: Counter[str] = field(default_factory=Counter)
    events: int = 0
    size: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        by_provider = ", ".join(f"{name} {count}" for name, count in sorted(self.exchanges.items()))
        notes = ", ".join(f"{count} {note}" for note, count in sorted(self.notes.items()))
        return f"{self.exchanges.total()} relayed, {self.events} events, {self.size} bytes ({notes}): {by_provider}"


class Stage:
    """The upstream's side: plays the case that the model names, and keeps what it was sent."""

    def __init__(self) -> None:
        self.cases: dict[str, Case] = {}
        self.sent: dict[str, list[Request]] = {}

    def behave(self, request: Request) -> Script:
        case = self.cases[request.model or ""]
        self.sent.setdefault(case.model, []).append(request)
        return case.script

    def play(
        self, port: int, key: str, path: str, cases: Sequence[Case], minimal: dict[str, Any], field: str = "choices"
    ) -> Tally:
        """Send every case through the gateway at `port`, `LANES` at a time, and judge what comes."""
        self.cases.update((case.model, case) for case in cases)
        tally = Tally()
        asyncio.run(self._lanes(port, key, path, cases, minimal, field, tally))
        return tally

    async def _lanes(
        self, port: int, key: str, path: str, cases: Sequence[Case], minimal: dict[str, Any], field: str, tally: Tally
    ) -> None:
        waiting = list(reversed(cases))

        async def lane() -> None:
            caller = Caller(port, key)
            try:
                while waiting:
                    case = waiting.pop()
                    body = case.request(minimal)
                    came = await asyncio.wait_for(caller.post(path, layout(body)), 180)
                    self._judge(case, body, came, field, tally)
            finally:
                caller.close()

        await asyncio.gather(*(lane() for _ in range(LANES)))

    def _judge(self, case: Case, body: dict[str, Any], came: Came, field: str, tally: Tally) -> None:
        exchange = case.exchange
        stream = body.get("stream") is True and field == "choices"
        wants_usage = (body.get("stream_options") or {}).get("include_usage") is True
        expected = oracle.expect(stream, wants_usage, exchange.status, exchange.body, field=field)
        request = oracle.upstream_request(body, case.model, case.stream_usage if stream else "")
        problems = [*differences(expected, came), *header_problems(exchange, case.asked, stream, came)]
        sent = self.sent.get(case.model, [])
        if [one.body for one in sent] != [layout(request)]:
            problems.append(f"upstream was sent {[one.body for one in sent]} instead of {layout(request)!r}"[:2000])
        problems += [problem for one in sent for problem in request_problems(case.provider, exchange, one)]
        tally.exchanges[exchange.provider] += 1
        tally.events += came.body.count(b"\n\n") if stream else 0
        tally.size += len(came.body)
        tally.notes.update([*expected.notes, "errors" if expected.status != 200 else "answers"])
        tally.differences += [f"{exchange.provider} {exchange.id} {case.mode}: {problem}" for problem in problems]


def layout(body: dict[str, Any]) -> bytes:
    """JSON whose top level is compact and whose values are spread over lines: they must come through untouched."""
    members = [json.dumps(name) + ":" + _value(name, value) for name, value in body.items()]
    return ("{" + ",".join(members) + "}").encode()


def _value(name: str, value: Any) -> str:
    # The two that the gateway may write itself are compact, as it writes them.
    own = name in ("model", "stream_options")
    return json.dumps(value, ensure_ascii=False, indent=None if own else 1, separators=(",", ":") if own else None)


def cases(exchanges: Iterable[Exchange], modes: Iterable[str]) -> list[Case]:
    """A case for each exchange and mode, in an order that mixes them."""
    found = [(exchange, mode) for exchange in exchanges for mode in modes]
    random.Random(len(found)).shuffle(found)
    return [Case(next(_NUMBERS), exchange, mode) for exchange, mode in found]


def check(
    stage: Stage, gateway: Gateway, path: str, played: Sequence[Case], minimal: dict[str, Any], field: str
) -> None:
    """Play them all and say how many of what; fails with the first differences. Arguments as for `Stage.play`."""
    tally = stage.play(gateway.port, gateway.key, path, played, minimal, field)
    print(f"\n{path}: {tally}")
    assert tally.exchanges.total() == len(played)
    shown = "\n".join(tally.differences[:12])
    assert not tally.differences, f"{len(tally.differences)} differences in {len(played)}; the first:\n{shown}"
