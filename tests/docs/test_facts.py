"""What the documentation says about the code is so, and nothing that a user meets is missing from it."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest

from encke.calls.headers import rate_fields
from encke.cli.main import main
from encke.config.reference import VARIABLES
from encke.config.schema import SETTINGS
from encke.core.faults import FAULTS
from encke.core.paths import DataPaths
from encke.ledger.entry import Status
from encke.providers.presets import read_presets, usual_variables
from encke.telemetry.line import AccessLine
from encke.worker.routes import ROUTES
from tests.docs.pages import PAGES, ROOT, prose
from tools import docs

SRC = ROOT / "src" / "encke"
DOCS = ROOT / "docs"


def page(name: str) -> str:
    """The text of a page."""
    return (DOCS / f"{name}.md").read_text("utf-8")


def test_tables_made_from_code_are_up_to_date() -> None:
    """`python -m tools.docs` would change nothing."""
    assert [path.name for path in docs.stale()] == []


def test_check_tells_a_stale_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --check a page that is not up to date is an error and stays; without, it is written."""
    stale = tmp_path / "errors.md"
    stale.write_text("<!-- made by tools/docs.py: errors -->\nold\n<!-- end of errors -->\n", "utf-8")
    monkeypatch.setattr(docs.stale, "__defaults__", (tmp_path,))
    monkeypatch.setattr(docs, "DOCS", tmp_path)
    assert docs.main(["--check"]) == 1
    assert "old" in stale.read_text("utf-8")
    assert docs.main([]) == 0
    assert "`model_not_found`" in stale.read_text("utf-8")
    assert docs.main(["--check"]) == 0


def test_every_table_is_shown() -> None:
    """No table is made that no page shows."""
    shown = re.findall(r"made by tools/docs\.py: (\w+)", "".join(path.read_text("utf-8") for path in PAGES))
    assert sorted(shown) == sorted(docs.TABLES)


@pytest.mark.parametrize("code", FAULTS)
def test_every_error_code_is_explained(code: str) -> None:
    """Each has its row in errors.md."""
    assert f"| `{code}` | {FAULTS[code].status} |" in page("errors")


@pytest.mark.parametrize("row", SETTINGS, ids=lambda row: row.name)
def test_every_setting_is_explained(row: object) -> None:
    """Each has its row in configuration.md, under its table."""
    found = next(setting for setting in SETTINGS if setting == row)
    assert f"| `{found.leaf}` |" in page("configuration")
    assert found.sentence.replace("|", "\\|") in page("configuration")


def test_every_variable_is_explained() -> None:
    """Those of the environment, the providers' usual ones too."""
    text = page("configuration") + page("providers")
    usual = usual_variables(read_presets())
    own = [name for name, _, _ in VARIABLES] + [row.env for row in SETTINGS if row.env]
    assert [name for name in (*usual, *own) if f"`{name}`" not in text] == []


def commands(group: click.Group, path: str) -> dict[str, click.Command]:
    """Every command by what one types."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            found |= commands(command, f"{path} {name}")
        else:
            found[f"{path} {name}"] = command
    return found


@pytest.mark.parametrize("name", commands(main, "encke"))
def test_every_command_is_mentioned(name: str) -> None:
    """Each stands in some page, as one types it."""
    assert any(name in path.read_text("utf-8") for path in PAGES)


def test_commands_in_the_pages_exist() -> None:
    """And none stands there that does not."""
    known = commands(main, "encke")
    said = {
        f"encke {words}" for path in PAGES for words in re.findall(r"`encke ([a-z]+(?: [a-z]+)?)", path.read_text())
    }
    groups = {"encke", "encke keys", "encke config", "encke orgs", "encke projects", "encke budgets"}
    unknown = [
        text for text in said if not any(text in (name, *groups) or text.startswith(f"{name} ") for name in known)
    ]
    assert unknown == []


def written_headers() -> set[str]:
    """Names of the fields that the gateway writes into answers: from the string constants of the files that do."""
    # Made of parts, so not to be found there.
    found = {line.partition(":")[0] for kind in ("requests", "tokens") for line in rate_fields(kind, 1, 1).splitlines()}
    for file in ("calls/call.py", "calls/headers.py", "worker/app.py"):
        for node in ast.walk(ast.parse((SRC / file).read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= set(re.findall(r"(?:^|\r\n)([a-z][a-z0-9-]+): ?", node.value))
    return found


def test_every_response_header_is_explained() -> None:
    """Each field that the gateway writes stands in chat.md."""
    headers = written_headers()
    assert {"x-request-id", "openai-processing-ms", "x-encke-attempts", "retry-after-ms", "vary"} <= headers
    assert [name for name in sorted(headers) if f"`{name}" not in page("chat")] == []


def test_every_route_is_explained() -> None:
    """Each stands in the chat reference."""
    assert [path for path in ROUTES if f" {path}`" not in page("chat")] == []


def test_the_access_line_and_the_ends_of_attempts_are_explained() -> None:
    """Each field and each end stands in usage.md."""
    names = [field.name for field in msgspec.structs.fields(AccessLine)]
    assert [name for name in (*names, *get_args(Status)) if f"`{name}`" not in page("usage")] == []


def test_the_data_folder_is_explained() -> None:
    """Whatever the gateway makes there stands in running.md."""
    paths = DataPaths("/data")
    made = [getattr(paths, name).name for name, value in vars(DataPaths).items() if isinstance(value, property)]
    assert [name for name in made if f"`{name}" not in page("running")] == []


def headings(path: Path) -> set[str]:
    """The anchors that a page offers, as GitHub makes them."""
    titles = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Files exist, and so do the headings that links name."""
    broken = []
    for target in re.findall(r"\]\(([^)]+)\)", prose(path)):
        if target.startswith(("https://", "http://")):
            continue
        file, _, anchor = target.partition("#")
        to = (path.parent / file).resolve() if file else path
        if not to.exists() or (anchor and anchor not in headings(to)):
            broken.append(target)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    """A page that nobody links to is not read."""
    index = page("README")
    assert [path.name for path in DOCS.glob("*.md") if path.name != "README.md" and f"({path.name})" not in index] == []
