"""Arguments in pieces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.core.faults import Fault
from encke.dialects.google_generate.events import PartialArg
from encke.dialects.google_generate.partial import PartialArguments


def joined(*pieces: PartialArg) -> object:
    """What the pieces make."""
    arguments = PartialArguments()
    for piece in pieces:
        arguments.add(piece)
    return json.loads(arguments.text())


def test_pieces_at_their_places() -> None:
    """Texts grow; objects and lists come to be as they are named."""
    assert joined(
        PartialArg("$.city", "San ", willContinue=True),
        PartialArg("$.city", "Francisco"),
        PartialArg("$.list[0].n", numberValue=1.0),
        PartialArg("$.list[1]['a b']", boolValue=False),
        PartialArg('$["x"]', numberValue=1.5),
    ) == {"city": "San Francisco", "list": [{"n": 1}, {"a b": False}], "x": 1.5}
    assert joined() == {}


@pytest.mark.parametrize("path", ["", "$", "x", "$.a[5]", "$[0]", "$.a..b", "$" + ".a" * 99])
def test_places_that_cannot_be(path: str) -> None:
    """Are a provider's mistake; nothing is made larger than what came."""
    with pytest.raises(Fault, match="place") as caught:
        joined(PartialArg(path, "x"))
    assert caught.value.code == "upstream_bad_response"


@given(st.lists(st.tuples(st.sampled_from(["$.a", "$.a.b", "$.a[0]", "$.a[1]", "$.b", "$"]), st.text(max_size=3))))
def test_any_pieces(pieces: list[tuple[str, str]]) -> None:
    """An object comes out, or a Fault."""
    try:
        assert isinstance(joined(*(PartialArg(path, text) for path, text in pieces)), dict)
    except Fault as fault:
        assert fault.code == "upstream_bad_response"
