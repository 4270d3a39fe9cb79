"""The corpus of the fuzzer as ordinary tests: what once reached something new, or broke something, holds today."""

from __future__ import annotations

import pytest

from encke.framing.sse import SseEvent, SseSplitter
from tests.conftest import Count
from tests.fuzz import framing
from tests.fuzz.targets import CORPUS, TARGETS

MOST = 500_000  # bytes of all inputs together


@pytest.mark.parametrize("name", TARGETS)
def test_every_input_of_the_corpus_holds(name: str, count: Count) -> None:
    """What the target's own sentence says holds for each input that was kept."""
    files = sorted((CORPUS / name).iterdir())
    assert files
    for file in files:
        try:
            TARGETS[name](file.read_bytes())
        except Exception as error:
            error.add_note(f"the input is {file}")
            raise
    count(f"fuzz corpus: {name}: {len(files)} inputs hold")


def test_the_corpus_is_small_and_all_of_it_is_used() -> None:
    """No target without a corpus, no corpus without a target, and little to carry along."""
    assert {path.name for path in CORPUS.iterdir()} == set(TARGETS)
    assert sum(path.stat().st_size for path in CORPUS.rglob("*") if path.is_file()) < MOST


def test_a_fault_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A splitter that loses the last event of a read does not get through the corpus."""

    class Forgetful(SseSplitter):
        def feed(self, chunk: bytes) -> list[SseEvent]:
            return super().feed(chunk)[:-1]

    monkeypatch.setattr(framing, "SseSplitter", Forgetful)
    with pytest.raises(AssertionError):
        for file in (CORPUS / "sse").iterdir():
            framing.sse(file.read_bytes())
