"""A request made to fit a model: what the model cannot do is taken out, and named."""

from __future__ import annotations

from encke.core.chat import ChatRequest
from encke.core.traits import Capabilities


def fit(request: ChatRequest, capabilities: Capabilities) -> tuple[ChatRequest, tuple[str, ...]]:
    """The request as the model can take it, and the hub's names of what was taken out."""
    return request, ()
