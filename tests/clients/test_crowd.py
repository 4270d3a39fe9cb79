"""A hundred streams at a time, of every client's dialect and every provider's wire."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from tests.clients.site import Site, behave
from tests.clients.talkers import TALKERS
from tests.clients.wires import WIRES


def test_a_hundred_streams_of_mixed_dialects(many: Site) -> None:
    """Each has all of its own answer, and nothing of another's."""
    talkers = [kind(many.root, many.key) for kind in TALKERS.values()]
    wires = list(WIRES)

    def ask(number: int) -> str:
        talker, wire = talkers[number % len(talkers)], wires[number % len(wires)]
        prompt = f"token:n{number}x " + behave(chunks=20, interval=0.01)
        return talker.ask(f"{wire}/fake", talker.user(prompt), stream=True).text

    with ThreadPoolExecutor(100) as threads:
        answers = list(threads.map(ask, range(100)))
    for number, text in enumerate(answers):
        assert text == f"token:n{number}x" + "".join(f" n{number}x.{piece}" for piece in range(1, 20))
