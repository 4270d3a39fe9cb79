"""What was found, for people: `encke config check`. No secret in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from encke.catalogue.prices import PriceBook
from encke.config.prices import PriceSetting
from encke.config.settings import LOCAL, Config, ModelSettings
from encke.providers.prices import ProviderPrices
from encke.providers.provider import Provider

_NONE: Mapping[str, str] = {}


def describe(config: Config, providers: Mapping[str, Provider], off: Mapping[str, str] = _NONE) -> list[str]:
    """Lines of plain text: the file, the data folder, the providers, the models.

    `off` has the variables that are missing for providers whose key is there.
    """
    source = f"settings: {config.path}" if config.path is not None else "settings: no file, defaults and environment"
    lines = [source, f"data: {config.data_dir}", f"listen: {config.server.listen}, {config.server.workers} workers"]
    lines += [f"embedded model: {_embedded(config)}"]
    lines += [f"provider {_provider(provider)}" for provider in providers.values()] or ["providers: none"]
    lines += [f"provider {name}: off, though its key is there; set {missing} too" for name, missing in off.items()]
    lines += [f"model {name}: {_model(model)}" for name, model in config.models.items()]
    return lines


def unpriced(config: Config, providers: Mapping[str, Provider], book: PriceBook, now_ms: int) -> list[str]:
    """A sentence for each model that the settings name and that has no price then."""
    prices = {name: ProviderPrices(provider, book) for name, provider in providers.items()}
    found: dict[str, None] = {}
    for provider, model, own in _named(config):
        if own is None and provider in prices and prices[provider].pricing(model).at(now_ms) is None:
            found[f"{provider}/{model}"] = None
    return [
        f"{name} has no price: its calls are recorded without a cost, and refused where a budget applies; "
        'say what it costs (price = { input = "…", output = "…" }), or price = "free"'
        for name in found
    ]


def _named(config: Config) -> Iterator[tuple[str, str, PriceSetting | None]]:
    """Providers, their models and the price that stands beside them, wherever the settings name one."""
    for name, settings in config.providers.items():
        for model in settings.models:
            yield name, model, None
    for alias in config.models.values():
        for target in alias.targets:
            yield target.provider, target.model, target.price or alias.price
        for other in alias.fallback:
            provider, slash, model = other.partition("/")
            if slash and other not in config.models:
                yield provider, model, None


def _embedded(config: Config) -> str:
    if not config.local.enabled:
        return "off"
    return f'"{LOCAL}", {config.local.model or "the one that ships"}'


def _provider(provider: Provider) -> str:
    query = f"?{provider.query}" if provider.query else ""
    facts = [f"{provider.base_url}{provider.model_path}{query}", provider.dialect, _credentials(provider)]
    if provider.headers:
        facts.append("headers " + ", ".join(name for name, _ in provider.headers))
    if provider.models:
        facts.append(f"models listed: {len(provider.models)}")
    return f"{provider.name}: {', '.join(facts)}"


def _credentials(provider: Provider) -> str:
    found = provider.credentials
    if not found or (len(found) == 1 and not found[0].name):
        return "key set" if found else "no key"
    total = sum(one.weight for one in found)
    return "credentials " + ", ".join(f"{one.name} {100 * one.weight / total:.0f} %" for one in found)


def _model(model: ModelSettings) -> str:
    total = sum(target.weight for target in model.targets)
    targets = ", ".join(f"{t.provider}/{t.model} {100 * t.weight / total:.0f} %" for t in model.targets)
    return targets + (f"; falls back to {', '.join(model.fallback)}" if model.fallback else "")
