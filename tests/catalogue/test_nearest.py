"""The nearest names."""

from __future__ import annotations

import difflib

import pytest

from encke.catalogue.nearest import SHORT_LIST, Nearest

MANY = [
    f"openrouter/maker-{maker}/model-{size}b-v{version}"
    for maker in range(20)
    for size in (7, 70)
    for version in range(10)
]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("openai/gpt-5-mni", "openai/gpt-5-mini"),
        ("OpenAI/GPT-5-Mini", "openai/gpt-5-mini"),
        ("gpt-5-mini", "openai/gpt-5-mini"),
        ("somewhere/gpt-5-mini", "openai/gpt-5-mini"),
        ("locl", "local"),
        ("модел", "модель"),
    ],
)
def test_found_among_many(name: str, found: str) -> None:
    """A slip, another case, a missing or a wrong prefix: the name that was meant comes first."""
    assert Nearest([*MANY, "local", "openai/gpt-5-mini", "модель"]).find(name)[0] == found


@pytest.mark.parametrize("name", ["", "x" * 256, "\ud800", "/", "zzzz"])
def test_nothing_near(name: str) -> None:
    """What is like nothing finds nothing; no name is too odd to be looked for."""
    assert Nearest([*MANY, "local"]).find(name) == []
    assert Nearest([]).find(name) == []


def test_costs_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many names there are, the slow comparison sees only a few."""
    seen: list[int] = []
    real = difflib.get_close_matches

    def counting(word: str, names: dict[str, str], n: int, cutoff: float) -> list[str]:
        seen.append(len(names))
        return real(word, names, n, cutoff)

    monkeypatch.setattr(difflib, "get_close_matches", counting)
    Nearest(MANY).find("openrouter/makr-3/model-70b-v4")
    assert seen and max(seen) <= SHORT_LIST
