"""`encke budgets`."""

from __future__ import annotations

import json

from tests.cli.conftest import Run


def test_the_list(encke: Run) -> None:
    """A table in line, and JSON with exact amounts; without budgets it says how to make one."""
    encke("keys", "create", "--name", "app")
    assert encke("budgets").stdout.startswith("There are no budgets.") and encke("budgets", "--json").stdout == "[]\n"
    encke("keys", "update", "app", "--budget", "25/month", "--budget", "0.000000001")
    lines = encke("budgets").stdout.splitlines()
    assert [line.split()[2:7] for line in lines[1:]] == [
        ["month", "$25.00", "$0.00", "$0.00", "$25.00"],
        ["total", "$0.000000001", "$0.00", "$0.00", "$0.000000001"],
    ]
    (month, total) = json.loads(encke("budgets", "--json").stdout)
    assert (month["scope"], month["amount"], month["left"]) == ('key "app"', "25.000000000", "25.000000000")
    assert month["reset"] > month["since"] and total["reset"] is None and "zone" not in total


def test_set_credit_remove(encke: Run) -> None:
    """Each tells how the budget stands after it."""
    encke("projects", "create", "web")
    done = encke("budgets", "set", "30/month", "--project", "web", "--anchor", "15", "--strict")
    assert done.stdout.startswith('The project "web" has $30.00 a month, $0.00 spent, $30.00 left, until ')
    encke("budgets", "credit", "50", "--project", "web")
    done = encke("budgets", "credit", "0.5", "--project", "web")
    assert done.stdout == 'The project "web" has $50.50 of credit, $0.00 spent, $50.50 left.\n'
    facts = json.loads(encke("budgets", "set", "31/month", "--project", "web", "--json").stdout)
    assert (facts["amount"], facts["anchor"], facts["strict"]) == ("31.000000000", "15", True)
    done = encke("budgets", "remove", "credit", "--project", "web")
    assert done.stdout == 'Removed the budget of the project "web": $50.50 of credit, $0.00 spent, $50.50 left.\n'
    assert [each["period"] for each in json.loads(encke("budgets", "--json").stdout)] == ["month"]


def test_refusals(encke: Run) -> None:
    """What cannot be done is told, and nothing changes."""
    encke("keys", "create", "--name", "app")
    for args, message in (
        (("set", "5"), "say whose budget it is"),
        (("set", "5", "--key", "app", "--org", "default"), "say whose budget it is"),
        (("set", "5/fortnight", "--key", "app"), 'has no period "fortnight"'),
        (("credit", "nan", "--key", "app"), 'the credit "nan" is not an amount in dollars'),
        (("remove", "day", "--key", "app"), 'the key "app" has no budget for "day"'),
    ):
        done = encke("budgets", *args)
        assert done.exit_code == 1 and message in done.stderr and done.stdout == "", args
    assert encke("budgets", "--json").stdout == "[]\n"
