"""Blocks: whatever order deltas come in, whole blocks one after the other, and nothing lost."""

from __future__ import annotations

import random

import pytest

from encke.core.delta import ARGUMENTS, CLOSE, TEXT, THINKING, TOOL, Delta
from encke.core.faults import Fault
from encke.dialects.blocks import MAX_WAITING, Blocks, BlockSink


class Page(BlockSink):
    """Writes down whole blocks; a block inside another, or something outside of any, fails."""

    def __init__(self) -> None:
        self.done: list[tuple[int, str, str]] = []
        self.now: tuple[int, str, list[str]] | None = None

    def open(self, delta: Delta) -> None:
        assert self.now is None
        self.now = (delta.kind, delta.id, [])

    def add(self, delta: Delta) -> None:
        assert self.now is not None
        self.now[2].append(delta.text)

    def close(self) -> None:
        assert self.now is not None
        self.done.append((self.now[0], self.now[1], "".join(self.now[2])))
        self.now = None


def run(deltas: list[Delta]) -> list[tuple[int, str, str]]:
    page = Page()
    blocks = Blocks(page)
    for delta in deltas:
        blocks.feed(delta)
    blocks.end()
    assert page.now is None
    return page.done


def test_text_gives_way_to_another_block_and_goes_on_as_a_new_one() -> None:
    """Thought, text, thought: three blocks."""
    deltas = [
        Delta(THINKING, key=1, text="a"),
        Delta(TEXT, text="b"),
        Delta(TEXT, text="c"),
        Delta(THINKING, key=1, text="d"),
    ]
    assert run(deltas) == [(THINKING, "", "a"), (TEXT, "", "bc"), (THINKING, "", "d")]


def test_calls_one_after_the_other_are_not_kept_waiting() -> None:
    """A call whose arguments are whole gives way without having been closed."""
    page = Page()
    blocks = Blocks(page)
    for key in (2, 3):
        blocks.feed(Delta(TOOL, key=key, id=f"c{key}", name="f"))
        blocks.feed(Delta(ARGUMENTS, key=key, text='{"a":'))
        blocks.feed(Delta(ARGUMENTS, key=key, text="1}"))
    assert page.done == [(TOOL, "c2", '{"a":1}')] and page.now is not None


@pytest.mark.parametrize("closes", [True, False])
def test_calls_in_turns_come_out_whole(closes: bool) -> None:
    """Pieces of several calls, in any order that keeps each call's own: every call whole, once, and text beside."""
    for seed in range(500):
        rng = random.Random(seed)
        queues = []
        for key in range(2, 2 + rng.randint(1, 5)):
            text = "{" + ",".join(f'"{n}":"{"x" * rng.randint(0, 9)}"' for n in range(rng.randint(0, 3))) + "}"
            cuts = sorted(rng.sample(range(len(text) + 1), min(3, len(text))))
            pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
            queue = [Delta(TOOL, key=key, id=f"c{key}", name="f"), *(Delta(ARGUMENTS, key=key, text=p) for p in pieces)]
            queues.append((text, [*queue, Delta(CLOSE, key=key)] if closes else queue))
        said = [Delta(TEXT, text=letter) for letter in "hello"]
        order: list[Delta] = []
        waiting = [list(queue) for _, queue in queues] + [list(said)]
        while any(waiting):
            order.append(rng.choice([one for one in waiting if one]).pop(0))
        done = run(order)
        assert {(id, text) for kind, id, text in done if kind == TOOL} == {
            (f"c{key}", text) for key, (text, _) in enumerate(queues, 2)
        }
        assert sum(kind == TOOL for kind, _, _ in done) == len(queues)
        assert "".join(text for kind, _, text in done if kind == TEXT) == "hello"


def test_more_of_a_call_that_was_whole_is_the_providers_fault() -> None:
    """White space does no harm; anything else is told."""
    blocks = Blocks(Page())
    for delta in (Delta(TOOL, key=2, id="a"), Delta(ARGUMENTS, key=2, text="{}"), Delta(CLOSE, key=2)):
        blocks.feed(delta)
    blocks.feed(Delta(ARGUMENTS, key=2, text=" \n"))
    with pytest.raises(Fault, match="upstream_bad_response"):
        blocks.feed(Delta(ARGUMENTS, key=2, text="1"))


def test_what_waits_is_bounded() -> None:
    """An upstream that never ends its first call cannot fill the memory with others."""
    blocks = Blocks(Page())
    blocks.feed(Delta(TOOL, key=2, id="a"))
    with pytest.raises(Fault, match="upstream_too_large"):
        for _ in range(MAX_WAITING // 1000):
            blocks.feed(Delta(ARGUMENTS, key=3, text="x" * 1000) if _ else Delta(TOOL, key=3, id="b"))
