"""A provider's address in one piece."""

from __future__ import annotations

import pytest

from encke.config.endpoints import split_base_url
from encke.providers.provider import Provider


@pytest.mark.parametrize(
    ("base_url", "authority"),
    [
        ("https://h.example/v1", "h.example"),
        ("https://h.example:8443/v1", "h.example:8443"),
        ("http://10.0.0.5", "10.0.0.5"),
        ("http://10.0.0.5:443", "10.0.0.5:443"),
        ("http://[::1]:8000/v1", "[::1]:8000"),
        ("https://[2001:4860::1]/v1", "[2001:4860::1]"),
    ],
)
def test_address(base_url: str, authority: str) -> None:
    """The Host header has brackets round IPv6 and no port that is the scheme's own; the URL comes together again."""
    provider = Provider(name="lab", title="Lab", dialect="openai_chat", **split_base_url(base_url)._asdict())
    assert provider.authority == authority
    assert provider.base_url == base_url
