"""What a provider's models can do: rows of `provider.toml` over each other, and the settings over them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from encke.catalogue.prices import PriceBook
from encke.config.capabilities import changed, read_capabilities
from encke.config.kinds import Refused
from encke.core.traits import ANYTHING, Capabilities, Traits
from encke.keys.rules import glob
from encke.providers.ops import PATHS
from encke.providers.provider import ModelRow, Provider

# Models whose traits are remembered, for each provider: callers may make names up.
_REMEMBERED: Final = 1024
# Before an id where it may also stand without: Google's.
_PREFIX: Final = "models/"


def read_row(raw: dict[str, Any]) -> ModelRow:
    """A row as it is written: globs over names (in lower case), extensions, and capabilities. Raises ValueError."""
    said = {name: value for name, value in raw.items() if name not in ("names", "extensions")}
    names = _words(raw.get("names"), "names")
    if not names or any(name != name.lower() for name in names):
        raise ValueError("a row of models needs names, in lower case")
    extensions = _words(raw["extensions"], "extensions") if "extensions" in raw else None
    return ModelRow(names, read_said(said), extensions)


def read_said(raw: dict[str, Any]) -> dict[str, Any]:
    """Capabilities as they are written. Raises ValueError."""
    try:
        said = read_capabilities(raw)
    except Refused as refused:
        first = refused.refusals[0]
        raise ValueError(f"{'.'.join(map(str, first.inside))}: {first.message}") from None
    strange = [op for op in said.get("ops", ()) if op not in PATHS]
    if strange:
        raise ValueError(f"ops: {strange[0]} is no operation")
    return said


def _words(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise ValueError(f"{name} must be a list of strings")
    return tuple(value)


def traits_of(provider: Provider, book: PriceBook) -> Callable[[str], Traits]:
    """How each model of a provider wants to be talked to, remembered. Raises PriceFileError if its price list, which
    tells how much models read, is there and cannot be read."""
    rows = [([glob(n) for n in row.names], [glob(n) for n in row.within], row) for row in provider.model_rows]
    known = book.find(provider.price_list) if provider.price_list else None

    @lru_cache(maxsize=_REMEMBERED)
    def of_model(model: str) -> Traits:
        name = model.lower().removeprefix(_PREFIX)
        listed = known.find(name) if known is not None else None
        found = ANYTHING
        if listed is not None and listed.context:
            found = Capabilities(context=listed.context)
        extensions = provider.extensions
        for patterns, within, row in rows:
            if within and not any(pattern.fullmatch(name) for pattern in within):
                continue
            if any(pattern.fullmatch(name) for pattern in patterns):
                found = changed(found, row.said)
                extensions = extensions if row.extensions is None else row.extensions
        return Traits(found, provider.stream_usage, provider.limit_field, extensions)

    return of_model
