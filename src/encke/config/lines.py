"""Which line of a TOML text a setting stands on. `tomllib` checks the text and gives the values, but no places.

`Lines` scans a text that `tomllib` has taken already (TOML 1.0), so it only has to find where things begin, never to
judge them. Should it lose its way all the same, it keeps what it found: a setting then gets its table's line, or none.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from contextlib import suppress

from encke.config.problems import Where

_SPACE = re.compile(r"[ \t]*")
_VOID = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")  # what may stand between statements and between items of a list
_KEY = re.compile(r"[A-Za-z0-9_-]+|\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'")
_STRING = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})'
    r"|'''.*?'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_PLAIN = re.compile(r"[^,\]}#\n]+")  # numbers, dates, true and false


class _LostError(Exception):
    """The text is not what the scanner took it for."""


class Lines:
    """The first line of every setting and table of a text, counted from 1."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._found: dict[Where, int] = {}
        self._implied: dict[Where, int] = {}  # tables that a header only passes through
        self._repeated: dict[Where, int] = {}  # [[tables]] met so far, by name
        with suppress(_LostError, RecursionError, tomllib.TOMLDecodeError):
            self._scan()

    def of(self, where: Where) -> int | None:
        """The line of a setting, or of the nearest table around it; None if even that is unknown."""
        for length in range(len(where), 0, -1):
            line = self._found.get(where[:length]) or self._implied.get(where[:length])
            if line is not None:
                return line
        return None

    def _scan(self) -> None:
        table: Where = ()
        self._take(_VOID)
        while self._at < len(self._text):
            if self._text[self._at] == "[":
                table = self._header()
            else:
                self._pair(table)
            self._take(_VOID)

    def _header(self) -> Where:
        """`[a.b]` or `[[a.b]]`: the place that the pairs after it belong to."""
        begin = self._at
        repeated = self._text.startswith("[[", begin)
        self._at += 2 if repeated else 1
        names = self._dotted_key()
        self._expect("]]" if repeated else "]")
        table = (*self._outer(names[:-1], begin), names[-1])
        if repeated:
            self._note(table, begin)
            self._repeated[table] = self._repeated.get(table, 0) + 1
        table = self._last_of(table)
        self._note(table, begin)
        return table

    def _outer(self, names: tuple[str, ...], begin: int) -> Where:
        """Names of outer tables: each [[table]] among them stands for its latest item."""
        where: Where = ()
        for name in names:
            where = self._last_of((*where, name))
            self._implied.setdefault(where, self._line(begin))
        return where

    def _last_of(self, where: Where) -> Where:
        count = self._repeated.get(where, 0)
        return (*where, count - 1) if count else where

    def _pair(self, table: Where) -> None:
        begin = self._at
        names = self._dotted_key()
        for length in range(1, len(names) + 1):
            self._note((*table, *names[:length]), begin)
        self._expect("=")
        self._value((*table, *names))

    def _value(self, where: Where) -> None:
        self._take(_SPACE)
        opening = self._text[self._at : self._at + 1]
        if opening == "[":
            self._list(where)
        elif opening == "{":
            self._inline_table(where)
        elif opening in ("'", '"'):
            self._must(_STRING)
        else:
            self._must(_PLAIN)

    def _list(self, where: Where) -> None:
        index = 0
        self._expect("[")
        self._take(_VOID)
        while not self._took("]"):
            self._note((*where, index), self._at)
            self._value((*where, index))
            self._take(_VOID)
            self._took(",")
            self._take(_VOID)
            index += 1

    def _inline_table(self, where: Where) -> None:
        self._expect("{")
        self._take(_VOID)
        while not self._took("}"):
            self._pair(where)
            self._take(_VOID)
            self._took(",")
            self._take(_VOID)

    def _dotted_key(self) -> tuple[str, ...]:
        names = [self._key()]
        while self._took("."):
            names.append(self._key())
        return tuple(names)

    def _key(self) -> str:
        self._take(_SPACE)
        key = self._must(_KEY)
        self._take(_SPACE)
        return str(tomllib.loads(f"key = {key}")["key"]) if key[0] in "\"'" else key

    def _note(self, where: Where, at: int) -> None:
        self._found.setdefault(where, self._line(at))

    def _line(self, at: int) -> int:
        return bisect_right(self._starts, at)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            return ""
        self._at = match.end()
        return match.group()

    def _must(self, pattern: re.Pattern[str]) -> str:
        taken = self._take(pattern)
        if not taken:
            raise _LostError
        return taken

    def _took(self, mark: str) -> bool:
        if not self._text.startswith(mark, self._at):
            return False
        self._at += len(mark)
        return True

    def _expect(self, mark: str) -> None:
        self._take(_SPACE)
        if not self._took(mark):
            raise _LostError
