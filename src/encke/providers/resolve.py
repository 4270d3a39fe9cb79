"""Settings and presets in, providers out: what is not said by the one is taken from the other. Pure.

A provider is on if the settings have its table, or a model's targets or fallbacks name it. If the settings have no
table of any provider, those are on whose usual variable is set.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from encke.config.addresses import is_metadata, is_public, parse
from encke.config.check import cross_check
from encke.config.checks import secret_text
from encke.config.endpoints import BaseUrl, split_base_url
from encke.config.load import error_in
from encke.config.problems import Problem, Where, nearest, quote
from encke.config.secret import Secret
from encke.config.settings import LOCAL, Config, ModelSettings, ProviderSettings, Timeouts
from encke.providers.presets import Preset
from encke.providers.provider import ALL_PATHS, Provider

Presets = Mapping[str, Preset]
Keys = Mapping[str, Secret]


def resolve(config: Config, presets: Presets, provider_keys: Keys, dialects: Collection[str]) -> dict[str, Provider]:
    """The providers by name, in the settings' order; the embedded one is not among them (see `engine_provider`).

    `provider_keys` are `Environment.provider_keys`, `dialects` the names of the wire formats there are. Raises
    ConfigError with everything wrong with providers and with the names in models.
    """
    problems = cross_check(config, presets)
    found: dict[str, Provider] = {}
    for name, settings in _wanted(config, presets, provider_keys).items():
        resolver = _Resolver(name, settings, presets.get(name), provider_keys)
        provider = resolver.provider(dialects)
        problems += resolver.problems
        if provider is not None:
            found[name] = provider
    if problems:
        raise error_in(config, problems)
    return found


def engine_provider(
    preset: Preset, timeouts: Timeouts, *, port: int = 80, unix_socket: str | None = None, api_key: Secret | None = None
) -> Provider:
    """The embedded model as a provider, once its engine listens on a loopback port or a Unix socket."""
    return Provider(
        name=preset.name,
        title=preset.title,
        dialect=preset.dialect,
        scheme="http",
        host="127.0.0.1",
        port=port,
        prefix="/v1",
        unix_socket=unix_socket,
        auth=preset.auth,
        api_key=api_key,
        allow_private=True,
        stream_usage=preset.stream_usage,
        paths=preset.paths,
        models=(LOCAL,),
        timeouts=timeouts,
    )


def _wanted(config: Config, presets: Presets, keys: Keys) -> dict[str, ProviderSettings]:
    """Settings of every provider that is on; empty ones for those that have no table."""
    wanted = {name: settings for name, settings in config.providers.items() if name != LOCAL}
    plain = ProviderSettings(timeouts=config.timeouts)
    if not config.providers:
        wanted = {name: plain for name, preset in presets.items() if any(v in keys for v in preset.api_key_env)}
    named = [name for model in config.models.values() for name in _named(config, model)]
    return wanted | {name: plain for name in named if name in presets and name not in wanted and name != LOCAL}


def _named(config: Config, model: ModelSettings) -> list[str]:
    """The providers that a model's targets and fallbacks name."""
    ways = [name for name in model.fallback if name not in config.models and "/" in name]
    return [target.provider for target in model.targets] + [name.partition("/")[0] for name in ways]


class _Resolver:
    """One provider at a time, its problems kept."""

    def __init__(self, name: str, settings: ProviderSettings, preset: Preset | None, keys: Keys) -> None:
        self.problems: list[Problem] = []
        self._where: Where = ("providers", name)
        self._name = name
        self._settings = settings
        self._preset = preset
        self._keys = keys

    def provider(self, dialects: Collection[str]) -> Provider | None:
        settings, preset = self._settings, self._preset
        dialect = self._dialect(dialects)
        url = self._url()
        api_key = self._api_key()
        if self.problems or dialect is None or url is None:
            return None
        return Provider(
            name=self._name,
            title=preset.title if preset else self._name,
            dialect=dialect,
            scheme=url.scheme,
            host=url.host,
            port=url.port,
            prefix=url.prefix,
            auth=preset.auth if preset else "bearer",
            api_key=api_key,
            allow_private=self._allow_private,
            ca_file=settings.ca_file,
            stream_usage=settings.stream_usage or (preset.stream_usage if preset else "option"),
            paths=preset.paths if preset else ALL_PATHS,
            models=settings.models,
            headers=tuple(settings.headers.items()),
            max_connections=settings.max_connections,
            timeouts=settings.timeouts,
        )

    @property
    def _allow_private(self) -> bool:
        """The settings' word, else the preset's: servers that run at home say it themselves."""
        if self._settings.allow_private is not None:
            return self._settings.allow_private
        return self._preset is not None and self._preset.allow_private

    def _dialect(self, dialects: Collection[str]) -> str | None:
        dialect = self._settings.dialect or (self._preset.dialect if self._preset else None)
        if dialect is None:
            self._add("dialect", f"is missing: {quote(self._name)} is not a known provider; {_one_of(dialects)}")
        elif dialect not in dialects:
            self._add("dialect", f"{quote(dialect)} is not a dialect; {_one_of(dialects)}", nearest(dialect, dialects))
        return dialect

    def _url(self) -> BaseUrl | None:
        text = self._settings.base_url or (self._preset.base_url if self._preset else None)
        if text is None:
            self._add("base_url", f"is missing: {quote(self._name)} is not a known provider; say where it is")
            return None
        url = split_base_url(text)
        fault = _address_fault(url, self._allow_private)
        if fault is not None:
            self._add("base_url", fault)
        return url

    def _api_key(self) -> Secret | None:
        """The settings' key, else the first usual variable that is set."""
        variables = self._preset.api_key_env if self._preset else ()
        if self._settings.api_key is not None:
            return self._settings.api_key
        variable = next((v for v in variables if v in self._keys), None)
        if variable is not None:
            return self._checked(variable)
        if self._preset is not None and self._preset.key_required:
            self._add("api_key", f"is missing; set {' or '.join(variables)} in the environment, or write api_key here")
        return None

    def _checked(self, variable: str) -> Secret | None:
        try:
            return secret_text(self._keys[variable].reveal())
        except ValueError as error:
            self.problems.append(Problem((variable,), str(error), origin="environment"))
            return None

    def _add(self, leaf: str, message: str, suggestion: str | None = None) -> None:
        self.problems.append(Problem((*self._where, leaf), message, suggestion))


def _one_of(dialects: Collection[str]) -> str:
    return f"write one of {', '.join(quote(name) for name in sorted(dialects))}"


def _address_fault(url: BaseUrl, allow_private: bool) -> str | None:
    """Why the address may not be called, as far as it can be told without asking DNS; None if it may."""
    if is_metadata(url.host):
        return "is a cloud's metadata service, which is never called"
    if allow_private:
        return None
    if url.scheme == "http":
        return "would send the key in clear; use https, or say allow_private = true for a server of your own"
    if url.host == "localhost" or url.host.endswith(".localhost") or (parse(url.host) and not is_public(url.host)):
        return "is on a private network; say allow_private = true if that is meant"
    return None
