"""Names of what was left out, as Google has them."""

from __future__ import annotations

import pytest

from encke.dialects.table import CLIENTS


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("top_k", "generationConfig.topK"),
        ("google_generate.safetySettings", "safetySettings"),
        ("google_generate.tools[0].response", "tools[0].response"),
        ("messages[1].content[0]", "messages[1].content[0]"),
    ],
)
def test_names(name: str, shown: str) -> None:
    """Settings by their own names, this dialect's own without its name."""
    assert CLIENTS["generate"].shown_name(name) == shown
