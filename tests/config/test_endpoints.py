"""Listening addresses and base URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from encke.config.endpoints import BaseUrl, split_base_url, split_listen


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8080", "127.0.0.1", 8080),
        ("[::1]:0", "::1", 0),
        ("localhost:65535", "localhost", 65535),
        ("0.0.0.0:80", "0.0.0.0", 80),
    ],
)
def test_listen(text: str, host: str, port: int) -> None:
    """Host and port come apart, brackets gone."""
    assert split_listen(text) == (host, port)


@pytest.mark.parametrize(
    "text",
    ["", "8080", ":8080", "::1:80", "[::1]", "[x]:80", "a:", "a:-1", "a:65536", "a:٣", "a b:1", "a:000080", "é:1"],
)
def test_listen_refused(text: str) -> None:
    """Anything else is refused."""
    with pytest.raises(ValueError, match="has "):
        split_listen(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://api.example.com/v1", BaseUrl("https", "api.example.com", 443, "/v1")),
        ("https://API.example.com/v1/", BaseUrl("https", "api.example.com", 443, "/v1")),
        ("HTTP://10.0.0.5:8000", BaseUrl("http", "10.0.0.5", 8000, "")),
        ("http://h/", BaseUrl("http", "h", 80, "")),
        ("https://[2001:DB8::1]:8443/a/b", BaseUrl("https", "2001:db8::1", 8443, "/a/b")),
        ("https://[::1]/v1", BaseUrl("https", "::1", 443, "/v1")),
        ("https://my_host.internal./v1", BaseUrl("https", "my_host.internal.", 443, "/v1")),
    ],
)
def test_base_url(text: str, expected: BaseUrl) -> None:
    """Scheme, host, port and prefix come apart; the prefix never ends in a slash."""
    assert split_base_url(text) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "begin with"),
        ("api.example.com/v1", "begin with"),
        ("ftp://h/", "begin with"),
        ("unix:///x", "begin with"),
        ("https://", "no host"),
        ("https:///v1", "no host"),
        ("https://:8080/v1", "no host"),
        ("https://me:canary@h/v1", "user name or password"),
        ("https://canary@h/v1", "user name or password"),
        ("https://h/v1?key=canary", "query or fragment"),
        ("https://h/v1#x", "query or fragment"),
        ("https://h/v1?", "query or fragment"),
        ("https://h/a b", "space"),
        ("https://h/\tb", "space"),
        ("https://h\\@evil/", "backslash"),
        ("https://h/../x", "path"),
        ("https://h/a//b", "path"),
        ("https://h/%2e%2e/b", "path"),
        ("https://h:0/", "port"),
        ("https://h:99999/", "port"),
        ("https://h:x/", "port"),
        ("https://h%20x/", "host"),
        ("https://bücher.example/", "host"),
        ("https://[::1/", "not a URL"),
        ("https://[::1]x/", "."),
        ("https://h/@x", "path that cannot be used"),
        ("https://h/v1/chat/completions", "end it before that"),
        ("https://h/v1/chat/completions/", "end it before that"),
    ],
)
def test_base_url_refused(text: str, message: str) -> None:
    """What could be read in two ways, or holds a secret, is refused, and a secret is not repeated."""
    with pytest.raises(ValueError, match=message) as caught:
        split_base_url(text)
    assert "canary" not in str(caught.value)


@given(st.text(max_size=30) | st.text(alphabet="https:/[]@%.:ab1\\?#", max_size=20).map("https://".__add__))
def test_any_text(text: str) -> None:
    """Any text is parted or refused, nothing else; what is accepted is plain."""
    try:
        url = split_base_url(text)
    except ValueError:
        return
    assert url.scheme in ("http", "https") and 0 < url.port < 65536
    assert not set(url.host + url.prefix) & set("@?#\\ []")
