"""A field that is given in both spellings."""

from __future__ import annotations

import pytest

from encke.core.faults import Fault
from encke.dialects.google_generate.client import GoogleClient

BODY = b'{"contents":[{"parts":[{"text":"Hi"}]}],"generationConfig":{"maxOutputTokens":1},"generation_config":{}}'


def test_both_spellings_of_a_field_are_refused() -> None:
    """Nobody knows which of them a provider takes, so no limit could hold."""
    client = GoogleClient("generate")
    request = client.read(BODY, "m:generateContent", {})
    with pytest.raises(Fault, match="invalid_value"):
        client.output_limit(request)
    assert (
        client.output_limit(client.read(BODY.replace(b'"generation_config":{}', b'"x":1'), "m:generateContent", {}))
        == 1
    )
