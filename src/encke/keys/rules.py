"""What rules allow. A thing is allowed when every level that says anything about it allows it."""

from __future__ import annotations

import re
from functools import lru_cache

from encke.core.addresses import address, network, within
from encke.keys.grant import Rules

# The routes that call a model: rules may name them. Lists of models and a key's own account are always answered.
ROUTES = (
    "chat",
    "completions",
    "embeddings",
    "moderations",
    "responses",
    "messages",
    "count_tokens",
    "generate",
    "google_count",
    "embed_content",
    "batch_embed",
)

# What callers ask for is remembered, so it is bounded, for all keys together: in number and in length.
MAX_REMEMBERED = 8192
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


class Verdicts:
    """Rules of all levels, made ready."""

    def __init__(self, rules: tuple[Rules, ...]) -> None:
        self._models = [[glob(one) for one in each.models] for each in rules if each.models is not None]
        self._networks = [tuple(map(network, each.addresses)) for each in rules if each.addresses is not None]
        self._routes = [frozenset(each.routes) for each in rules if each.routes is not None]

    @property
    def any_model(self) -> bool:
        """Whether nothing is said of models."""
        return not self._models

    @property
    def any_address(self) -> bool:
        """Whether nothing is said of addresses."""
        return not self._networks

    def model(self, *names: str) -> bool:
        """Whether a model may be asked for that goes by these names: each level must allow one of them."""
        return all(any(one.fullmatch(name) for one in level for name in names) for level in self._models)

    def route(self, name: str) -> bool:
        """Whether it may be used."""
        return name not in ROUTES or all(name in level for level in self._routes)

    def address(self, text: str) -> bool:
        """Whether calls may come from there; from what is no address only where any will do."""
        if not self._networks:
            return True
        where = address(text)
        return where is not None and all(within(where, level) for level in self._networks)


@lru_cache(maxsize=4096)
def verdicts(rules: tuple[Rules, ...]) -> Verdicts:
    """The rules of a Grant, made ready once."""
    return Verdicts(rules)


@lru_cache(maxsize=MAX_REMEMBERED)
def _model(rules: Verdicts, names: tuple[str, ...]) -> bool:
    return rules.model(*names)


@lru_cache(maxsize=MAX_REMEMBERED)
def _address(rules: Verdicts, text: str) -> bool:
    return rules.address(text)


def model_allowed(rules: tuple[Rules, ...], names: tuple[str, ...]) -> bool:
    """`Verdicts.model`, remembered."""
    ready = verdicts(rules)
    if ready.any_model:
        return True
    return _model(ready, names) if sum(map(len, names)) <= LONGEST_REMEMBERED else ready.model(*names)


def address_allowed(rules: tuple[Rules, ...], text: str) -> bool:
    """`Verdicts.address`, remembered."""
    ready = verdicts(rules)
    return ready.any_address or (_address(ready, text) if len(text) <= LONGEST_REMEMBERED else ready.address(text))
