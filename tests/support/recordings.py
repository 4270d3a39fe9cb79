"""Where the recorded provider traffic is, for tests that can use it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

VARIABLE = "ENCKE_RECORDINGS"


def folder() -> Path:
    """The folder of recordings.

    Without it the calling test is skipped, saying what was left out; under CI it fails: nobody reads skips there.
    """
    given = os.environ.get(VARIABLE, "")
    if given and (Path(given) / "data").is_dir():
        return Path(given)
    why = f"{VARIABLE}={given!r} has no folder 'data'" if given else f"{VARIABLE} is not set"
    if os.environ.get("CI"):
        pytest.fail(f"{why}: under CI the recordings have to be there", pytrace=False)
    pytest.skip(f"LEFT OUT, recorded provider traffic: {why}; our own examples were used instead")
