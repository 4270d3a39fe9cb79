"""When admission stops because too much waits, and when it goes on."""

from __future__ import annotations

from encke.keeper.gauge import NO_CAP, Gauge, JournalCap


def test_stops_at_four_fifths_of_the_bytes_and_goes_on_at_three() -> None:
    """Between the two nothing changes, so that it does not flutter."""
    gauge = Gauge(JournalCap(1000, float("inf")))
    told = [(gauge.changed(waiting, False, 0.0), gauge.held) for waiting in (0, 799, 800, 900, 600, 599, 799)]
    assert told == [
        (False, False), (False, False), (True, True), (False, True), (False, True), (True, False), (False, False),
    ]  # fmt: skip


def test_stops_when_the_store_is_away_for_too_long() -> None:
    """The time counts from the first refusal, and is forgotten when the store is back."""
    gauge = Gauge(JournalCap(1 << 40, 100.0))
    rounds = ((True, 1000.0), (True, 1079.0), (True, 1080.0), (False, 1081.0), (True, 1082.0))
    told = [(gauge.changed(0, troubled, now), gauge.held) for troubled, now in rounds]
    assert told == [(False, False), (False, False), (True, True), (True, False), (False, False)]


def test_no_cap() -> None:
    """Without one nothing stops."""
    gauge = Gauge(NO_CAP)
    assert not gauge.changed(1 << 50, True, 0.0) and not gauge.changed(1 << 50, True, 1e9)
