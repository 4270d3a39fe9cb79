"""The workers: those at their places, those that will follow, those that finish their last calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from encke.supervise.nursery import Place, Process


@dataclass(slots=True)
class Fleet:
    """All processes that are workers. `retired` ones accept no more connections and end by themselves."""

    places: list[Place]
    retired: list[Process] = field(default_factory=list)

    def processes(self) -> Iterator[Process]:
        """Every one that lives."""
        for place in self.places:
            yield from (process for process in (place.process, place.successor) if process is not None)
        yield from self.retired

    @property
    def all_ready(self) -> bool:
        """Whether every place has a worker that answers calls."""
        return all(place.process is not None and place.process.ready for place in self.places)

    def gone(self, process: Process) -> None:
        """One has ended: where it was is free."""
        for place in self.places:
            if place.process is process:
                place.ended(process)
            elif place.successor is process:
                place.successor = None
        if process in self.retired:
            self.retired.remove(process)
