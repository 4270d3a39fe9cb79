"""`${NAME}` in strings of the settings file."""

from __future__ import annotations

import re
from collections.abc import Mapping

from encke.config.kinds import Refusal, Refused
from encke.config.problems import Where, quote

# `$${` is a literal `${`; what follows a lone `${` must be a name and a closing brace.
_REFERENCE = re.compile(r"\$\$\{|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\{")


def expand(value: object, environ: Mapping[str, str]) -> object:
    """The value with every `${NAME}` replaced, also in the strings of a list or table.

    What a variable holds is taken as it is: `${` in it means nothing. Raises Refused, with a refusal for every variable
    that is missing.
    """
    if isinstance(value, str):
        return _expand_text(value, environ)
    refusals: list[Refusal] = []
    if isinstance(value, list):
        expanded: object = [_inside((index,), part, environ, refusals) for index, part in enumerate(value)]
    elif isinstance(value, dict):
        expanded = {name: _inside((name,), part, environ, refusals) for name, part in value.items()}
    else:
        return value
    if refusals:
        raise Refused(*refusals)
    return expanded


def _inside(where: Where, part: object, environ: Mapping[str, str], refusals: list[Refusal]) -> object:
    """One part of a list or table."""
    try:
        return expand(part, environ)
    except Refused as refused:
        refusals += [Refusal(refusal.message, None, (*where, *refusal.inside)) for refusal in refused.refusals]
        return part


def _expand_text(text: str, environ: Mapping[str, str]) -> str:
    refusals = [Refusal(fault) for match in _REFERENCE.finditer(text) if (fault := _fault(match, environ))]
    if refusals:
        raise Refused(*refusals)
    return _REFERENCE.sub(lambda match: environ[match[1]] if match[1] else "${", text)


def _fault(match: re.Match[str], environ: Mapping[str, str]) -> str | None:
    if match[0] == "$${":
        return None
    name = match[1]
    if name is None:
        return 'has "${" without a variable\'s name and "}" after it; a literal "${" is written "$${"'
    if name not in environ:
        return f"needs the environment variable {name}, which is not set; set it, or write the value here"
    if not environ[name].isascii() and not _is_utf8(environ[name]):
        return f"needs the environment variable {name}, which does not hold UTF-8"
    return None


def _is_utf8(text: str) -> bool:
    """Whether the variable's bytes were UTF-8; Python keeps other bytes as lone surrogates (PEP 383)."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def show(value: object) -> str:
    """A TOML value for a message: on one line, short."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**40 else "a number of more than 40 digits"
    return str(value)[:80]
