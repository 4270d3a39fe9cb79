"""Whether a key may use a model (phase 4)."""

from __future__ import annotations

from encke.catalogue.catalogue import Catalogue, Model
from encke.core.faults import Fault
from encke.core.redact import without_keys
from encke.keys.grant import Rules
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


def check_model(catalogue: Catalogue, rules: tuple[Rules, ...], asked: str, model: Model | None) -> None:
    """Raises Fault model_not_allowed."""
    if not allowed(catalogue, rules, asked, model):
        shown = without_keys(asked if len(asked) <= 80 else asked[:77] + "...")
        raise Fault(
            "model_not_allowed",
            f"This key may not use the model `{shown}`. GET /v1/models lists those it may use.",
            param="model",
        )
