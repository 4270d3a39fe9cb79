from __future__ import annotations

import re
import signal
import sys
from pathlib import Path

import pytest

from encke.local.cpu import explain, missing_instructions, probe_cpu

_INFO = "CPU : SSE3 = 1 | AVX = 1 | AVX2 = 1 | AVX512 = 0 | LLAMAFILE = 1 | "


@pytest.mark.parametrize(
    ("status", "errors", "words"),
    [
        (98, "", r"encke\[local\]"),
        (-signal.SIGILL, "", "CPU lacks instructions"),
        (1, "Traceback\nImportError: libgomp.so.1: cannot open shared object file: No such", "apt install libgomp1"),
        (1, "Traceback\nImportError: undefined symbol: x", r"undefined symbol: x$"),
        (-signal.SIGSEGV, "", "status -11"),
    ],
)
def test_each_end_of_the_child_has_its_reason(status: int, errors: str, words: str) -> None:
    """Not installed, an illegal instruction, a failed import and a crash are told apart."""
    reason = explain(status, "", errors, frozenset())
    assert reason is not None
    assert re.search(words, reason)


def test_a_cpu_without_avx2_is_named_before_it_crashes() -> None:
    """What the library says it was compiled for is compared with the CPU's flags."""
    assert missing_instructions(_INFO, frozenset({"pni", "avx"})) == ["AVX2"]
    assert "AVX2" in (explain(0, _INFO, "", frozenset({"pni", "avx"})) or "")


def test_unknown_flags_are_not_missing_ones() -> None:
    """On a system that does not tell its CPU's flags nothing is claimed."""
    assert explain(0, _INFO, "", frozenset()) is None


def test_this_machine_runs_the_engine() -> None:
    """The real child, with the real library."""
    pytest.importorskip("xllamacpp")
    assert probe_cpu() is None


def test_without_the_library_the_reason_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real child in a Python that has no xllamacpp."""
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(bare))
    assert "encke[local]" in (probe_cpu() or "")
