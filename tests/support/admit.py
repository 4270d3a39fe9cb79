"""Keys without a keeper."""

from __future__ import annotations

from collections.abc import Mapping

from encke.keys.granting import KeyRow, LevelRow, pack
from encke.keys.secret import digest
from encke.keys.snapshot import Part, Received
from encke.worker.admission import Admission


def known(pepper: bytes, keys: Mapping[str, str]) -> Received:
    """A snapshot with these keys of the default project, by public id."""
    rows = [(digest(pepper, key), pack(KeyRow(id, id, 0, 1))) for id, key in keys.items()]
    made = Received()
    made.take(Part(1, None, pepper, [(1, LevelRow("default"))], [(1, LevelRow("default", 1))], list(rows)))
    return made


def admitting(pepper: bytes, keys: Mapping[str, str]) -> Admission:
    """One that lets them in."""
    made = Admission(known(pepper, keys))
    made.renew()
    return made
