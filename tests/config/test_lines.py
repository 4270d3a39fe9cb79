"""Lines of settings in TOML texts."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encke.config.lines import Lines

TEXT = r'''# comment = 1
top = 1            # line 2
a.b.c = "x # no comment"
"quoted key".'x.y' = 'lit'

[table]  # line 6
long = """
fake = 1
[fake]
\"""" # line 10
lit = '''
TEXT = (
    TEXT
    + "'''\nfake2 = 1\n''''\n"
    + r"""after = [ # line 14
  1, "]",  # line 15
  { in = { deep = 1 }, other = 2 }, # line 16
  [ [ 3 ],
    4 ] ]
[table."sub.x"] # line 19
k = 1979-05-27T07:32:00Z
[[many.items]]
n = 1
[many.items.sub]
s = 1
[[many.items]]  # line 25
n = 2
[many.items.sub]
s = 2
[[many.items.inner]] # line 29
i = 1
[[many.items.inner]]
i = 2
"""
)


def test_every_form_of_toml() -> None:
    """Dotted, quoted and inline keys, multi-line strings, lists and lists of tables all have their lines."""
    tomllib.loads(TEXT)
    lines = Lines(TEXT)
    for where, line in [
        (("top",), 2),
        (("a",), 3),
        (("a", "b", "c"), 3),
        (("quoted key", "x.y"), 4),
        (("table",), 6),
        (("table", "long"), 7),
        (("table", "lit"), 11),
        (("table", "after"), 14),
        (("table", "after", 1), 15),
        (("table", "after", 2, "in", "deep"), 16),
        (("table", "after", 2, "other"), 16),
        (("table", "after", 3, 1), 18),
        (("table", "sub.x", "k"), 20),
        (("many", "items"), 21),
        (("many", "items", 0, "n"), 22),
        (("many", "items", 0, "sub", "s"), 24),
        (("many", "items", 1), 25),
        (("many", "items", 1, "sub", "s"), 28),
        (("many", "items", 1, "inner", 0, "i"), 30),
        (("many", "items", 1, "inner", 1, "i"), 32),
    ]:
        assert lines.of(where) == line, where


def test_what_is_not_there_has_the_line_of_its_table() -> None:
    """A missing setting is told at the table it is missing in; a missing table has no line."""
    lines = Lines("\n[a]\nb = 1\n")
    assert lines.of(("a", "missing")) == 2
    assert lines.of(("missing",)) is None
    assert lines.of(()) is None


def test_a_table_that_is_passed_through() -> None:
    """A table named only on the way to an inner one has that line, until it gets a header of its own."""
    assert Lines("\n[a.b.c]\nx = 1").of(("a", "b")) == 2
    assert Lines("\n[a.b.c]\nx = 1\n[a.b]").of(("a", "b")) == 4


def test_windows_line_ends() -> None:
    """CR LF ends a line as LF does."""
    assert Lines("[a]\r\nb = '''x\r\ny'''\r\nc = 1\r\n").of(("a", "c")) == 4


def test_a_text_that_is_no_toml() -> None:
    """The scanner keeps what it found before it lost its way, and never fails."""
    assert Lines("a = 1\n= = =\nb = 2").of(("a",)) == 1
    assert Lines("[" * 5000 + "=" + "[" * 5000).of(("a",)) is None
    assert Lines("a = " + "[" * 5000).of(("a",)) == 1


_TEXTS = st.text(max_size=6)


def _quoted(text: str) -> str:
    return '"' + "".join(f"\\U{ord(c):08x}" if c in '"\\' or not c.isprintable() else c for c in text) + '"'


_SHAPES = st.recursive(
    st.integers().map(str) | _TEXTS.map(_quoted) | st.just("'''\n\n'''"),
    lambda inner: st.lists(inner, max_size=3).map(lambda parts: "[\n" + ",\n".join(parts) + "]"),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_TEXTS, _SHAPES), max_size=5, unique_by=lambda pair: pair[0]))
def test_any_pairs(pairs: list[tuple[str, str]]) -> None:
    """Whatever values stand before a key, its line is the one it was written on."""
    text = ""
    expected = {}
    for name, value in pairs:
        expected[name] = text.count("\n") + 1
        text += f"{_quoted(name)} = {value}\n"
    assert set(tomllib.loads(text)) == set(expected)
    lines = Lines(text)
    assert {name: lines.of((name,)) for name in expected} == expected


@pytest.mark.parametrize(
    "text", ["[a", "[a\n", "[a b]\n", "[[a]\nb = 1\n", "[a\nb = 1\n", "a = [\n", "a = {b\n", "a.\n"]
)
def test_a_text_that_is_no_toml_comes_to_an_end(text: str) -> None:
    """A file may have been changed since it was read first: what was found until then is kept."""
    assert Lines("x = 1\n" + text).of(("x",)) == 1
