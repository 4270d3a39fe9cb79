"""What rules allow. A thing is allowed when every level that says anything about it allows it."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

from encke.keys.grant import Rules

# The routes that call a model: rules may name them. Lists of models and a key's own account are always answered.
ROUTES = ("chat", "completions", "embeddings", "moderations")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# What callers ask for is remembered, so it is bounded: in number and in length.
MAX_REMEMBERED = 1024
LONGEST_REMEMBERED = 256


def glob(pattern: str, one: str = ".") -> re.Pattern[str]:
    """A glob as an expression: `*` is any text, `/` too, `?` one character (`one`); all others are themselves."""
    first, *others = ("".join(one if char == "?" else re.escape(char) for char in part) for part in pattern.split("*"))
    if not others:
        return re.compile(first, re.DOTALL)
    # Each piece between two stars is looked for once, from where the one before ended, and never again: what many
    # stars could otherwise cost is a power of the name's length.
    middle = "".join(f"(?>.*?{part})" for part in others[:-1] if part)
    return re.compile(f"{first}{middle}.*{others[-1]}", re.DOTALL)


def covers(wide: str, narrow: str) -> bool:
    """Whether whatever `narrow` matches is matched by `wide`; false in doubt."""
    # A star of the narrow one is more than any one character of the wide one.
    return glob(wide, "[^*]").fullmatch(narrow) is not None


def address(text: str) -> Address | None:
    """An IP address; IPv4 within IPv6 is IPv4, a zone (`%eth0`) is left out. None for anything else."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def network(text: str) -> Network:
    """A network in CIDR form, or one address; IPv4 within IPv6 is IPv4. Raises ValueError, also for host bits."""
    found = ipaddress.ip_network(text)
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= 96:
        mapped = found.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.ip_network(f"{mapped}/{found.prefixlen - 96}")
    return found


def within(where: Address, networks: tuple[Network, ...]) -> bool:
    """Whether one of the networks holds the address."""
    return any(where in one for one in networks)


class Verdicts:
    """Rules of all levels, made ready; what they said of models and addresses is remembered."""

    def __init__(self, rules: tuple[Rules, ...]) -> None:
        self._models = [[glob(one) for one in each.models] for each in rules if each.models is not None]
        self._networks = [tuple(map(network, each.addresses)) for each in rules if each.addresses is not None]
        self._routes = [frozenset(each.routes) for each in rules if each.routes is not None]
        self._seen: dict[str, bool] = {}
        self._from: dict[str, bool] = {}

    @property
    def any_model(self) -> bool:
        """Whether nothing is said of models."""
        return not self._models

    @property
    def any_address(self) -> bool:
        """Whether nothing is said of addresses."""
        return not self._networks

    def model(self, name: str) -> bool:
        """Whether it may be asked for by this name."""
        known = self._seen.get(name)
        if known is None:
            if len(self._seen) >= MAX_REMEMBERED:
                self._seen.clear()
            known = all(any(one.fullmatch(name) for one in level) for level in self._models)
            if len(name) <= LONGEST_REMEMBERED:
                self._seen[name] = known
        return known

    def route(self, name: str) -> bool:
        """Whether it may be used."""
        return name not in ROUTES or all(name in level for level in self._routes)

    def address(self, text: str) -> bool:
        """Whether calls may come from there; from what is no address only where any will do."""
        known = self._from.get(text)
        if known is None:
            if len(self._from) >= MAX_REMEMBERED:
                self._from.clear()
            where = address(text)
            inside = where is not None and all(within(where, level) for level in self._networks)
            known = inside or not self._networks
            if len(text) <= LONGEST_REMEMBERED:
                self._from[text] = known
        return known


@lru_cache(maxsize=4096)
def verdicts(rules: tuple[Rules, ...]) -> Verdicts:
    """The rules of a Grant, made ready once."""
    return Verdicts(rules)
