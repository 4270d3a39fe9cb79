"""What was found, for people: `encke config check`. No secret in it."""

from __future__ import annotations

from collections.abc import Mapping

from encke.config.settings import LOCAL, Config, ModelSettings
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
