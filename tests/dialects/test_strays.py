"""Fields that no shape names."""

from __future__ import annotations

import msgspec
import pytest

from encke.core.faults import Fault
from encke.dialects.strays import Strays


class One(msgspec.Struct):
    """A shape."""

    a: int


class Strict(One, forbid_unknown_fields=True):
    """The same, and nothing else."""


STRICT = msgspec.json.Decoder(Strict)
LOOSE = msgspec.json.Decoder(One)


def test_fields_that_a_shape_does_not_name_are_lost() -> None:
    """But those that are harmless, and those that ask for nothing."""
    strays = Strays("x")
    assert strays.read(b'{"a":1}', STRICT, LOOSE, "p[0]") == Strict(1) and strays.lost == {}
    data = b'{"a":1,"b":2,"c":null,"d":[],"id":"1","e":{"f":1}}'
    assert strays.read(data, STRICT, LOOSE, "p[1]", ("id",)).a == 1
    assert strays.lost == {"x.p[1].b": b"2", "x.p[1].e": b'{"f":1}'}
    strays.forget("p[1]")
    assert strays.lost == {}


def test_what_is_wrong_is_told_as_ever() -> None:
    """The place and the types."""
    with pytest.raises(Fault, match=r"`p\.a` must be an integer, not a string") as caught:
        Strays("x").read(b'{"a":"1","b":2}', STRICT, LOOSE, "p")
    assert caught.value.param == "p.a"
