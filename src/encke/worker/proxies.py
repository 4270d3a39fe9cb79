"""Where a call comes from: who is connected, or, where that is a proxy that is trusted, whom it says it has behind it.

Anybody can write X-Forwarded-For. Each proxy adds at the right whom it has seen, so from the right it is read, and only
as far as those who wrote it are trusted: the first that is not is the caller. What stands left of it, the caller may
have written.
"""

from __future__ import annotations

from typing import Final

from encke.core.addresses import address, network, within

FORWARDED: Final = b"x-forwarded-for"
MOST_HOPS: Final = 32  # that are looked at: a header has room for thousands, and each takes time to read


class Proxies:
    """`networks` are those of the proxies that are trusted, in CIDR form."""

    def __init__(self, networks: tuple[str, ...]) -> None:
        self._networks = tuple(network(text) for text in networks)

    def caller(self, peer: str, headers: dict[bytes, bytes]) -> str:
        """The address of the caller as text; what is no address if a proxy says what is none."""
        if not self._networks or FORWARDED not in headers or not self._trusted(peer):
            return peer
        hops = headers[FORWARDED].decode("latin-1").rsplit(",", MOST_HOPS)
        while hops:
            found = _host(hops.pop().strip())
            if not hops or not self._trusted(found):
                return found
        return peer

    def _trusted(self, text: str) -> bool:
        where = address(text)
        return where is not None and within(where, self._networks)


def _host(text: str) -> str:
    """Without the port that some proxies write: `1.2.3.4:5678`, `[2001:db8::1]:5678`, `[2001:db8::1]`."""
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text
