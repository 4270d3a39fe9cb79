"""The reference of all settings as Markdown, from the schema: what `docs/configuration.md` shows."""

from __future__ import annotations

import msgspec

from encke.config.problems import quote
from encke.config.schema import SETTINGS, TABLES, Row, default_of

_HEADINGS = {
    "providers.NAME": "`[providers.NAME]`",
    "providers.NAME.credentials[]": "Each of `credentials` in `[providers.NAME]`",
    "providers.NAME.timeouts": "`[providers.NAME.timeouts]`",
    "models.NAME": '`[models."NAME"]`',
    "models.NAME.targets[]": 'Each of `targets` in `[models."NAME"]`',
}
# Read beside the settings, by `encke.config.load`.
VARIABLES = (
    ("ENCKE_CONFIG", "`./encke.toml` if it is there", "The settings file."),
    ("ENCKE_DATA", "`./encke-data`", "The data folder: store, journals, secrets."),
    ("ENCKE_BOOTSTRAP_KEY", "none", "The first key, for containers and scripts: `sk-` and 29 characters or more."),
    ("ENCKE_API_KEY", "none", "The key that `encke chat` and `encke models` present."),
    ("ENCKE_CRASHPOINT", "none", "For tests of the gateway only: where its processes shall die."),
)


def render_reference() -> str:
    """One Markdown table for each table of settings, and one of the variables that stand beside them."""
    return "\n".join([part for table in TABLES for part in _section(table)] + _variables())


def _section(table: str) -> list[str]:
    rows = [row for row in SETTINGS if row.name.rpartition(".")[0] == table]
    lines = [
        f"| `{row.leaf}` | {_cell(row.kind.label)} | {_default(row)} | {_meaning(row)} | {_variable(row)} |"
        for row in rows
    ]
    heading = _HEADINGS.get(table, f"`[{table}]`")
    return [
        f"### {heading}",
        "",
        "| setting | value | default | meaning | environment |",
        "| --- | --- | --- | --- | --- |",
        *lines,
        "",
    ]


def _variables() -> list[str]:
    lines = [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in VARIABLES]
    return ["### Environment only", "", "| variable | default | meaning |", "| --- | --- | --- |", *lines, ""]


def _variable(row: Row) -> str:
    return f"`{row.env}`" if row.env else ""


def _meaning(row: Row) -> str:
    return _cell(row.sentence) + (" *Needs a restart.*" if row.restart else "")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(row: Row) -> str:
    """The default as TOML, or in words where it is not one value."""
    if row.shown:
        return _cell(row.shown)
    value = default_of(row)
    if value is msgspec.NODEFAULT:
        return "required"
    return f"`{_toml(value)}`"


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, str):
        return quote(value)
    return {"()": "[]"}.get(repr(value), repr(value))
