"""Kinds of values: each reads one TOML value into what the program uses, or says what is wrong with it.

A message may hold `{value}`: the reader of the file puts the value there as it is written in the file, so that what an
environment variable held is never shown. The kinds of credentials never use it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from encke.config.checks import (
    check_credential_name,
    check_header_value,
    check_log_target,
    check_name,
    check_network,
    check_origin,
    check_path,
    check_path_or_empty,
    check_store_url,
    header_name_fault,
    retention_days,
    secret_text,
    url_part,
)
from encke.config.endpoints import split_base_url, split_listen
from encke.config.problems import Where, nearest
from encke.config.secret import Secret

VALUE = "{value}"


class Refusal(NamedTuple):
    """What is wrong, where within the value (for lists and tables), and what was probably meant."""

    message: str
    suggestion: str | None = None
    inside: Where = ()


class Refused(Exception):
    """A value that cannot be used, and everything wrong with it."""

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__(*refusals)
        self.refusals = refusals


class Kind(NamedTuple):
    """`label` is for the reference, `read` gives the value to use or raises Refused."""

    label: str
    read: Callable[[object], object]


def refuse(message: str, suggestion: str | None = None) -> Refused:
    """A Refused with one refusal."""
    return Refused(Refusal(message, suggestion))


def type_name(value: object) -> str:
    """A TOML type in words."""
    for kind, words in _TYPE_WORDS:
        if isinstance(value, kind):
            return words
    return "a date or time"


_TYPE_WORDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a whole number"),
    (float, "a number with a point"),
    (str, "a string"),
    (list, "a list"),
    (dict, "a table"),
)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise refuse(f"must be a string in quotes, not {type_name(value)}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise refuse(f"must be true or false, without quotes, not {type_name(value)}")
    return value


def whole(low: int, high: int, unit: str = "") -> Kind:
    """A whole number within bounds, both allowed."""

    def read(value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise refuse(f"must be a whole number without quotes, not {type_name(value)}")
        if not low <= value <= high:
            raise refuse(f"{VALUE} is out of bounds; use {low} to {high}{unit and ' ' + unit}")
        return value

    return Kind(f"{unit or 'whole number'}, {low} to {high}", read)


def seconds(high: int = 86_400) -> Kind:
    """Seconds, more than 0."""

    def read(value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise refuse(f"must be a number of seconds without quotes, not {type_name(value)}")
        if not (0 < value <= high and math.isfinite(value)):
            raise refuse(f"{VALUE} is out of bounds; use seconds, more than 0 and at most {high}")
        return float(value)

    return Kind("seconds", read)


def choice(*choices: str) -> Kind:
    """One of a few words."""
    listed = " or ".join(f'"{c}"' for c in choices)

    def read(value: object) -> str:
        if not isinstance(value, str):
            raise refuse(f"must be {listed}, in quotes, not {type_name(value)}")
        if value not in choices:
            raise refuse(f"{VALUE} is not {listed}", nearest(value, choices))
        return value

    return Kind(listed, read)


def checked(label: str, check: Callable[[str], object], shown: bool = True) -> Kind:
    """A string kept as it is once `check` takes it. `shown` is off where the value may hold a password."""
    subject = f"{VALUE} " if shown else ""

    def read(value: object) -> str:
        text = _text(value)
        try:
            check(text)
        except ValueError as error:
            raise refuse(f"{subject}{error}") from None
        return text

    return Kind(label, read)


def _secret(value: object) -> Secret:
    try:
        return secret_text(_text(value))
    except ValueError as error:
        raise refuse(str(error)) from None


def list_of(item: Kind) -> Kind:
    """A list of one kind, every item checked; gives a tuple. An item given twice is refused."""

    def read(value: object) -> tuple[object, ...]:
        if not isinstance(value, list):
            raise refuse(f"must be a list in square brackets, not {type_name(value)}")
        refusals: list[Refusal] = []
        found: dict[object, None] = {}
        for index, part in enumerate(value):
            try:
                one = item.read(part)
                if one in found:
                    raise refuse(f"{VALUE} stands twice")
                found[one] = None
            except Refused as refused:
                refusals += [Refusal(r.message, r.suggestion, (index, *r.inside)) for r in refused.refusals]
        if refusals:
            raise Refused(*refusals)
        return tuple(found)

    return Kind(f"list of {item.label}s", read)


def _header(name: str, value: object, names: list[str]) -> Secret:
    fault = header_name_fault(name)
    if fault is None and names.count(name.lower()) > 1:
        fault = "stands twice, in another case"
    if fault is not None:
        raise refuse(fault)
    try:
        text = _text(value)
        check_header_value(text)
    except ValueError as error:
        raise refuse(str(error)) from None
    return Secret(text)


def _headers(value: object) -> dict[str, Secret]:
    if not isinstance(value, dict):
        raise refuse(f"must be a table of header names and values, not {type_name(value)}")
    found: dict[str, Secret] = {}
    refusals: list[Refusal] = []
    names = [name.lower() for name in value]
    for name in value:
        try:
            found[name] = _header(name, value[name], names)
        except Refused as refused:
            refusals += [Refusal(r.message, r.suggestion, (name,)) for r in refused.refusals]
    if refusals:
        raise Refused(*refusals)
    return found


def _values(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise refuse(f"must be a table of names and strings, not {type_name(value)}")
    found: dict[str, str] = {}
    refusals: list[Refusal] = []
    for name, part in value.items():
        try:
            found[name] = url_part(_text(part))
        except Refused as refused:
            refusals += [Refusal(r.message, r.suggestion, (name,)) for r in refused.refusals]
        except ValueError as error:
            refusals.append(Refusal(f"{VALUE} {error}", None, (name,)))
    if refusals:
        raise Refused(*refusals)
    return found


def _as_it_is(value: object) -> object:
    """Lists of tables: each table is read by rows of its own."""
    return tuple(value) if isinstance(value, list) else value


AS_IT_IS = _as_it_is


def check_admin_listen(text: str) -> None:
    """ValueError says what is wrong."""
    if text != "off":
        split_listen(text)


FLAG = Kind("true or false", _flag)
NAME = checked("name", check_name)
PATH = checked("path", check_path)
PATH_OR_EMPTY = checked("path, or empty", check_path_or_empty)
LISTEN = checked("host:port", split_listen)
ADMIN_LISTEN = checked('host:port, or "off"', check_admin_listen)
BASE_URL = checked("URL", split_base_url, shown=False)
STORE_URL = checked("sqlite:FILE", check_store_url)
RETENTION = checked('"forever" or days such as "400d"', retention_days)
LOG_TARGET = checked('"stdout", "stderr", "off" or a path', check_log_target)
ORIGINS = list_of(checked("origin", check_origin))
NAMES = list_of(NAME)
NETWORKS = list_of(checked("network", check_network))
VALUES = Kind("table of strings", _values)
CREDENTIAL_NAME = checked("name", check_credential_name, shown=False)
SECRET = Kind("secret", _secret)
HEADERS = Kind("table of strings", _headers)
