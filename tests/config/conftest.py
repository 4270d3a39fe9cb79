"""A folder of its own for every test, with a settings file in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from encke.config.load import load
from encke.config.problems import ConfigError
from encke.config.settings import Config

LoadText = Callable[..., Config]
LinesOf = Callable[..., list[str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def load_text(folder: Path) -> LoadText:
    """Load a text as `encke.toml`."""

    def load_it(text: str, environ: Mapping[str, str] | None = None, **overrides: object) -> Config:
        Path("encke.toml").write_text(text, encoding="utf-8")
        return load(None, environ or {}, {name.replace("__", "."): value for name, value in overrides.items()})

    return load_it


@pytest.fixture
def lines_of(load_text: LoadText) -> LinesOf:
    """The rendered problems of a text that must be refused."""

    def refuse(text: str, environ: Mapping[str, str] | None = None, **overrides: object) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load_text(text, environ, **overrides)
        return caught.value.lines()

    return refuse
