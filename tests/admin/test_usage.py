"""The usage report."""

from __future__ import annotations

import pytest

from encke.admin.context import AdminError, Context
from encke.admin.usage import usage
from tests.admin.conftest import NOW
from tests.store.contract import DAY, entry

HOUR = 3_600_000


def test_range(ctx: Context) -> None:
    """The default is the last 24 hours, this millisecond included; other ranges are half open."""
    ctx.store.append([entry(started=s) for s in (NOW, NOW - DAY, NOW - DAY - 1, NOW + 1)])
    assert usage(ctx).total.calls == 2
    assert usage(ctx, "30d").total.calls == 3
    assert usage(ctx, "2026-12-31", "2027-01-01").total.calls == 1
    assert usage(ctx, "2026-12-30", "1h").total.calls == 2


def test_groups_add_up(ctx: Context) -> None:
    """Across midnight UTC each day has its own row, and the rows add up to the total."""
    ctx.store.append([entry(started=NOW + hour * HOUR, asked=f"m{hour % 3}") for hour in range(-30, 1)])
    for by, groups in (("day", 3), ("model", 3), ("key", 1)):
        report = usage(ctx, "7d", by=by)
        assert len(report.rows) == groups
        assert sum(row.calls for row in report.rows) == report.total.calls == 31
        assert sum(row.cost or 0 for row in report.rows) == report.total.cost == 31 * 1_234
    days = usage(ctx, "7d", by="day").rows
    assert [(row.group, row.calls) for row in days] == [("2026-12-30", 6), ("2026-12-31", 24), ("2027-01-01", 1)]
    assert usage(ctx).rows == []


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("yesterday",), 'since "yesterday" is not a time'),
        (("24h", "soon"), 'until "soon" is not a time'),
        (("2027-01-01", "2026-12-31"), r"until \(2026-12-31T00:00:00Z\) is not after since \(2027-01-01T00:00:00Z\)"),
        (("2028-01-01",), "is not after since"),
        (
            ("24h", None, "colour"),
            'cannot group by "colour"; use key, model, provider, credential, project, organisation, tag or day',
        ),
    ],
)
def test_bad_arguments(ctx: Context, args: tuple[str, ...], message: str) -> None:
    """What cannot be meant is refused with the value and what would work."""
    with pytest.raises(AdminError, match=message):
        usage(ctx, *args)
