"""What a key may know of itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from encke.admin.frames import Frame
from encke.core.faults import Fault
from encke.core.money import NANO
from encke.http.drive import Driver, Signal
from encke.keys.grant import Grant, Limit, Rules
from encke.keys.granting import Changes, LevelRow
from encke.keys.snapshot import Received
from encke.limits.book import KeeperAway
from encke.worker.own_key import OwnKey

NOW = 1_795_000_000_000  # 2026-11-18T11:06:40Z
NOVEMBER, DECEMBER = 1_793_491_200_000, 1_796_083_200_000
MONTH = Limit(7, "budget", 25 * NANO, 'project "web"', "month")
TOTAL = Limit(8, "budget", 100 * NANO, 'key "app"', strict=True)
RPM = Limit(9, "requests", 60, 'key "app"')
CALLS = Limit(10, "concurrency", 4, 'key "app"')


def known() -> Received:
    """A project of an organisation."""
    received = Received()
    received.grants.apply(Changes(1, [(3, LevelRow("acme"))], [(2, LevelRow("web", 3))], []))
    return received


def shown(grant: Grant, keeper: Callable[[dict[str, Any], Signal[Frame]], None]) -> dict[str, Any]:
    """The answer's JSON, with a keeper that sets or fails the answer to a question; or the Fault is raised."""
    found: list[dict[str, Any]] = []
    problems: list[BaseException] = []

    def ask(kind: str, payload: dict[str, Any], timeout: float) -> Signal[Frame]:
        assert (kind, timeout) == ("status", 2.0)
        answer: Signal[Frame] = Signal()
        keeper(payload, answer)
        return answer

    async def run() -> None:
        found.append(await OwnKey(known(), ask).show(grant, NOW))

    Driver(run(), lambda error: problems.append(error) if error is not None else None).start()
    if problems:
        raise problems[0]
    result: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(found[0]))
    return result


def standing(payload: dict[str, Any], answer: Signal[Frame]) -> None:
    """A keeper that knows of what was spent."""
    assert payload == {"accounts": [[7, NOVEMBER], [8, 0], [9, 0], [10, 0]]}
    items = [
        [7, NOVEMBER, 25 * NANO, 24 * NANO, NANO // 2, NANO // 2, DECEMBER],
        [8, 0, 100 * NANO, 1, 0, 100 * NANO - 1, None],
        [9, 0, 60, 0, 0, 58, NOW + 2000],
        [10, 0, 4, 0, 1, 3, None],
    ]
    answer.set(Frame("status", 1, {"items": items}))


def test_limits_with_what_is_left() -> None:
    """Names, rules of all levels, tags, and every limit with its figures: dollars as exact texts, counts as numbers."""
    rules = (Rules(models=("gpt-*",), tags=("b",)), Rules(routes=("chat",), tags=("a", "b")), Rules(tags=("c",)))
    grant = Grant("pub", "app", NOVEMBER, DECEMBER, 2, (MONTH, TOTAL, RPM, CALLS), rules, "reject")
    month = {
        "kind": "budget", "scope": 'project "web"', "period": "month", "strict": False, "zone": "UTC", "anchor": 1,
        "since": "2026-11-01T00:00:00Z", "amount": "25", "spent": "24", "reserved": "0.5", "left": "1",
        "reset": "2026-12-01T00:00:00Z",
    }  # fmt: skip
    assert shown(grant, standing) == {
        "object": "key",
        "id": "pub",
        "name": "app",
        "project": "web",
        "organisation": "acme",
        "created": "2026-11-01T00:00:00Z",
        "expires": "2026-12-01T00:00:00Z",
        "rules": [
            {"models": ["gpt-*"], "routes": None, "addresses": None},
            {"models": None, "routes": ["chat"], "addresses": None},
        ],
        "on_unsupported": "reject",
        "tags": ["a", "b", "c"],
        "limits": [
            month,
            {
                "kind": "budget", "scope": 'key "app"', "period": "total", "strict": True, "amount": "100",
                "spent": "0.000000001", "reserved": "0", "left": "99.999999999", "reset": None,
            },
            {
                "kind": "requests", "scope": 'key "app"', "per": "minute", "amount": 60, "left": 58,
                "reset": "2026-11-18T11:06:42Z",
            },
            {"kind": "concurrency", "scope": 'key "app"', "amount": 4, "reserved": 1, "left": 3},
        ],
        "tightest_budget": month,
        "data": {"label": "app", "limit": 25, "usage": 24, "limit_remaining": 1, "is_free_tier": False},
    }  # fmt: skip


def test_a_key_without_limits_asks_nobody() -> None:
    """It is answered also while the keeper is away."""

    def never(payload: dict[str, Any], answer: Signal[Frame]) -> None:
        raise AssertionError

    found = shown(Grant("pub", "app", NOVEMBER, None, 2), never)
    assert (found["limits"], found["tightest_budget"], found["expires"], found["rules"]) == ([], None, None, [])
    assert found["data"] == {
        "label": "app", "limit": None, "usage": None, "limit_remaining": None, "is_free_tier": False,
    }  # fmt: skip


def away(payload: dict[str, Any], answer: Signal[Frame]) -> None:
    """No keeper."""
    answer.fail(KeeperAway())


def cannot(payload: dict[str, Any], answer: Signal[Frame]) -> None:
    """A keeper whose store is away."""
    answer.set(Frame("status", 1, {"unavailable": True}))


def knows_nothing(payload: dict[str, Any], answer: Signal[Frame]) -> None:
    """A keeper that does not know the limit any more."""
    answer.set(Frame("status", 1, {"items": []}))


@pytest.mark.parametrize("keeper", [away, cannot, knows_nothing])
def test_without_figures_there_is_no_answer(keeper: Callable[[dict[str, Any], Signal[Frame]], None]) -> None:
    """503: figures that may be old are worse than none."""
    with pytest.raises(Fault) as raised:
        shown(Grant("pub", "app", NOVEMBER, None, 2, (MONTH,)), keeper)
    assert (raised.value.status, raised.value.code) == (503, "unavailable")
