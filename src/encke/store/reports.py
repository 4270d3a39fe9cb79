"""Sums over the entries: whole hours from the sums that were written with them, what is left from the entries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import apsw
import msgspec

from encke.keys.grant import Rules
from encke.store.port import GroupBy, UsageRow
from encke.store.sums import HOUR_MS, LINE, LINE_SQL

HOURS_A_DAY: Final = 24
# Sorting a few weeks one after the other takes less than sorting all at once.
WEEK: Final = 7 * HOURS_A_DAY

# The numbers of a row, and what they are made from: in `hours`, and in `entries`.
_READ: Final = "input + cache_read + cache_write_5m + cache_write_1h + audio_input + image_input"
_WRITTEN: Final = "output + reasoning + audio_output + image_output"
_FAILED: Final = "status NOT IN ('complete', 'client_closed')"
_NUMBERS: Final = {
    "calls": ("sum(calls)", "count(*) FILTER (WHERE attempt < 2)"),
    "ended": ("sum(ended)", "count(*) FILTER (WHERE final)"),
    "failed": ("sum(failed)", f"count(*) FILTER (WHERE final AND {_FAILED})"),
    "attempts": ("sum(attempts)", "count(*) FILTER (WHERE attempt > 0)"),
    "failed_attempts": ("sum(failed_attempts)", f"count(*) FILTER (WHERE attempt > 0 AND {_FAILED})"),
    "input": (f"sum({_READ})", f"sum({_READ})"),
    "cached": ("sum(cache_read)", "sum(cache_read)"),
    "output": (f"sum({_WRITTEN})", f"sum({_WRITTEN})"),
    "priced": ("sum(priced)", "count(cost)"),
    "cost": ("sum(cost)", "coalesce(sum(cost), 0)"),
    "unpriced": ("sum(unpriced)", f"count(*) FILTER (WHERE cost IS NULL AND {_READ} + {_WRITTEN} > 0)"),
    "estimated": ("sum(estimated)", "sum(estimated)"),
}
_OF_HOURS: Final = ", ".join(of_hours for of_hours, _ in _NUMBERS.values())
_OF_ENTRIES: Final = ", ".join(of_entries for _, of_entries in _NUMBERS.values())

_SPAN: Final = "WHERE hour >= ? AND hour < ?"
_MOMENTS: Final = "WHERE started >= ? AND started < ?"
# All of it is ours.
_BY_LINE: Final = (
    f"SELECT {LINE_SQL}, sums.* FROM (SELECT line, {_OF_HOURS} FROM hours {_SPAN} GROUP BY line) AS sums "  # noqa: S608
    "JOIN lines ON lines.id = sums.line"
)
_EDGE_BY_LINE: Final = f"SELECT {LINE_SQL}, 0, {_OF_ENTRIES} FROM entries {_MOMENTS} GROUP BY {LINE_SQL}"  # noqa: S608
_BY_HOUR: Final = f"SELECT hour, {_OF_HOURS} FROM hours {_SPAN} GROUP BY hour"  # noqa: S608
_EDGE_BY_HOUR: Final = f"SELECT started / {HOUR_MS}, {_OF_ENTRIES} FROM entries {_MOMENTS} GROUP BY 1"  # noqa: S608

_ANY: Final = f"SELECT EXISTS (SELECT 1 FROM entries {_MOMENTS})"  # noqa: S608


class _Line(NamedTuple):
    """What entries are summed up by: the columns of `lines`."""

    key: str
    project: int
    asked: str
    provider: str
    model: str
    credential: str


def usage(db: apsw.Connection, since: int, until: int, by: GroupBy | None) -> list[UsageRow]:
    """See `Store.usage`. Within one transaction, so that all of it is of one moment."""
    found: dict[str, list[int]] = {}
    if by is None or by == "day":
        for hour, *numbers in _pieces(db, since, until, _BY_HOUR, _EDGE_BY_HOUR):
            _add(found, _day(db, hour) if by else "", numbers)
    else:
        groups = _GROUPS[by](db)
        for row in _pieces(db, since, until, _BY_LINE, _EDGE_BY_LINE):
            for group in groups(_Line(*row[: len(LINE)])):
                _add(found, group, row[len(LINE) + 1 :])
    if by is None and not found:
        found[""] = [0] * len(_NUMBERS)
    names = _NAMES[by](db) if by in _NAMES else {}
    rows = [_row(group, names.get(group, ""), by, numbers) for group, numbers in found.items()]
    return sorted(rows, key=lambda row: (row.group if by == "day" else "", -row.calls, row.group))


def span(db: apsw.Connection, since: int, until: int) -> tuple[int, int]:
    """See `Store.span`."""
    removed = _removed(db) * HOUR_MS
    if since < removed:
        since -= since % HOUR_MS
    if until < removed:
        until += -until % HOUR_MS
    return since, until


def _removed(db: apsw.Connection) -> int:
    """Of hours before this one, entries have been removed."""
    last = db.execute("SELECT max(hour) FROM pruned_hours").get
    return 0 if last is None else int(last) + 1


def _pieces(db: apsw.Connection, since: int, until: int, whole: str, edge: str) -> Iterator[Any]:
    """Rows that `whole` gives for the hours that lie within, and `edge` for what is left at both ends.

    An hour that lies within but for a part without entries lies within.
    """
    since, until = span(db, since, until)
    first, last = since // HOUR_MS, until // HOUR_MS  # both may be cut
    begin, end = first * HOUR_MS, last * HOUR_MS
    if first == last and db.execute(_ANY, (begin, since)).get | db.execute(_ANY, (until, end + HOUR_MS)).get:
        yield from db.execute(edge, (since, until))
        return
    if db.execute(_ANY, (begin, since)).get:
        first += 1
        yield from db.execute(edge, (since, first * HOUR_MS))
    if db.execute(_ANY, (until, end + HOUR_MS)).get:
        yield from db.execute(edge, (end, until))
    else:
        last += 1
    oldest, newest = db.execute("SELECT min(hour) FROM hours").get, db.execute("SELECT max(hour) FROM hours").get
    if oldest is not None:
        for start in range(max(first, oldest), min(last, newest + 1), WEEK):
            yield from db.execute(whole, (start, min(start + WEEK, last)))


def _add(found: dict[str, list[int]], group: str, numbers: Sequence[int]) -> None:
    known = found.get(group)
    found[group] = list(numbers) if known is None else [a + b for a, b in zip(known, numbers, strict=True)]


def _row(group: str, name: str, by: GroupBy | None, numbers: list[int]) -> UsageRow:
    sums = dict(zip(_NUMBERS, numbers, strict=True))
    ended, priced = sums.pop("ended"), sums.pop("priced")
    # A call stands in one line of its providers: that of its last attempt.
    calls = ended if by in ("provider", "credential") else sums["calls"]
    return UsageRow(
        group=group,
        name=name,
        calls=calls,
        failed_calls=sums["failed"],
        attempts=sums["attempts"],
        failed_attempts=sums["failed_attempts"],
        input=sums["input"],
        cached=sums["cached"],
        output=sums["output"],
        cost=sums["cost"] if priced else None,
        unpriced=sums["unpriced"],
        estimated=sums["estimated"],
    )


def _day(db: apsw.Connection, hour: int) -> str:
    text: str = db.execute("SELECT date(? * 3600, 'unixepoch')", (hour // HOURS_A_DAY * HOURS_A_DAY,)).get
    return text


# The groups that a line belongs to, by what is grouped by. Projects, organisations and tags are those of today.

_Groups = Callable[[_Line], Iterable[str]]


def _organisations(db: apsw.Connection) -> _Groups:
    owners = {project: str(owner) for project, owner in db.execute("SELECT id, organisation FROM projects")}
    return lambda line: (owners.get(line.project, ""),)


def _tags(db: apsw.Connection) -> _Groups:
    decode = msgspec.json.Decoder(Rules).decode

    def tags(query: str) -> dict[Any, tuple[str, ...]]:
        return {owner: decode(rules).tags for owner, rules in db.execute(query)}

    keys = tags("SELECT public_id, rules FROM keys")
    projects = tags("SELECT id, rules FROM projects")
    above = tags(
        "SELECT projects.id, organisations.rules FROM projects JOIN organisations ON organisation = organisations.id"
    )

    def groups(line: _Line) -> Iterable[str]:
        found = {*keys.get(line.key, ()), *projects.get(line.project, ()), *above.get(line.project, ())}
        return found or ("",)

    return groups


def _of(group: Callable[[_Line], str]) -> Callable[[apsw.Connection], _Groups]:
    return lambda db: lambda line: (group(line),)


_GROUPS: Final[dict[str, Callable[[apsw.Connection], _Groups]]] = {
    "key": _of(lambda line: line.key),
    "model": _of(lambda line: line.asked),
    "provider": _of(lambda line: line.provider),
    "credential": _of(lambda line: f"{line.provider}/{line.credential}" if line.credential else line.provider),
    "project": _of(lambda line: str(line.project)),
    "organisation": _organisations,
    "tag": _tags,
}


def _named(query: str) -> Callable[[apsw.Connection], dict[str, str]]:
    return lambda db: {str(id): name for id, name in db.execute(query)}


_NAMES: Final[dict[str | None, Callable[[apsw.Connection], dict[str, str]]]] = {
    "key": _named("SELECT public_id, name FROM keys"),
    "project": _named("SELECT id, name FROM projects"),
    "organisation": _named("SELECT id, name FROM organisations"),
}
