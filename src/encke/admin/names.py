"""Names of keys, projects and organisations."""

from __future__ import annotations

from encke.admin.context import AdminError
from encke.config.problems import quote
from encke.core.redact import without_keys
from encke.keys import secret

LONGEST_NAME = 64


def checked(name: str) -> str:
    """The name. Raises AdminError if it cannot be one."""
    if problem := _problem(name):
        raise AdminError(f"the name {quote(without_keys(name))} {problem}")
    return name


def _problem(name: str) -> str | None:
    if not name.strip():
        return "is empty; give it a word or two"
    if len(name) > LONGEST_NAME:
        return f"is longer than {LONGEST_NAME} characters"
    if name != name.strip() or not name.isprintable():
        return "begins or ends with a space, or has a control character in it"
    if name.startswith((secret.FOREIGN_PREFIX, "-")):
        return f"begins with {secret.FOREIGN_PREFIX} as keys do, or with a dash as options do; choose another"
    return None
