"""What a call costs, however it ends: every cell of the billing table, on every route, streamed and whole."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import count as numbers
from pathlib import Path
from typing import Any

import msgspec
import pytest

from encke.testing.behaviours import BEHAVIOURS, by_request
from encke.testing.polite import Answer, Options
from encke.testing.request import Request
from encke.testing.script import Script
from encke.testing.upstream import FakeUpstream
from tests.conftest import Count
from tests.durability.crowd import Seen
from tests.money.burst import Wish, call
from tests.money.cells import BODY_BYTES, CELLS, NONCE_LENGTH, PRICE, TOLD, Bill, Cell
from tests.money.house import House
from tests.support.accountant import READ, WRITTEN
from tests.support.gateway import lab

_NUMBERS = numbers(1)


class Completion(Answer):
    """The same answer as an old completion has it."""

    def reply(self, **more: Any) -> dict[str, Any]:
        choice = {"index": 0, "text": self.content, "logprobs": None, "finish_reason": self.finish}
        return self._object("text_completion", [choice], usage=self.usage, **more)

    def chunk(self, delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
        choice = {"index": 0, "text": delta.get("content", ""), "logprobs": None, "finish_reason": finish}
        return self._object("text_completion", [choice], **more)


class Plain(Answer):
    """An answer without text: embeddings, or verdicts. Nothing is written."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.usage = self.options.usage or {"prompt_tokens": self.prompt_tokens, "total_tokens": self.prompt_tokens}
        self.pieces = []

    def reply(self, **more: Any) -> dict[str, Any]:
        data = [{"object": "embedding", "index": 0, "embedding": [0.25] * 40}]
        return {"object": "list", "data": data, "model": "m", "usage": self.usage, **more}


class Moderation(Plain):
    """A verdict."""

    def reply(self, **more: Any) -> dict[str, Any]:
        results = [{"flagged": False, "categories": {f"c{n}": False for n in range(9)}}]
        return {"id": "modr-1", "model": "m", "results": results, "usage": self.usage, **more}


@dataclass(frozen=True)
class Route:
    """A path, the field with the text, and what answers it."""

    path: str
    answer: type[Answer]
    streams: bool

    def body(self, text: str) -> dict[str, Any]:
        """The fields of a request but for model and stream."""
        if self.path == "/v1/chat/completions":
            return {"messages": [{"role": "user", "content": text}]}
        return {"prompt" if self.streams else "input": text}


ROUTES = {
    "chat": Route("/v1/chat/completions", Answer, True),
    "completions": Route("/v1/completions", Completion, True),
    "embeddings": Route("/v1/embeddings", Plain, False),
    "moderations": Route("/v1/moderations", Moderation, False),
}
PLANS: dict[str, dict[str, Any]] = {}  # what upstream shall do, by nonce
BY_PATH = {route.path: route for route in ROUTES.values()}


def play(request: Request) -> Script:
    """Any behaviour on any route, as planned for the nonce in the field `user`."""
    route = BY_PATH.get(request.path)
    nonce = request.json.get("user")
    if route is None or nonce not in PLANS:
        return by_request(request)
    # Where the fake upstream looks for it: in the last message.
    request.json.setdefault("messages", [{"role": "user", "content": f"token:{nonce}"}])
    options = msgspec.convert(PLANS[nonce], Options)
    answer = route.answer(request, options)
    return Script(BEHAVIOURS[options.name](answer), options.name, answer.prompt_tokens)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The upstream's statement."""
    return tmp_path_factory.mktemp("player") / "upstream.jsonl"


@pytest.fixture(scope="module")
def player(log: Path) -> Iterator[FakeUpstream]:
    """In this process, so that it can play any route."""
    with FakeUpstream(play, log=log) as running:
        yield running


@pytest.fixture(scope="module")
def house(player: FakeUpstream, log: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A budget on every level, so that every call is held and charged."""
    timeouts = {"first_byte": 0.6, "idle": 0.6, "total": 5, "connect": 1.0}
    table = lab(player.url, prices={"m": PRICE}, timeouts=timeouts)["providers"]["lab"]
    gone = {**table, "base_url": "http://127.0.0.1:9/v1"}
    settings = {"providers": {"lab": table, "gone": gone}, "routing": {"retries": 0, "breaker": "off"}}
    with House(tmp_path_factory.mktemp("house"), log, settings, workers=1) as made:
        made.organisation("acme", "--budget", "1000")
        made.project("web", "acme", "--budget", "900/month")
        made.key("app", "web", "--budget", "800/day")
        yield made


def wish(cell: Cell, route: Route, stream: bool, key: str) -> Wish:
    """The call, padded so that upstream gets `BODY_BYTES`."""
    nonce = f"b{next(_NUMBERS):0{NONCE_LENGTH - 1}d}"
    PLANS[nonce] = {"prompt_tokens": TOLD, **cell.behave}
    more = {**route.body(f"token:{nonce} "), "user": nonce, **({"stream": True} if stream else {})}
    sent = {"model": "m", **more, **({"stream_options": {"include_usage": True}} if stream else {})}
    pad = BODY_BYTES - len(outer(sent))
    assert pad >= 0, f"{cell.name} needs {-pad} bytes more"
    more |= route.body(f"token:{nonce} {'x' * pad}")
    return Wish(nonce, key, stream, cell.model, path=route.path, body=more, leave=cell.leave)


def outer(body: dict[str, Any]) -> bytes:
    """The body as the gateway sends it: the top level anew, what is in it as it came."""
    return b"{" + b",".join(b"%b:%b" % (json.dumps(k).encode(), json.dumps(v).encode()) for k, v in body.items()) + b"}"


def cases() -> list[tuple[Cell, str, bool]]:
    """Cell, route, stream."""
    found = []
    for cell in CELLS:
        for name, route in ROUTES.items():
            if cell.whole is not None and (route.streams or not cell.text):
                found.append((cell, name, False))
            if cell.stream is not None and route.streams:
                found.append((cell, name, True))
    return found


def bill_of(cell: Cell, route: Route, stream: bool) -> Bill:
    """What the table says."""
    bill = cell.stream if stream else cell.whole
    assert bill is not None
    return bill if route.streams or cell.plain is None else cell.plain


def test_every_cell(house: House, player: FakeUpstream, count: Count) -> None:
    """Status, tokens, cost and flag are the table's, in the ledger and, for whole answers, in `x-encke-cost`; the
    statement, the rows, the accounts and the hours agree."""
    wanted = cases()
    wishes = [wish(cell, ROUTES[name], stream, house.keys["app"]) for cell, name, stream in wanted]

    async def run() -> list[Seen]:
        turns = asyncio.Semaphore(12)

        async def one(made: Wish) -> Seen:
            async with turns:
                return await call(house.gateway.port, made)

        return await asyncio.gather(*map(one, wishes))

    seen = asyncio.run(run())
    rows = house.rows_of([made.nonce for made in wishes])
    problems = []
    for (cell, name, stream), made, one in zip(wanted, wishes, seen, strict=True):
        bill, found = bill_of(cell, ROUTES[name], stream), rows[made.nonce]
        where = f"{cell.phase}: {cell.name}, {name}{' stream' if stream else ''}"
        problems += [f"{where}: {problem}" for problem in differences(bill, found)]
        if bill.status == "complete" and not stream and Fraction(one.cost or "-1") * 10**9 != bill.cost:
            problems.append(f"{where}: x-encke-cost is {one.cost!r}")
    assert not problems, "\n".join(problems)
    sizes = {one.body_bytes for one in player.statement.calls() if one.method == "POST"}
    assert sizes <= {BODY_BYTES, BODY_BYTES - 1}
    count(f"billing table: {len(wanted)} cells, {len(CELLS)} endings on {len(ROUTES)} routes")


def differences(bill: Bill, rows: list[dict[str, Any]]) -> list[str]:
    """Between a bill and the ledger."""
    *before, row = rows
    if before and (len(before) > 1 or before[0]["reason"] != "upstream_reset" or before[0]["cost"]):
        # An idle connection may turn out to have ended: then the request has not arrived, and is sent again.
        return [f"{len(rows)} rows: {[(one['status'], one['reason'], one['cost']) for one in rows]}"]
    read, written = (sum(row[name] for name in names) for names in (READ, WRITTEN))
    found = Bill(row["status"], read, written, row["cost"] or 0, bool(row["estimated"]))
    return [] if found == bill else [f"{found}, not {bill}"]


def test_the_books_agree(house: House) -> None:
    """After all of these endings the accountant finds nothing."""
    assert house.audit([], prices={"m": PRICE}).problems == []
