"""What every store must do for organisations, projects, keys and limits; run by a subclass with a `store` fixture."""

from __future__ import annotations

import msgspec
import pytest

from encke.keys.grant import Grant, Limit, Rules
from encke.store.levels import LimitEdit, OwnedLimit, StoredKey, StoredLevel, Upper
from encke.store.port import NameTaken, Store
from tests.store.contract import key

BUDGET = Limit(0, "budget", 25 * 10**9, "", "month", "Europe/Berlin", 15, True)
RATE = Limit(0, "requests", 60, "")
RULES = Rules(("gpt-*", "local"), ("chat",), ("10.0.0.0/8",), ("team=x",))


def level(name: str, organisation: int = 0, **fields: object) -> StoredLevel:
    """A project of that organisation, or an organisation."""
    return msgspec.structs.replace(StoredLevel(0, name, 5_000, organisation=organisation), **fields)


def stand(store: Store) -> tuple[int, int]:
    """An organisation with a budget, a project in it with a rate; their ids."""
    organisation = store.add_level("organisation", level("acme", expires=90_000), [BUDGET])
    return organisation, store.add_level("project", level("web", organisation, rules=RULES), [RATE])


class LevelContract:
    """Subclass it with a fixture `store`."""

    def test_the_first_levels_are_there(self, store: Store) -> None:
        """An empty store has one organisation and one project, both called default, and keys go there."""
        assert [(one.id, one.name, one.organisation) for one in store.levels("organisation")] == [(1, "default", 0)]
        assert [(one.id, one.name, one.organisation) for one in store.levels("project")] == [(1, "default", 1)]
        store.add_key(*key(1))
        assert store.live_keys().grants[key(1)[1]].project == 1

    def test_levels_come_back(self, store: Store) -> None:
        """As they were added, with their rules and their limits."""
        organisation, project = stand(store)
        rows = store.levels("organisation")[1], store.levels("project")[1]
        assert rows[0] == level("acme", id=organisation, expires=90_000)
        assert rows[1] == level("web", organisation, id=project, rules=RULES)
        limits = store.owned_limits()
        assert limits == [
            OwnedLimit("organisation", str(organisation), msgspec.structs.replace(BUDGET, id=1)),
            OwnedLimit("project", str(project), msgspec.structs.replace(RATE, id=2)),
        ]

    def test_a_grant_of_all_levels(self, store: Store) -> None:
        """A key's Grant has the limits and rules of its levels and the earliest end."""
        _, project = stand(store)
        own, digest = key(1, project=project, expires=95_000, rules=Rules(models=("gpt-5*",)))
        store.add_key(own, digest, [Limit(0, "concurrency", 8, "")])
        limits = (
            msgspec.structs.replace(BUDGET, id=1, scope='organisation "acme"'),
            msgspec.structs.replace(RATE, id=2, scope='project "web"'),
            Limit(3, "concurrency", 8, 'key "name 1"'),
        )
        rules = (RULES, Rules(models=("gpt-5*",)))
        expected = Grant("KEY000000001", "name 1", 1_001, 90_000, project, limits, rules)
        assert store.live_keys().grants == {digest: expected}

    @pytest.mark.parametrize("kind", ["organisation", "project"])
    def test_level_names(self, store: Store, kind: Upper) -> None:
        """Two live ones cannot share a name, neither when one is made nor when one is renamed; an archived one leaves
        its name."""
        first = store.add_level(kind, level("same", 1))
        other = store.add_level(kind, level("other", 1))
        with pytest.raises(NameTaken):
            store.add_level(kind, level("same", 1))
        with pytest.raises(NameTaken):
            store.put_level(kind, level("same", 1, id=other), LimitEdit(add=[RATE]))
        assert store.owned_limits() == []
        assert store.archive_level(kind, first, 6_000) and not store.archive_level(kind, first, 7_000)
        assert store.put_level(kind, level("same", 1, id=other)) and not store.put_level(kind, level("x", 1, id=first))
        assert [(one.name, one.archived) for one in store.levels(kind)][1:] == [("same", 6_000), ("same", None)]

    def test_limits_of_an_owner(self, store: Store) -> None:
        """They are added, changed under the same id, and removed; nobody else's are touched, and no id comes back."""
        stored, digest = key(1)
        store.add_key(stored, digest, [BUDGET, RATE])
        store.add_key(*key(2), [RATE])
        (first, second, third) = (owned.limit for owned in store.owned_limits())
        changed = msgspec.structs.replace(first, amount=7, zone="UTC", anchor=1, strict=False, period="day")
        assert store.put_key(stored, LimitEdit([RATE], [changed, msgspec.structs.replace(third, amount=1)], [2, 3]))
        limits = {owned.limit.id: owned.limit for owned in store.owned_limits()}
        assert limits == {1: Limit(1, "budget", 7, "", "month"), 3: third, 4: msgspec.structs.replace(RATE, id=4)}
        store.put_key(stored, LimitEdit(remove=[4]))
        store.put_key(stored, LimitEdit(add=[RATE]))
        assert [owned.limit.id for owned in store.owned_limits()] == [1, 3, 5] and second.id == 2
        assert [id for id, limit in store.changed_limits(0) if limit is None] == [2, 4]

    def test_put_key(self, store: Store) -> None:
        """A live key gets another name, expiry and rules; a revoked one does not, nor one that is not there."""
        stored, digest = key(1)
        store.add_key(stored, digest)
        other = msgspec.structs.replace(stored, name="other", expires=9, rules=RULES)
        assert store.put_key(other) and store.list_keys() == [other]
        assert not store.put_key(key(5)[0])
        store.revoke_key(stored.public_id, 7)
        version = store.version()
        assert not store.put_key(stored, LimitEdit(add=[RATE]))
        assert store.version() == version and store.owned_limits() == []

    def test_rotate(self, store: Store) -> None:
        """Both secrets lead to the key until the grace ends; a third ends the first at once; none can be used again."""
        stored, first = key(1, expires=50_000)
        store.add_key(stored, first)
        second, third = b"2" * 32, b"3" * 32
        assert store.rotate_key(stored.public_id, second, 9_000)
        ends = {digest: grant.expires for digest, grant in store.live_keys().grants.items()}
        assert ends == {first: 9_000, second: 50_000} and store.old_secrets() == [("KEY000000001", 9_000)]
        assert store.key_by_digest(first) is None and store.key_by_digest(second) == stored
        assert store.rotate_key(stored.public_id, third, 99_000)
        ends = {digest: grant.expires for digest, grant in store.live_keys().grants.items()}
        assert ends == {second: 50_000, third: 50_000}
        for known in (first, second, third):
            with pytest.raises(NameTaken):
                store.rotate_key(stored.public_id, known, 9_999)
            with pytest.raises(NameTaken):
                store.add_key(key(2)[0], known)
        store.revoke_key(stored.public_id, 7)
        assert store.live_keys().grants == {} and store.old_secrets() == []
        assert not store.rotate_key(stored.public_id, b"4" * 32, 9_000)

    @pytest.mark.parametrize("kind", ["organisation", "project"])
    def test_archive_ends_keys(self, store: Store, kind: Upper) -> None:
        """Whatever stands below is archived, every key revoked, also one with an earlier secret; others stay."""
        organisation, project = stand(store)
        store.add_key(*key(1, project=project))
        store.rotate_key("KEY000000001", b"9" * 32, 9_000)
        store.add_key(*key(2))
        before = store.version()
        assert store.archive_level(kind, organisation if kind == "organisation" else project, 8_000)
        assert store.version() > before
        assert list(store.live_keys().grants) == [key(2)[1]]
        assert [one.revoked for one in store.list_keys()] == [8_000, None]
        archived = [one.archived for one in store.levels("organisation") + store.levels("project")]
        assert archived == [None, 8_000 if kind == "organisation" else None, None, 8_000]

    def test_changes(self, store: Store) -> None:
        """Since a version: what was changed after it and no more, what is gone as None."""
        organisation, project = stand(store)
        keys = [key(number, project=project) for number in (1, 2, 3)]
        for each in keys:
            store.add_key(*each)
        since = store.version()
        none = store.changes(since)
        assert none == (since, [], [], []) and store.changed_limits(since) == []
        store.revoke_key(keys[0][0].public_id, 9)
        store.put_key(keys[1][0], LimitEdit(add=[RATE]))
        store.put_level("project", level("site", organisation, id=project))
        found = store.changes(since)
        assert found.version == since + 3 == store.version()
        assert [(digest, packed is None) for digest, packed in found.keys] == [(keys[0][1], True), (keys[1][1], False)]
        assert [(id, row and row.name) for id, row in found.projects] == [(project, "site")]
        assert not found.organisations and [id for id, _ in store.changed_limits(since)] == [3]

    def test_what_fails_leaves_nothing(self, store: Store) -> None:
        """A key whose limits cannot be stored is not stored either; nor is a change of it."""
        bad = Limit(0, "budget", -1, "")
        version = store.version()
        with pytest.raises(NameTaken):
            store.add_key(*key(1), [RATE, bad])
        store.add_key(*key(1))
        with pytest.raises(NameTaken):
            store.put_key(key(1, name="other")[0], LimitEdit(add=[bad]))
        with pytest.raises(NameTaken):
            store.add_level("project", level("web", 99))
        assert store.list_keys() == [key(1)[0]] and store.owned_limits() == [] and store.version() == version + 1
        assert isinstance(store.key("KEY000000001"), StoredKey)
