"""Grant: what a key may do."""

from __future__ import annotations

import msgspec


class Grant(msgspec.Struct, frozen=True):
    """What the key with this public id may do. Times are UTC milliseconds; `expires` null: never.

    More fields come at the end, each with a default that allows no more than before.
    """

    public_id: str
    name: str
    created: int
    expires: int | None = None
