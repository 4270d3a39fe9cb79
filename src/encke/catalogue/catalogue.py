"""Names of models and what stands behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from encke.catalogue.nearest import Nearest
from encke.catalogue.pricing import Pricing
from encke.core.faults import Fault
from encke.core.redact import without_keys

LOCAL: Final = "local"

# Callers choose names, so what is remembered of them is bounded.
MAX_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class TargetName:
    """A provider and an upstream model, with its share among its siblings; `pricing` where the settings give one here,
    else it is the provider's; `capabilities` are what the settings say of them here."""

    provider: str
    model: str
    weight: int = 1
    pricing: Pricing | None = None
    capabilities: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Model:
    """A name callers may ask for: targets to choose among, then what to fall back to, already resolved, in order."""

    name: str
    targets: tuple[TargetName, ...]
    fallback: tuple[TargetName, ...] = ()
    owner: str = ""


@dataclass(slots=True)
class Catalogue:
    """All names. `offered` holds what each provider is known to offer: by configuration, or because it was asked.
    `collections` are what ids of models begin with that no list has, and the one provider who has such ids."""

    providers: frozenset[str]
    aliases: Mapping[str, Model]
    offered: dict[str, tuple[str, ...]] = field(default_factory=dict)
    collections: Mapping[str, str] = field(default_factory=dict)
    _known: dict[str, Model] = field(default_factory=dict)
    _nearest: Nearest | None = None

    def offer(self, provider: str, models: Iterable[str]) -> None:
        """A provider has told what it offers."""
        self.offered[provider] = tuple(models)
        self._known.clear()
        self._nearest = None

    def find(self, name: str) -> Model | None:
        """The model of a name: an alias, `provider/model`, or a bare id that only one provider offers; None if none."""
        model = self._known.get(name)
        if model is None:
            model = self._look_up(name)
            if model is not None:
                if len(self._known) >= MAX_REMEMBERED:
                    self._known.clear()
                self._known[name] = model
        return model

    def resolve(self, name: str) -> Model:
        """As `find`. Raises Fault model_not_found, naming the nearest names."""
        model = self.find(name)
        if model is None:
            raise Fault("model_not_found", self._not_found(name, self._offering(name)), param="model")
        return model

    def names(self) -> list[Model]:
        """Every name worth listing: aliases, then what providers offer as `provider/model`."""
        listed = list(self.aliases.values())
        for provider in sorted(self.offered):
            if provider != LOCAL:
                listed += [self._direct(provider, model) for model in self.offered[provider]]
        return listed

    def _look_up(self, name: str) -> Model | None:
        alias = self.aliases.get(name)
        if alias is not None:
            return alias
        provider, slash, upstream = name.partition("/")
        if slash and upstream and provider in self.providers and provider != LOCAL:
            return self._direct(provider, upstream)
        owner = self.collections.get(provider) if slash and upstream else None
        if owner is not None:
            return self._direct(owner, name)
        offering = self._offering(name)
        return self._direct(offering[0], name) if len(offering) == 1 else None

    def _offering(self, name: str) -> list[str]:
        return [provider for provider, models in self.offered.items() if name in models and provider != LOCAL]

    @staticmethod
    def _direct(provider: str, model: str) -> Model:
        return Model(f"{provider}/{model}", (TargetName(provider, model),), owner=provider)

    def _not_found(self, name: str, offering: list[str]) -> str:
        shown = without_keys(name if len(name) <= 80 else name[:77] + "...")
        if offering:
            ways = ", ".join(f"`{provider}/{name}`" for provider in sorted(offering))
            return f"The model `{shown}` is offered by several providers; ask for one of {ways}."
        if self._nearest is None:
            self._nearest = Nearest(model.name for model in self.names())
        near = self._nearest.find(name)
        hint = f" Did you mean {', '.join(f'`{one}`' for one in near)}?" if near else ""
        ways = ", ".join(f"`{provider}/…`" for provider in sorted(self.providers - {LOCAL}))
        prefixes = f" Models of the configured providers are asked for as {ways}." if ways else ""
        return f"The model `{shown}` does not exist here.{hint}{prefixes} GET /v1/models lists what there is."
