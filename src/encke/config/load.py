"""The only reader of the settings file and of the environment.

What overrules what, strongest first: the command line, the environment, the file, the defaults.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from encke.config.build import Builder
from encke.config.checks import secret_text
from encke.config.lines import Lines
from encke.config.problems import ConfigError, Origin, Problem, Where, quote
from encke.config.schema import SETTINGS
from encke.config.secret import Secret
from encke.config.settings import Config
from encke.core.crash import PLACES, CrashPoint

DEFAULT_FILE = "encke.toml"
DEFAULT_DATA = "encke-data"
MAX_FILE = 4 * 1024 * 1024
SHORTEST_BOOTSTRAP_KEY = 32

_NOTHING: dict[str, object] = {}
# The end of tomllib's messages: "Invalid value (at line 1, column 5)" or "… (at end of document)".
_TOML_ERROR = re.compile(r"(?s)(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)")
# What the commonest of them mean to someone who does not know the parser.
_TOML_HINTS = (
    ("Cannot overwrite a value", "this key or table stands twice"),
    ("Invalid value", "strings need quotes"),
)


class Environment(msgspec.Struct, frozen=True):
    """What the gateway takes from the environment beside the settings. Empty variables count as unset.

    `data_dir` is absolute. `bootstrap_key` is the first key to make, `api_key` the one that `encke chat` presents;
    `provider_keys` are the providers' usual variables that are set, by variable, not yet checked. `crash_points` end
    processes on purpose, for tests.
    """

    data_dir: Path
    bootstrap_key: Secret | None = None
    api_key: Secret | None = None
    provider_keys: dict[str, Secret] = {}
    crash_points: tuple[CrashPoint, ...] = ()


def main_environ() -> dict[str, str]:
    """The environment of this process. Nothing else in the project asks for it."""
    return dict(os.environ)


def load(path: str | None, environ: Mapping[str, str], overrides: Mapping[str, object] = _NOTHING) -> Config:
    """The settings from a file (`path`, else `ENCKE_CONFIG`, else `encke.toml` here if there is one, else none).

    `overrides` are values by dotted name, from the command line. Raises ConfigError with everything that is wrong, the
    environment's own variables included.
    """
    loaded = look(path, environ, overrides)
    if loaded.problems:
        raise ConfigError(loaded.problems, loaded.file)
    return loaded.config


class Loaded(NamedTuple):
    """Settings, and what is wrong with them: where something is, the default stands in its place. `file` is the path
    they were read from."""

    config: Config
    problems: list[Problem]
    file: str | None


def look(path: str | None, environ: Mapping[str, str], overrides: Mapping[str, object] = _NOTHING) -> Loaded:
    """As `load`, for those who have more to check. Raises ConfigError for a file that is not there or is no TOML."""
    file = _find(path, environ)
    text = _read(file) if file is not None else ""
    raw = _parse(text, file)
    builder = Builder(environ, Path(file).absolute().parent if file is not None else Path.cwd())
    surroundings, problems = _environment(environ, ())
    stronger = _stronger(builder, environ, overrides)
    config = builder.config(raw, stronger, surroundings.data_dir, Path(file) if file is not None else None)
    problems += builder.problems + _missing_files(config)
    return Loaded(config, _with_lines(problems, text), file)


def read_environment(environ: Mapping[str, str], key_variables: Iterable[str] = ()) -> Environment:
    """The variables beside the settings; `key_variables`: the usual ones of the known providers. Raises ConfigError."""
    environment, problems = _environment(environ, key_variables)
    if problems:
        raise ConfigError(problems)
    return environment


def read_keys(environ: Mapping[str, str], variables: Iterable[str]) -> dict[str, Secret]:
    """Those of the variables that are set, not checked."""
    return {name: Secret(environ[name]) for name in variables if environ.get(name)}


def error_in(config: Config, problems: Iterable[Problem]) -> ConfigError:
    """The ConfigError for problems found later on in loaded settings: the file is read once more, for the lines."""
    if config.path is None:
        return ConfigError(problems)
    try:
        text = _read(str(config.path))
    except ConfigError:
        text = ""
    return ConfigError(_with_lines(problems, text), str(config.path))


def _missing_files(config: Config) -> list[Problem]:
    """Files that the settings name and that are not there: better told now than at the first call."""
    named: list[tuple[Where, str | None]] = [(("local", "model"), config.local.model if config.local.enabled else None)]
    named += [(("providers", name, "ca_file"), settings.ca_file) for name, settings in config.providers.items()]
    return [
        Problem(where, f"{quote(file, 300)} is not there, or no file")
        for where, file in named
        if file and not os.path.isfile(file)
    ]


def _with_lines(problems: Iterable[Problem], text: str) -> list[Problem]:
    lines = Lines(text)
    return [
        msgspec.structs.replace(problem, line=lines.of(problem.where)) if problem.origin == "file" else problem
        for problem in problems
    ]


def _find(path: str | None, environ: Mapping[str, str]) -> str | None:
    file = path or environ.get("ENCKE_CONFIG") or (DEFAULT_FILE if os.path.lexists(DEFAULT_FILE) else None)
    if file is not None and not _is_utf8(file):
        raise ConfigError([Problem((), "the path of the settings file is not UTF-8; rename it")])
    return file


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _read(file: str) -> str:
    """The text of the file, without a byte order mark. Raises ConfigError."""
    try:
        with open(file, "rb") as stream:
            data = stream.read(MAX_FILE + 1)
    except (OSError, ValueError) as error:
        raise ConfigError([Problem((), _why_unreadable(error))], file) from None
    if len(data) > MAX_FILE:
        raise ConfigError([Problem((), "is larger than 4 MiB; is it the settings file?")], file)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem((), "is not UTF-8; save it as UTF-8", line=line)], file) from None


def _why_unreadable(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file; check the path given by --config or ENCKE_CONFIG"
    if isinstance(error, IsADirectoryError):
        return "is a folder; name the settings file in it"
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return f"cannot be read: {reason.lower()}"


def _parse(text: str, file: str | None) -> dict[str, object]:
    """The tables of the text. Raises ConfigError; tomllib itself lets RecursionError and ValueError through."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem = _syntax_problem(str(error), text)
    except RecursionError:
        problem = Problem((), "is not usable: lists or tables are nested too deeply")
    except ValueError as error:
        problem = Problem((), f"is not usable: {error}")
    raise ConfigError([problem], file) from None


def _syntax_problem(message: str, text: str) -> Problem:
    found = _TOML_ERROR.fullmatch(message)
    if found is None:
        return Problem((), f"is not valid TOML: {message}")
    what = found["what"]
    hint = next((f" ({words})" for begin, words in _TOML_HINTS if what.startswith(begin)), "")
    line = int(found["line"]) if found["line"] else text.count("\n") + 1
    column = int(found["column"]) if found["column"] else None
    return Problem((), f"is not valid TOML: {what[:1].lower()}{what[1:]}{hint}", line=line, column=column)


def _stronger(
    builder: Builder, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> dict[str, dict[str, object]]:
    """Values of environment and command line, by table and leaf."""
    found: dict[str, dict[str, object]] = {}
    for row in SETTINGS:
        table = found.setdefault(row.name.rpartition(".")[0], {})
        given: list[tuple[object, Origin]] = []
        if row.env and environ.get(row.env):
            given.append((environ[row.env], "environment"))
        if row.name in overrides:
            given.append((overrides[row.name], "command line"))
        for value, origin in given:
            table |= builder.override(row, value, origin)
    return found


def _environment(environ: Mapping[str, str], key_variables: Iterable[str]) -> tuple[Environment, list[Problem]]:
    problems: list[Problem] = []
    data = environ.get("ENCKE_DATA") or DEFAULT_DATA
    if not _is_utf8(data):
        problems.append(Problem(("ENCKE_DATA",), "is not UTF-8; choose another folder", origin="environment"))
        data = DEFAULT_DATA
    environment = Environment(
        data_dir=Path(data).absolute(),
        bootstrap_key=_key(environ, "ENCKE_BOOTSTRAP_KEY", problems, bootstrap=True),
        api_key=_key(environ, "ENCKE_API_KEY", problems),
        provider_keys=read_keys(environ, key_variables),
        crash_points=_crash_points(environ.get("ENCKE_CRASHPOINT", ""), problems),
    )
    return environment, problems


def _crash_points(text: str, problems: list[Problem]) -> tuple[CrashPoint, ...]:
    """`PLACE` or `PLACE:N`, several with commas: for every process of a kind the next one of its kind."""
    found = []
    for part in filter(None, text.split(",")):
        place, _, nth = part.partition(":")
        if place not in PLACES or not (nth or "1").isdecimal() or int(nth or "1") < 1:
            problems.append(
                Problem(
                    ("ENCKE_CRASHPOINT",),
                    f"{quote(part)} is no place, or PLACE:N; it is for tests only: unset it",
                    origin="environment",
                )
            )
        else:
            found.append(CrashPoint(place, int(nth or "1")))
    return tuple(found)


def _key(environ: Mapping[str, str], name: str, problems: list[Problem], bootstrap: bool = False) -> Secret | None:
    """A key from a variable; None if it is unset or cannot be used."""
    text = environ.get(name, "")
    if not text:
        return None
    try:
        key = secret_text(text)
        if bootstrap and not (text.startswith("sk-") and len(text) >= SHORTEST_BOOTSTRAP_KEY):
            raise ValueError(
                'must begin with "sk-" and have 32 characters or more: "sk-" and 40 random letters will do'
            )
    except ValueError as error:
        problems.append(Problem((name,), str(error), origin="environment"))
        return None
    return key
