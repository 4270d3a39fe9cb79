"""Ids of tool calls as Mistral wants them."""

from __future__ import annotations

import re

from encke.dialects.mistral_chat import ids


def test_an_id_that_fits_stays_and_any_other_is_hashed_to_the_same_nine_always() -> None:
    """A conversation that is sent again is the same to the byte, and Mistral's own ids come back to it."""
    one, other = ids.CallIds(), ids.CallIds()
    assert one.fit("LzJrPPDCp") == "LzJrPPDCp"
    for id in ("call_abcdefghijkl", "toolu_01", "", "né", "LzJrPPDC-", "LzJrPPDCp2"):
        given = one.fit(id)
        assert re.fullmatch("[A-Za-z0-9]{9}", given) and given == one.fit(id) == other.fit(id)


def test_two_ids_of_one_request_never_come_out_alike() -> None:
    """An id that is what another would be hashed to."""
    taken = ids.hashed("call_1")
    given = ids.CallIds()
    assert given.fit(taken) == taken
    assert given.fit("call_1") != taken
    many = ids.CallIds()
    assert len({many.fit(f"call_{n}") for n in range(5000)}) == 5000
