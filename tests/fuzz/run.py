"""Fuzz one target, guided by coverage: `python -m tests.fuzz.run TARGET PROGRAM [options of libFuzzer]` (tools/fuzz).

PROGRAM is what runs all this again: libFuzzer starts itself by its own name to make a corpus smaller.
"""

from __future__ import annotations

import importlib
import sys

import atheris


def main() -> None:
    """Instrument what is ours while it is imported, then hand the target to libFuzzer."""
    _, name, program, *options = sys.argv
    with atheris.instrument_imports(include=["encke"]):
        targets = importlib.import_module("tests.fuzz.targets")
    atheris.Setup([program, *options], targets.TARGETS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
