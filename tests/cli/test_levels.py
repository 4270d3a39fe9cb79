"""`encke orgs` and `encke projects`."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import Run


def test_a_tree(encke: Run) -> None:
    """An organisation, a project in it, a key in that: each shows what it says, for people and for scripts."""
    encke("orgs", "create", "acme", "--budget", "100/month", "--zone", "Europe/Berlin", "--anchor", "31")
    made = encke("projects", "create", "web", "--org", "acme", "--models", "gpt-*,local", "--rpm", "60", "--tag", "t=x")
    assert made.exit_code == 0 and "rpm           60 requests a minute" in made.stdout
    key = encke(
        "keys", "create", "--name", "app", "--project", "web", "--models", "claude-*", "--budget", "25/month",
        "--budget", "5/day", "--strict", "--addresses", "10.0.0.0/8", "--routes", "chat", "--concurrency", "8",
    )  # fmt: skip
    assert key.stdout.startswith("sk-enc-") and "note: of claude-* only models that the project" in key.stderr
    shown = encke("keys", "show", "app")
    lines = [tuple(line.split(None, 1)) for line in shown.stdout.splitlines()]
    assert ("models", "claude-*") in lines and ("concurrency", "8 calls at once") in lines
    assert [value.partition(",")[0] for name, value in lines if name == "budget"] == ["$25.00 a month", "$5.00 a day"]
    facts = json.loads(encke("keys", "show", "app", "--json").stdout)
    assert (facts["project"], facts["organisation"], facts["concurrency"], facts["rpm"]) == ("web", "acme", 8, None)
    assert [(each["amount"], each["strict"]) for each in facts["budgets"]] == [
        ("25.000000000", True),
        ("5.000000000", True),
    ]
    assert len(facts["notes"]) == 1
    project = json.loads(encke("projects", "show", "web", "--json").stdout)
    assert (project["keys"], project["models"], project["tags"]) == (1, ["gpt-*", "local"], ["t=x"])
    (org,) = [row for row in json.loads(encke("orgs", "list", "--json").stdout) if row["name"] == "acme"]
    assert (org["budgets"][0]["zone"], org["budgets"][0]["anchor"], org["keys"]) == ("Europe/Berlin", "31", 1)
    assert "$100.00 of $100.00/month" in encke("orgs", "list").stdout


@pytest.mark.parametrize("group", ["orgs", "projects"])
def test_update(encke: Run, group: str) -> None:
    """What is given changes, what is not given stays."""
    encke(group, "create", "one", "--rpm", "60", "--models", "a,b", "--expires", "30d")
    done = encke(group, "update", "one", "--name", "two", "--models", "any", "--expires", "never", "--json")
    facts = json.loads(done.stdout)
    assert [facts[name] for name in ("name", "rpm", "models", "expires")] == ["two", 60, None, None]


def test_archive_asks(encke: Run) -> None:
    """Without --yes it asks, with how many keys would end; then they have ended."""
    encke("projects", "create", "web")
    encke("keys", "create", "--name", "app", "--project", "web")
    done = encke("projects", "archive", "web", stdin="n\n")
    assert done.exit_code == 1 and 'Archive the project "web" for good, and end 1 key?' in done.stderr
    assert " live " in encke("keys", "show", "app").stdout.replace("\n", " ")
    assert 'Archived the project "web"' in encke("projects", "archive", "web", stdin="y\n").stdout
    assert json.loads(encke("keys", "show", "app", "--json").stdout)["state"] == "revoked"
    assert json.loads(encke("projects", "list", "--json").stdout)[1]["state"] == "archived"
    again = encke("projects", "archive", "web", "--yes")
    assert again.exit_code == 1 and "is archived already" in again.stderr


def test_refusals(encke: Run) -> None:
    """What cannot be done is told in a sentence, and nothing is made."""
    encke("projects", "create", "web")
    for args, message in (
        (("projects", "create", "web"), "is taken by another project"),
        (("projects", "create", "x", "--org", "acme"), 'no organisation has the name "acme"'),
        (("projects", "create", "x", "--budget", "-5"), "is not an amount in dollars"),
        (("orgs", "create", "x", "--budget", "5/month", "--zone", "Berlin"), 'no time zone "Berlin"'),
        (("keys", "create", "--project", "wbe"), 'nearest: "web"'),
        (("orgs", "archive", "default", "--yes"), "cannot be archived"),
    ):
        done = encke(*args)
        assert done.exit_code == 1 and message in done.stderr and done.stdout == "", args
    assert len(json.loads(encke("projects", "list", "--json").stdout)) == 2
