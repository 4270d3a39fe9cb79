"""The pages of the documentation, and the fenced blocks in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent.parent
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

# What a block is marked with. Blocks of programs must say whether they are run.
PROGRAMS = ("bash", "python", "js")
DATA = ("toml", "json")

_BLOCK = re.compile(r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A fenced block: its page and line, its language, its mark ("run", "no-run" or ""), its text."""

    page: Path
    line: int
    language: str
    mark: str
    text: str

    @property
    def name(self) -> str:
        """For a test's id: `quickstart.md:36`."""
        return f"{self.page.name}:{self.line}"


def blocks() -> list[Block]:
    """Every block of every page."""
    return [block for page in PAGES for block in _of(page)]


def _of(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        language, _, mark = match["info"].partition(" ")
        line = text.count("\n", 0, match.start()) + 1
        found.append(Block(page, line, language, mark, match["text"]))
    return found


def prose(page: Path) -> str:
    """A page without its blocks."""
    return _BLOCK.sub("", page.read_text("utf-8"))
