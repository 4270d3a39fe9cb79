"""Names of models to what stands behind them."""

from __future__ import annotations

import pytest

from encke.catalogue.catalogue import LOCAL, Catalogue, Model, TargetName
from encke.core.faults import Fault

FAST = Model("fast", (TargetName("one", "m1", 3), TargetName("two", "m2")), (TargetName("two", "m3"),))


@pytest.fixture
def catalogue() -> Catalogue:
    """Two providers that offer one model in common, an alias, and the embedded model."""
    embedded = Model(LOCAL, (TargetName(LOCAL, LOCAL),), owner="encke")
    made = Catalogue(frozenset({"one", "two", LOCAL}), {"fast": FAST, LOCAL: embedded})
    made.offer("one", ["m1", "both", "org/deep"])
    made.offer("two", ["m2", "both"])
    return made


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("one/m1", TargetName("one", "m1")),
        ("one/never-listed", TargetName("one", "never-listed")),
        ("one/org/deep", TargetName("one", "org/deep")),
        ("m1", TargetName("one", "m1")),
        ("org/deep", TargetName("one", "org/deep")),
        ("m2", TargetName("two", "m2")),
        (LOCAL, TargetName(LOCAL, LOCAL)),
    ],
)
def test_names(catalogue: Catalogue, name: str, target: TargetName) -> None:
    """Prefix and bare id, each to one target."""
    assert catalogue.resolve(name).targets == (target,)


def test_a_collection_of_one_provider(catalogue: Catalogue) -> None:
    """Ids that no list has begin with their collection's name, which stays a part of them."""
    catalogue.collections = {"tunedModels": "two"}
    found = catalogue.resolve("tunedModels/mine")
    assert (found.name, found.targets) == ("two/tunedModels/mine", (TargetName("two", "tunedModels/mine"),))
    for name in ("tunedModels/", "tunedModels", "others/mine"):
        assert catalogue.find(name) is None


def test_alias(catalogue: Catalogue) -> None:
    """An alias has its targets and fallbacks as configured."""
    assert catalogue.resolve("fast") is FAST


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("both", "offered by several providers; ask for one of `one/both`, `two/both`"),
        ("fasst", "Did you mean `fast`"),
        ("FAST", "Did you mean `fast`"),
        ("One/Org/Deeep", "Did you mean `one/org/deep`"),
        ("three/m1", "does not exist here"),
        ("local/x", "does not exist here"),
        ("one/", "does not exist here"),
        ("x" * 300, "..."),
    ],
)
def test_unknown_names(catalogue: Catalogue, name: str, says: str) -> None:
    """What cannot be resolved is a 404 that names the nearest, or the ways to be clear."""
    with pytest.raises(Fault) as raised:
        catalogue.resolve(name)
    fault = raised.value
    assert (fault.status, fault.code, fault.param) == (404, "model_not_found", "model")
    assert says in fault.message


def test_news_are_heeded(catalogue: Catalogue) -> None:
    """What a provider offers later changes what bare ids mean, also of those resolved before."""
    assert catalogue.resolve("m1").targets[0].provider == "one"
    catalogue.offer("two", ["m1"])
    with pytest.raises(Fault, match="several"):
        catalogue.resolve("m1")
    catalogue.offer("one", [])
    assert catalogue.resolve("m1").targets[0].provider == "two"


def test_list(catalogue: Catalogue) -> None:
    """Aliases first, then provider by provider; many made-up names do not fill the memory."""
    assert [model.name for model in catalogue.names()] == [
        "fast", "local", "one/m1", "one/both", "one/org/deep", "two/m2", "two/both",
    ]  # fmt: skip
    for number in range(10_000):
        catalogue.resolve(f"one/made-up-{number}")
    assert len(catalogue._known) <= 4097
