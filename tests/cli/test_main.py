"""`encke` itself: version, help, and how failures are told."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from encke import __version__
from encke.cli.main import COMMANDS
from tests.cli.conftest import Program, Run


def test_version(program: Program) -> None:
    """`encke --version` names the version."""
    done = program("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"encke, version {__version__}")


def test_every_command_has_help(encke: Run) -> None:
    """Every command and subcommand tells what it does."""
    for command in COMMANDS:
        names = [[command.name or ""]]
        if isinstance(command, click.Group):
            names += [[command.name or "", name] for name in command.commands]
        for name in names:
            done = encke(*name, "--help")
            assert done.exit_code == 0 and len(done.stdout.splitlines()) > 3, name


def test_failure_is_a_sentence(program: Program) -> None:
    """An expected failure is one line on standard error and exit code 1, without a traceback."""
    done = program("keys", "list")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("Error: there is no store at") and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("line", ["nonsense", "keys nonsense", "keys list --nonsense", "keys show"])
def test_wrong_usage(encke: Run, line: str) -> None:
    """Wrong usage exits with 2 and says how it goes."""
    done = encke(*line.split())
    assert done.exit_code == 2 and "Usage:" in done.stderr


def test_bad_settings(encke: Run, tmp_path: Path) -> None:
    """A settings file with a mistake is told with file and line."""
    (tmp_path / "encke.toml").write_text("[server]\nlissten = 1\n")
    done = encke("keys", "list")
    assert done.exit_code == 1 and "encke.toml:2" in done.stderr and "Traceback" not in done.stderr


def test_damaged_store(program: Program, data: Path) -> None:
    """A store that is no database, and a pepper that others can read, are told in a sentence."""
    data.mkdir()
    (data / "encke.db").write_bytes(b"hello " * 1000)
    for args in (("keys", "list"), ("keys", "create"), ("usage",)):
        done = program(*args)
        assert done.returncode == 1 and "is not a database" in done.stderr and "Traceback" not in done.stderr
    (data / "encke.db").unlink()
    (data / "pepper").write_bytes(b"x" * 32)
    (data / "pepper").chmod(0o644)
    done = program("keys", "create")
    assert done.returncode == 1 and "chmod 600" in done.stderr and "Traceback" not in done.stderr
