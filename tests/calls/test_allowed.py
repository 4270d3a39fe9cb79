"""Whether a key may use a model."""

from __future__ import annotations

import pytest

from encke.calls.allowed import allowed, check_model, check_others, policy
from encke.catalogue.catalogue import Catalogue, Model, TargetName
from encke.core.faults import Fault
from encke.core.traits import Unsupported
from encke.keys.grant import Grant, Rules

FAST = Model("fast", (TargetName("lab", "m1"),), (TargetName("other", "dear"),))


def catalogue() -> Catalogue:
    """Two providers; `m1` and `dear` are of one only, `both` of two, and an alias hides the bare id `m2`."""
    made = Catalogue(frozenset({"lab", "other"}), {"fast": FAST, "m2": Model("m2", (TargetName("other", "dear"),))})
    made.offer("lab", ["m1", "m2", "both"])
    made.offer("other", ["dear", "both"])
    return made


@pytest.mark.parametrize(
    ("globs", "asked", "expected"),
    [
        ("m*", "m1", True), ("m*", "lab/m1", True), ("lab/*", "m1", True), ("lab/*", "lab/m1", True),
        ("lab/*", "fast", False),  # an alias is its name, not what stands behind it
        ("fast", "fast", True), ("fast", "m1", False), ("fast", "lab/m1", False), ("fast", "other/dear", False),
        ("m2", "m2", True), ("m2", "lab/m2", False), ("lab/*", "m2", False), ("lab/m2", "lab/m2", True),
        ("both", "lab/both", False), ("lab/both", "lab/both", True), ("lab/both", "other/both", False),
        ("*", "anything", True), ("m*", "mystery", True), ("m*", "unknown", False), ("*/dear", "dear", True),
    ],
)  # fmt: skip
def test_names(globs: str, asked: str, expected: bool) -> None:
    """Of an alias its name counts; of another model each name that means it, and no name that may mean another."""
    names, rules = catalogue(), (Rules(models=(globs,)),)
    for _ in range(2):
        assert allowed(names, rules, asked, names.find(asked)) is expected


def test_what_means_another_model_later() -> None:
    """A bare id stands for a model as long as one provider has it."""
    names, rules = catalogue(), (Rules(models=("m1",)),)
    assert allowed(names, rules, "lab/m1", names.find("lab/m1"))
    names.offer("other", ["m1"])
    assert not allowed(names, rules, "lab/m1", names.find("lab/m1"))


def test_the_refusal() -> None:
    """It names the model, and no key that was sent in its place; what does not exist is refused alike."""
    for asked in ("dear", "nothing", "sk-enc-0123456789ab-secret", "x" * 5_000):
        with pytest.raises(Fault) as refused:
            check_model(catalogue(), (Rules(models=("m*",)),), asked, catalogue().find(asked))
        fault = refused.value
        assert (fault.code, fault.status, fault.kind.type) == ("model_not_allowed", 403, "permission_error")
        assert "secret" not in fault.message and len(fault.message) < 200
    check_model(catalogue(), (), "dear", None)


def test_a_key_of_some_models_chooses_the_model() -> None:
    """The provider may not; other keys may leave it to the provider, unless somebody has to know the price."""
    for limited, charged, code in ((True, False, "model_not_allowed"), (False, True, "invalid_value")):
        with pytest.raises(Fault) as caught:
            check_others("tools[0].model", limited, charged)
        assert (caught.value.code, caught.value.param) == (code, "tools[0].model")
    check_others("models", False, False)
    check_others(None, True, True)


@pytest.mark.parametrize(
    ("bound", "wish", "expected"),
    [
        (None, None, "warn"),
        (None, b"drop", "drop"),
        (None, b" Reject ", "reject"),
        ("drop", None, "drop"),
        ("reject", None, "reject"),
        ("reject", b"drop", "reject"),
        ("warn", b"drop", "warn"),
        ("drop", b"reject", "reject"),
    ],
)
def test_the_policy(bound: Unsupported | None, wish: bytes | None, expected: str) -> None:
    """The caller's word, no looser than the key's; else the key's; else the settings'."""
    assert policy("warn", Grant("pub", "app", 0, on_unsupported=bound), wish) == expected


def test_no_policy() -> None:
    """A word that is none is refused, and so that it can be shown."""
    with pytest.raises(Fault, match="reject, warn or drop, not no%C3%AE"):
        policy("warn", None, b"no\xee")
