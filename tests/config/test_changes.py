"""Two Configs compared."""

from __future__ import annotations

from encke.config.changes import NEED_RESTART, diff, flatten, keep, shown
from tests.config.conftest import LoadText

OLD = """
[server]
workers = 2
[providers.lab]
dialect = "openai_chat"
base_url = "https://a.example/v1"
api_key = "sk-old-secret"
headers = { "x-team" = "red-secret" }
[models."gpt.one"]
targets = [{ provider = "lab", model = "m" }]
"""
NEW = """
[server]
workers = 3
grace = 5
[providers.lab]
dialect = "openai_chat"
base_url = "https://a.example/v1"
api_key = "sk-new-secret"
headers = { "x-team" = "red-secret" }
[models."gpt.one"]
targets = [{ provider = "lab", model = "m", weight = 2 }]
fallback = ["lab/n"]
"""


def test_what_is_shown_would_be_taken_again(load_text: LoadText) -> None:
    """Nothing stands there that the file may not say, such as an empty list of credentials beside a key."""
    lines = flatten(load_text(OLD))
    assert "providers.lab.credentials" not in lines and lines["providers.lab.api_key"]


def test_what_differs(load_text: LoadText) -> None:
    """Each setting by its name, as TOML; a secret only as changed; what needs a restart is marked."""
    changes = {change.name: change for change in diff(load_text(OLD), load_text(NEW))}
    assert set(changes) == {
        "server.workers",
        "server.grace",
        "providers.lab.api_key",
        'models."gpt.one".targets',
        'models."gpt.one".fallback',
    }
    assert (changes["server.workers"].old, changes["server.workers"].new) == ("2", "3")
    assert [name for name, change in changes.items() if change.restart] == ["server.workers"]
    assert changes["providers.lab.api_key"].new == '"***"'
    assert changes['models."gpt.one".targets'].new == '[{ provider = "lab", model = "m", weight = 2 }]'
    assert changes['models."gpt.one".fallback'].old == "[]"
    assert "secret" not in repr(changes)


def test_nothing_differs(load_text: LoadText) -> None:
    """From itself."""
    assert diff(load_text(OLD), load_text(OLD)) == []


def test_a_provider_that_comes_or_goes(load_text: LoadText) -> None:
    """Its settings are there on one side only."""
    without = load_text(OLD.partition("[providers")[0])
    gone = {change.name: change for change in diff(load_text(OLD), without)}
    assert gone["providers.lab.base_url"].new is None and gone["providers.lab.base_url"].old is not None


def test_what_cannot_change_is_kept(load_text: LoadText) -> None:
    """And all else is new."""
    old, new = load_text(OLD), load_text(NEW)
    kept = keep(old, new)
    assert kept.server.workers == 2 and kept.server.grace == 5 and kept.providers == new.providers
    assert [change.name for change in diff(kept, new)] == ["server.workers"]


def test_restarts_are_of_plain_tables() -> None:
    """`keep` knows no other."""
    values = NEED_RESTART
    assert values and all("NAME" not in name for name in values)


def test_everything_is_toml() -> None:
    """Numbers, flags, lists, texts with quotes in them."""
    assert [shown(value) for value in (True, 3, 0.5, ("a", "b"), 'a "b"', {}, {"a b": 1})] == [
        "true",
        "3",
        "0.5",
        '["a", "b"]',
        '"a \\"b\\""',
        "{}",
        '{ "a b" = 1 }',
    ]
