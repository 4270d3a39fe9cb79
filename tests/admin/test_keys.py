"""Making, finding and revoking keys."""

from __future__ import annotations

from pathlib import Path

import pytest

from encke.admin.context import AdminError, Context
from encke.admin.keys import bootstrap, create, first, list_keys, revoke, rotate, show, update
from encke.admin.terms import NO_TERMS, Terms
from encke.keys import secret
from tests.admin.conftest import NOW

OWN = "sk-operator-0123456789abcdefghijklmnop"


def test_created_key_works_and_is_not_stored(ctx: Context, tmp_path: Path) -> None:
    """The key is found by its digest with its grant; the secret is nowhere in the store's files, nor in the repr."""
    made = create(ctx, "app", Terms(expires="1s"))
    grant = ctx.store.live_keys().grants[secret.digest(ctx.pepper, made.key)]
    assert (grant.public_id, grant.name, grant.created, grant.expires) == (made.id, "app", NOW, NOW + 1_000)
    assert secret.minted(made.key) and made.key not in repr(made)
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert made.key[20:32].encode() not in content and made.key[-12:].encode() not in content


def test_names_are_given(ctx: Context) -> None:
    """Without a name keys are numbered, past every name ever used."""
    assert [create(ctx).name, create(ctx).name] == ["key-1", "key-2"]
    revoke(ctx, "key-1")
    create(ctx, "key-4")
    assert [create(ctx).name, create(ctx).name] == ["key-3", "key-5"]


def test_taken_name(ctx: Context) -> None:
    """A taken name is refused, and free again after the key is revoked."""
    create(ctx, "app")
    with pytest.raises(AdminError, match='the name "app" is taken'):
        create(ctx, "app")
    revoke(ctx, "app")
    create(ctx, "app")
    assert [key.state for key in list_keys(ctx)].count("live") == 1


@pytest.mark.parametrize("name", ["", "  ", " a", "a\n", "\x1b[31m", "x" * 65, "sk-enc-mine", "--yes", "a\u202eb"])
def test_bad_names(ctx: Context, name: str) -> None:
    """Names that are empty, long, hide something, or look like a key or an option are refused on one line."""
    with pytest.raises(AdminError, match=r"^the name ") as refusal:
        create(ctx, name)
    assert str(refusal.value).isprintable()
    assert list_keys(ctx) == []


def test_name_like_an_id(ctx: Context) -> None:
    """A name that is the id of another key is refused: it could never be found."""
    made = create(ctx)
    with pytest.raises(AdminError, match="is the id of another key"):
        create(ctx, made.id)


def test_show(ctx: Context) -> None:
    """A key is shown by id, by name and by the whole key; its state follows the clock and revocation."""
    made = create(ctx, "app", Terms(expires="1s"))
    assert show(ctx, "app") == show(ctx, made.id) == show(ctx, made.key)
    assert show(ctx, "app").state == "live"
    assert show(ctx._replace(now=lambda: NOW + 1_000), "app").state == "expired"
    assert revoke(ctx, made.key).state == show(ctx, "app").state == "revoked"


def test_not_found(ctx: Context) -> None:
    """What is not there is told with the nearest names, or how to list or make keys."""
    with pytest.raises(AdminError, match="there are no keys yet"):
        show(ctx, "app")
    create(ctx, "production")
    create(ctx, "producer")
    with pytest.raises(AdminError, match='no key has the id or name "productoin"; nearest: "production", "producer"'):
        revoke(ctx, "productoin")
    with pytest.raises(AdminError, match="encke keys list shows them all"):
        show(ctx, "zzz")


def test_a_key_is_never_echoed(ctx: Context) -> None:
    """Someone who pastes a whole key that is not there, or a mistyped one, does not find it in the message."""
    for pasted in (secret.mint().secret, secret.mint().secret[:-1], OWN):
        with pytest.raises(AdminError) as refusal:
            revoke(ctx, pasted)
        assert pasted[20:] not in str(refusal.value)


def test_revoked_twice(ctx: Context) -> None:
    """A second revocation is refused and says since when."""
    create(ctx, "app")
    assert revoke(ctx, "app").revoked == NOW
    with pytest.raises(AdminError, match="is revoked already since 2027-01-01T00:00:00Z"):
        revoke(ctx._replace(now=lambda: NOW + 5), "app")
    assert show(ctx, "app").revoked == NOW


def test_first(ctx: Context) -> None:
    """Only a store that never held a key gets a first one."""
    made = first(ctx)
    assert made is not None and made.name == "first"
    assert first(ctx) is None
    revoke(ctx, made.id)
    assert first(ctx) is None


def test_bootstrap(ctx: Context) -> None:
    """An operator's own key is added once, works, and stays revoked once it is."""
    assert bootstrap(ctx, OWN) == "created"
    assert bootstrap(ctx, OWN) == "present"
    (found,) = list_keys(ctx)
    assert found.name == "bootstrap" and found.id not in OWN and len(found.id) == 12
    assert secret.digest(ctx.pepper, OWN) in ctx.store.live_keys().grants
    revoke(ctx, "bootstrap")
    assert bootstrap(ctx, OWN) == "revoked"
    assert ctx.store.live_keys().grants == {}


def test_another_bootstrap_key(ctx: Context) -> None:
    """A changed bootstrap key is added beside the earlier one; a minted one keeps its public id."""
    minted = secret.mint()
    assert bootstrap(ctx, OWN) == bootstrap(ctx, minted.secret) == bootstrap(ctx, OWN + "x") == "created"
    assert {key.name for key in list_keys(ctx)} == {"bootstrap", "bootstrap-2", "bootstrap-3"}
    assert show(ctx, minted.public_id).name == "bootstrap-2"


def test_a_rotated_bootstrap_key(ctx: Context) -> None:
    """One that has been given another secret is not added again, however often; nor if that was long ago."""
    bootstrap(ctx, OWN)
    for _ in range(2):
        rotate(ctx, "bootstrap", 0)
        assert bootstrap(ctx, OWN) == "rotated"
    assert [key.name for key in list_keys(ctx)] == ["bootstrap"]
    revoke(ctx, "bootstrap")
    assert bootstrap(ctx, OWN) == "revoked"


def test_rotate(ctx: Context, tmp_path: Path) -> None:
    """Another secret of the same id; the one before ends with the grace, one before that at once; none is stored."""
    made = create(ctx, "app", Terms(budget=("25/month",)))
    first = rotate(ctx, "app", 5_000)
    assert (first.id, first.name, first.until, first.ended) == (made.id, "app", NOW + 5_000, False)
    assert secret.minted(first.key) and first.key != made.key and first.key not in repr(first)
    assert show(ctx, "app").old_secret == NOW + 5_000 and show(ctx, first.key).id == made.id
    second = rotate(ctx._replace(now=lambda: NOW + 4_999), "app", 1_000)
    later = ctx._replace(now=lambda: NOW + 6_000)
    assert second.ended and not rotate(later, "app", 0).ended
    assert show(later, "app").old_secret is None and len(show(later, "app").limits.budgets) == 1
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert all(each.key[20:32].encode() not in content for each in (made, first, second))
    revoke(ctx, "app")
    with pytest.raises(AdminError, match=r'the key "app" .* is revoked already'):
        rotate(ctx, "app", 0)


def test_update(ctx: Context) -> None:
    """What is given changes, the rest stays; names are checked as new ones are."""
    create(ctx, "other")
    create(ctx, "app", Terms(rpm="60", models="a,b", expires="1d", tag=("x",), budget=("5/day",)))
    info = update(ctx, "app", Terms(rpm="70", models="any", budget=("6/day", "9")), "new")
    assert (info.name, info.limits.rpm, info.limits.models, info.limits.tags) == ("new", 70, None, ["x"])
    assert info.expires == NOW + 86_400_000 and [each.amount for each in info.limits.budgets] == [6 * 10**9, 9 * 10**9]
    for name, message in (("other", "is taken"), ("-x", "begins with"), (info.id, "is the id of another key")):
        with pytest.raises(AdminError, match=message):
            update(ctx, "new", NO_TERMS, name)
    revoke(ctx, "new")
    with pytest.raises(AdminError, match="is revoked already"):
        update(ctx, "new", Terms(rpm="1"))


@pytest.mark.parametrize("key", ["", "sk-short", "pk-" + "x" * 40, "sk-" + "x" * 40 + " "])
def test_bad_bootstrap_key(ctx: Context, key: str) -> None:
    """A bootstrap key without the shape is refused, and not quoted."""
    with pytest.raises(AdminError, match="must begin with sk- and have 32 or more") as refusal:
        bootstrap(ctx, key)
    assert not key or key not in str(refusal.value)
