"""Options that several commands have, and what they lead to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from encke.admin.link import Link
from encke.config.load import load, main_environ, read_environment
from encke.config.settings import Config
from encke.core.paths import DataPaths
from encke.store.port import Store
from encke.store.sqlite import SqliteStore

Function = TypeVar("Function", bound=Callable[..., Any])

config_option = click.option("--config", "config_path", metavar="PATH", help="The settings file.")


def json_option(function: Function) -> Function:
    """`--json`: the same facts for a script."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for scripts.")(function)


def settings(config_path: str | None) -> Config:
    """The settings, as the gateway would read them. Raises ConfigError."""
    return load(config_path, main_environ())


def data_paths() -> DataPaths:
    """The data folder, which no settings file names: where a running gateway is found, whatever its file says now."""
    return DataPaths(read_environment(main_environ()).data_dir)


def link(config_path: str | None) -> Link:
    """The way to the store of these settings. Raises ConfigError."""
    config = settings(config_path)

    def open_store(read_only: bool) -> Store:
        # The gateway checks the whole file when it starts; a command should not take minutes on a large ledger.
        path = config.store_path
        return SqliteStore.open_read_only(path) if read_only else SqliteStore.open(path, check=False)

    return Link(DataPaths(config.data_dir), config.store_path, open_store)
