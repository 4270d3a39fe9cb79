"""Secrets do not show themselves."""

from __future__ import annotations

import copy
import pickle

import msgspec
import pytest

from encke.config.secret import Secret
from encke.config.settings import ProviderSettings

CANARY = "canary-7f3a"


def test_every_way_of_printing_is_masked() -> None:
    """str, repr, format, %, a struct's repr and a container's all show the mask."""
    secret = Secret(CANARY)
    settings = ProviderSettings(api_key=secret, headers={"x-key": secret})
    for shown in (str(secret), repr(secret), f"{secret}", f"{secret:>20}", "%s %r" % (secret, secret), str([secret])):  # noqa: UP031
        assert "***" in shown and CANARY not in shown
    assert CANARY not in repr(settings) and "***" in repr(settings)
    assert secret.reveal() == CANARY


def test_it_leaves_the_process_only_on_purpose() -> None:
    """Pickling and plain msgspec encoding fail, and say nothing of the text."""
    for leave in (pickle.dumps, msgspec.json.encode, msgspec.to_builtins):
        with pytest.raises(TypeError) as caught:
            leave(Secret(CANARY))
        assert CANARY not in str(caught.value)


def test_equality_copy_and_truth() -> None:
    """Secrets compare by text, copy to themselves, are false when empty, and cannot be changed."""
    secret = Secret(CANARY)
    assert secret == Secret(CANARY) and secret != Secret("other") and secret != CANARY
    assert hash(secret) == hash(Secret(CANARY))
    assert copy.copy(secret) is secret and copy.deepcopy(secret) is secret
    assert secret and not Secret("")
    with pytest.raises(AttributeError):
        secret._text = "x"
    assert not hasattr(secret, "__dict__")
