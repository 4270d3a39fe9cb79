"""What a key may do: use a model (phase 4), leave out what a model cannot be asked (phase 3)."""

from __future__ import annotations

from encke.catalogue.catalogue import Catalogue, Model
from encke.core.faults import Fault
from encke.core.redact import without_keys
from encke.core.traits import POLICIES, Unsupported, strictest
from encke.http.headers import visible
from encke.keys.grant import Grant, Rules
from encke.keys.rules import model_allowed


def allowed(catalogue: Catalogue, rules: tuple[Rules, ...], asked: str, model: Model | None) -> bool:
    """Whether the rules allow the model that is asked for by this name; None: there is none.

    An alias is allowed by its name, whatever stands behind it. Any other model by the name that was asked for, by
    `provider/model`, and by the bare id as long as that means the same.
    """
    if model is None or model.name in catalogue.aliases:
        return model_allowed(rules, (asked,))
    names = (asked,) if model.name == asked else (asked, model.name)
    bare = model.targets[0].model
    if bare != asked and catalogue.find(bare) == catalogue.find(model.name):
        names = (*names, bare)
    return model_allowed(rules, names)


def check_others(name: str | None, limited: bool, charged: bool) -> None:
    """Whether another model may answer, or work for the answer, than the one that is asked for: `name` is what in the
    request says so (`ClientSide.others`). Raises Fault model_not_allowed where the key's rules name models (`limited`),
    invalid_value where a budget applies (`charged`): nobody could tell the price."""
    if name is None:
        return
    if limited:
        raise Fault(
            "model_not_allowed",
            f"This key may use some models only, and with `{name}` another may answer.",
            param=name,
        )
    if charged:
        raise Fault(
            "invalid_value",
            f"A budget applies to this key, and with `{name}` nobody can tell which model's price to charge. "
            "Leave it out; an alias with a fallback in the gateway's settings does the same.",
            param=name,
        )


def check_model(catalogue: Catalogue, rules: tuple[Rules, ...], asked: str, model: Model | None) -> None:
    """Raises Fault model_not_allowed."""
    if not allowed(catalogue, rules, asked, model):
        shown = without_keys(asked if len(asked) <= 80 else asked[:77] + "...")
        raise Fault(
            "model_not_allowed",
            f"This key may not use the model `{shown}`. GET /v1/models lists those it may use.",
            param="model",
        )


def policy(usual: Unsupported, grant: Grant | None, wish: bytes | None) -> Unsupported:
    """What becomes of a call that cannot be asked in full: what the caller wishes in the header, no looser than the
    key's rules say; else what they say, else what is usual. Raises Fault invalid_value."""
    bound = None if grant is None else grant.on_unsupported
    if wish is None:
        return bound or usual
    word = wish.strip().lower().decode("latin-1")
    for known in POLICIES:
        if word == known:
            return strictest((known, bound)) or known
    raise Fault(
        "invalid_value",
        f"The header x-encke-unsupported is {', '.join(POLICIES[:-1])} or {POLICIES[-1]}, not {visible(word, 40)}.",
        param="x-encke-unsupported",
    )
