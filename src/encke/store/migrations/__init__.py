"""The schema, as the ordered list of steps that made it. A step that has been released is never edited.

A step is the name of a file of SQL in this folder. `PRAGMA user_version` of a store is the number of steps it has had.
"""

from __future__ import annotations

from importlib.resources import files

STEPS = (
    "0001_first.sql",
    "0002_credential.sql",
    "0003_no_marks.sql",
    "0004_grants.sql",
    "0005_money.sql",
    "0006_leases.sql",
    "0007_replies.sql",
)


def sql(step: str) -> str:
    """The text of one step."""
    return files(__name__).joinpath(step).read_text("utf-8")
