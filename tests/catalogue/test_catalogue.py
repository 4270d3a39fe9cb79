"""What a name means."""

from __future__ import annotations

import pytest

from encke.catalogue.catalogue import Catalogue, Model, TargetName
from encke.core.faults import Fault


@pytest.fixture
def catalogue() -> Catalogue:
    """Two providers and the embedded model, an alias, and a model that both providers offer."""
    local = Model("local", (TargetName("local", "local"),), owner="encke")
    fast = Model("fast", (TargetName("one", "m", 3), TargetName("two", "m")))
    made = Catalogue(frozenset({"one", "two", "local"}), {"local": local, "fast": fast})
    made.offer("one", ["m", "only-here", "team/m"])
    made.offer("two", ["m"])
    return made


def test_an_alias_comes_first(catalogue: Catalogue) -> None:
    """Its targets are those of the settings."""
    assert [target.weight for target in catalogue.resolve("fast").targets] == [3, 1]


@pytest.mark.parametrize(
    ("name", "provider", "model"),
    [
        ("one/m", "one", "m"),
        ("two/never-heard-of", "two", "never-heard-of"),
        ("one/team/m", "one", "team/m"),
        ("only-here", "one", "only-here"),
        ("team/m", "one", "team/m"),
    ],
)
def test_a_providers_model(catalogue: Catalogue, name: str, provider: str, model: str) -> None:
    """By provider and id, or by the bare id where one provider alone offers it; ids may have slashes."""
    assert catalogue.resolve(name).targets == (TargetName(provider, model),)


def refusal(catalogue: Catalogue, name: str) -> str:
    """The message of the fault that a name gives."""
    with pytest.raises(Fault) as caught:
        catalogue.resolve(name)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert catalogue.find(name) is None
    return caught.value.message


def test_an_id_of_several_providers_must_say_whose(catalogue: Catalogue) -> None:
    """The message names the ways to ask."""
    assert "`one/m`, `two/m`" in refusal(catalogue, "m")


def test_an_unknown_name_is_told_the_nearest(catalogue: Catalogue) -> None:
    """And how providers' models are asked for; a very long name is cut."""
    assert "Did you mean `fast`?" in refusal(catalogue, "fastt")
    assert "`one/only-here`" in refusal(catalogue, "onlyhere")
    assert "`one/…`, `two/…`" in refusal(catalogue, "zzz")
    assert len(refusal(catalogue, "z" * 5000)) < 400


@pytest.mark.parametrize("name", ["one/", "/m", "three/m", "local/local", "local/"])
def test_no_model(catalogue: Catalogue, name: str) -> None:
    """A provider without an id, an id without a provider, an unknown provider; the engine has its one name only."""
    refusal(catalogue, name)


def test_what_is_offered_later_counts(catalogue: Catalogue) -> None:
    """A bare id that was unique stops being so, and one that was unknown is found."""
    assert catalogue.resolve("only-here")
    catalogue.offer("two", ["m", "only-here", "new"])
    refusal(catalogue, "only-here")
    assert catalogue.resolve("new").owner == "two"


def test_the_list(catalogue: Catalogue) -> None:
    """Aliases as in the settings, then each provider's models with their prefix."""
    names = [model.name for model in catalogue.names()]
    assert names == ["local", "fast", "one/m", "one/only-here", "one/team/m", "two/m"]


def test_strangers_names_do_not_fill_the_memory(catalogue: Catalogue) -> None:
    """Callers choose names; what is remembered of them is bounded."""
    for n in range(10_000):
        catalogue.resolve(f"one/{n}")
    assert len(catalogue._known) <= 4097
