"""Which processes shall die where: the points of `ENCKE_CRASHPOINT`, handed out one by one. For tests only."""

from __future__ import annotations

from collections.abc import Sequence

from encke.core.crash import Crash, CrashPoint, crash_at


class Doom:
    """`here` is asked by the supervisor itself at its places."""

    def __init__(self, points: Sequence[CrashPoint]) -> None:
        self._points = list(points)
        self.here: Crash = crash_at(self.next("supervisor"))

    def next(self, role: str) -> CrashPoint | None:
        """The next one for a process of this role, which is about to be started; each is for one process."""
        found = next((point for point in self._points if point.place.startswith(f"{role}.")), None)
        if found is not None:
            self._points.remove(found)
        return found
