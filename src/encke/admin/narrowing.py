"""Rights only narrow downwards: what a level says beyond those above it, told in sentences.

Nothing here decides: a call must be allowed by every level, whatever the lower ones say, and every level's limits
count. So a wider lower level is no error, and may be wanted, since the upper one may be widened later; but whoever
writes it is told.
"""

from __future__ import annotations

from collections.abc import Iterator

from encke.admin.view import Said
from encke.core.addresses import Network, network
from encke.core.clock import iso
from encke.core.money import shown
from encke.core.traits import POLICIES
from encke.keys.rules import covers


def notes(own: Said, above: list[Said]) -> list[str]:
    """What of `own` the levels above do not allow."""
    found: list[str] = []
    for upper in above:
        found += [*_expiry(own, upper), *_models(own, upper), *_routes(own, upper), *_addresses(own, upper)]
        found += [*_policy(own, upper), *_amounts(own, upper)]
    return found


def _expiry(own: Said, upper: Said) -> Iterator[str]:
    if own.expires is not None and upper.expires is not None and own.expires > upper.expires:
        yield f"it ends with the {upper.scope} already, at {iso(upper.expires)}"
    elif own.expires is None and upper.expires is not None:
        yield f"it ends with the {upper.scope}, at {iso(upper.expires)}"


def _models(own: Said, upper: Said) -> Iterator[str]:
    mine, theirs = own.rules.models, upper.rules.models
    if mine is not None and theirs is not None:
        wider = [one for one in mine if not any(covers(wide, one) for wide in theirs)]
        if wider:
            yield f"of {_list(wider)} only models that the {upper.scope} allows are allowed: {_list(theirs)}"


def _routes(own: Said, upper: Said) -> Iterator[str]:
    mine, theirs = own.rules.routes, upper.rules.routes
    if mine is not None and theirs is not None and (wider := [one for one in mine if one not in theirs]):
        yield f"{_list(wider)} stays forbidden: the {upper.scope} allows only the routes {_list(theirs)}"


def _addresses(own: Said, upper: Said) -> Iterator[str]:
    mine, theirs = own.rules.addresses, upper.rules.addresses
    if mine is not None and theirs is not None:
        wider = [one for one in mine if not any(_inside(network(one), network(wide)) for wide in theirs)]
        if wider:
            yield f"of {_list(wider)} only what the {upper.scope} allows is allowed: {_list(theirs)}"


def _policy(own: Said, upper: Said) -> Iterator[str]:
    mine, theirs = own.rules.on_unsupported, upper.rules.on_unsupported
    if mine is not None and theirs is not None and POLICIES.index(mine) > POLICIES.index(theirs):
        yield f"what cannot be asked in full meets {theirs}, not {mine}: the {upper.scope} is stricter"


def _inside(narrow: Network, wide: Network) -> bool:
    first, last = narrow.network_address, narrow.broadcast_address
    return narrow.version == wide.version and first in wide and last in wide


_UNITS = {"requests": "requests a minute", "tokens": "tokens a minute", "concurrency": "calls at once"}


def _amounts(own: Said, upper: Said) -> Iterator[str]:
    for mine in own.limits:
        for theirs in upper.limits:
            if mine.kind == theirs.kind and mine.period == theirs.period and mine.amount > theirs.amount:
                kind = "budget" if mine.kind == "budget" else "limit"
                amount = shown(theirs.amount) if kind == "budget" else f"{theirs.amount} {_UNITS[theirs.kind]}"
                each = f" a {mine.period}" if mine.period in ("day", "week", "month") else ""
                yield f"the {upper.scope} has a smaller {kind}, {amount}{each}, which counts as well"


def _list(items: list[str] | tuple[str, ...]) -> str:
    return ", ".join(items)
