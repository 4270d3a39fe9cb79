"""A request made to fit a model."""

from __future__ import annotations

from encke.core.chat import ChatRequest, Message, Text
from encke.core.traits import ANYTHING
from encke.dialects.fit import fit


def test_nothing_is_taken_out_for_a_model_that_can_do_anything() -> None:
    """What is not known is taken for granted."""
    request = ChatRequest(model="m", messages=(Message("user", (Text("hi"),)),), top_k=3, seed=1)
    assert fit(request, ANYTHING) == (request, ())
