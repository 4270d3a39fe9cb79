"""Write what of the documentation is made from code: `python -m tools.docs`, or with `--check` only look.

A table stands between `<!-- made by tools/docs.py: NAME -->` and `<!-- end of NAME -->`; what is between is replaced.
`openapi.json` is made whole.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from tools.openapi import render as render_openapi

from encke.config.reference import render_reference
from encke.core.faults import FAULTS, FaultKind
from encke.providers.presets import Preset, read_presets
from encke.telemetry.events import EVENTS
from encke.telemetry.metrics import METRICS
from tools import compatibility

DOCS = Path(__file__).parent.parent / "docs"

_PART = re.compile(r"<!-- made by tools/docs\.py: (?P<name>\w+) -->\n(?P<text>.*?)<!-- end of (?P=name) -->", re.DOTALL)


def errors() -> str:
    """Every code a caller can meet."""
    rows = [_error(code, kind) for code, kind in FAULTS.items()]
    head = ["| code | status | type | whose | worth a retry | meaning |", "| --- | --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])


def _error(code: str, kind: FaultKind) -> str:
    retry = "yes" if kind.retry else "no"
    return f"| `{code}` | {kind.status} | `{kind.type}` | {kind.owner} | {retry} | {kind.meaning} |"


def providers() -> str:
    """The known providers, from their folders."""
    rows = [_provider(preset) for preset in read_presets().values()]
    head = ["| name | provider | address | key | operations | notes |", "| --- | --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])


def _provider(preset: Preset) -> str:
    query = f"?{preset.query}" if preset.query else ""
    url = f"`{preset.base_url}{preset.model_path}{query}`" if preset.base_url else "none: it runs inside the gateway"
    keys = ", ".join(f"`{variable}`" for variable in preset.api_key_env) or "needs none"
    routes = ", ".join(preset.paths)
    return f"| `{preset.name}` | [{preset.title}]({preset.docs}) | {url} | {keys} | {routes} | {preset.note} |"


def values() -> str:
    """The parts of addresses that are everyone's own."""
    rows = [
        f"| `{preset.name}` | `{name}` | {value.sentence} | {_quoted(value.env)} | {_quoted((value.default,))} |"
        for preset in read_presets().values()
        for name, value in preset.values.items()
    ]
    head = ["| provider | value | meaning | variable | usual value |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([*head, *rows])


def _quoted(words: Iterable[str | None]) -> str:
    return ", ".join(f"`{word}`" for word in words if word)


def metrics() -> str:
    """Everything that /metrics has."""
    rows = [
        f"| `{name}` | {metric.kind} | {metric.labels or '–'} | {metric.help} |" for name, metric in METRICS.items()
    ]
    return "\n".join(["| name | kind | labels | meaning |", "| --- | --- | --- | --- |", *rows])


def events() -> str:
    """Every event of the process log."""
    rows = [
        f"| `{name}` | {event.level} | {event.roles} | {event.meaning} | {event.fields or '–'} |"
        for name, event in EVENTS.items()
    ]
    return "\n".join(["| event | level | process | meaning | fields |", "| --- | --- | --- | --- | --- |", *rows])


TABLES: dict[str, Callable[[], str]] = {
    "compatible_answers": compatibility.answers,
    "compatible_exceptions": compatibility.exceptions,
    "compatible_left_out": compatibility.left_out,
    "compatible_requests": compatibility.requests,
    "compatible_streams": compatibility.streams,
    "errors": errors,
    "events": events,
    "metrics": metrics,
    "providers": providers,
    "values": values,
    "settings": lambda: render_reference().rstrip(),
}


def renew(text: str) -> str:
    """A page with its tables as they should be. Raises KeyError for a table that nobody makes."""

    def made(match: re.Match[str]) -> str:
        name = match["name"]
        return f"<!-- made by tools/docs.py: {name} -->\n\n{TABLES[name]()}\n\n<!-- end of {name} -->"

    return _PART.sub(made, text)


FILES: dict[str, Callable[[], str]] = {"openapi.json": render_openapi}


def stale(folder: Path = DOCS) -> dict[Path, str]:
    """The pages and files that are not up to date, with the text they should have."""
    pages = {page: page.read_text("utf-8") for page in sorted(folder.glob("*.md"))}
    renewed = {page: (text, renew(text)) for page, text in pages.items()}
    for name, make in FILES.items():
        file = folder / name
        renewed[file] = (file.read_text("utf-8") if file.exists() else "", make())
    return {page: new for page, (old, new) in renewed.items() if new != old}


def main(arguments: list[str]) -> int:
    """The exit status: 1 if `--check` found a page that is not up to date."""
    found = stale()
    for page, text in found.items():
        if "--check" in arguments:
            print(f"docs/{page.name} is not up to date; run: python -m tools.docs")
        else:
            page.write_text(text, "utf-8")
            print(f"wrote docs/{page.name}")
    return 1 if found and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
