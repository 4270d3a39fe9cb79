"""Settings and presets in, providers out: what is not said by the one is taken from the other. Pure.

A provider is on if the settings have its table, or a model's targets or fallbacks name it. If the settings have no
table of any provider, those are on whose usual variable is set.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from encke.config.addresses import is_metadata, is_public, parse
from encke.config.check import cross_check
from encke.config.checks import secret_text, url_part
from encke.config.endpoints import BaseUrl, split_base_url
from encke.config.load import error_in
from encke.config.problems import Problem, Where, nearest, quote
from encke.config.secret import Secret
from encke.config.settings import LOCAL, NO_LIST, Auth, Config, ModelSettings, ProviderSettings, Timeouts
from encke.providers.ops import AUTH_HEADERS, DIALECT_AUTH, DIALECT_HEADERS, PATHS
from encke.providers.presets import Preset
from encke.providers.provider import Credential, ModelRow, Provider

Presets = Mapping[str, Preset]
Keys = Mapping[str, Secret]
# Each dialect, and the operations of whoever speaks it.
Dialects = Mapping[str, tuple[str, ...]]


def resolve(config: Config, presets: Presets, provider_keys: Keys, dialects: Dialects) -> dict[str, Provider]:
    """The providers by name, in the settings' order; the embedded one is not among them (see `engine_provider`).

    `provider_keys` are `Environment.provider_keys`. Raises ConfigError with everything wrong with providers and with
    the names in models.
    """
    problems = cross_check(config, presets)
    for model, alias in config.models.items():
        problems += _unknown_ops(alias.capabilities.get("ops", ()), ("models", model, "capabilities", "ops"))
    found: dict[str, Provider] = {}
    for name, settings in _wanted(config, presets, provider_keys).items():
        resolver = _Resolver(name, settings, presets, provider_keys)
        provider = resolver.provider(dialects)
        problems += resolver.problems
        if provider is not None:
            found[name] = provider
    if problems:
        raise error_in(config, problems)
    return found


def engine_provider(
    preset: Preset,
    timeouts: Timeouts,
    *,
    port: int = 80,
    unix_socket: str | None = None,
    api_key: Secret | None = None,
    context: int = 0,
) -> Provider:
    """The embedded model as a provider, once its engine listens on a loopback port or a Unix socket. `context` is what
    a call has there, in tokens; 0: not known."""
    return Provider(
        name=preset.name,
        title=preset.title,
        dialect=preset.dialect,
        scheme="http",
        host="127.0.0.1",
        port=port,
        prefix="/v1",
        unix_socket=unix_socket,
        auth=preset.auth or "bearer",
        credentials=(Credential(api_key),) if api_key is not None else (),
        allow_private=True,
        stream_usage=preset.stream_usage,
        paths=preset.paths,
        model_rows=(*preset.rows, ModelRow(("*",), {"context": context})) if context else preset.rows,
        models=(LOCAL,),
        timeouts=timeouts,
        price="free",
    )


def _wanted(config: Config, presets: Presets, keys: Keys) -> dict[str, ProviderSettings]:
    """Settings of every provider that is on; empty ones for those that have no table."""
    wanted = {name: settings for name, settings in config.providers.items() if name != LOCAL}
    plain = ProviderSettings(timeouts=config.timeouts)
    if not config.providers:
        wanted = {name: plain for name, preset in presets.items() if _by_variables(preset, keys)}
    named = [name for model in config.models.values() for name in _named(config, model)]
    return wanted | {name: plain for name in named if name in presets and name not in wanted and name != LOCAL}


def _by_variables(preset: Preset, keys: Keys) -> bool:
    """Whether the environment alone says all that a provider needs, and for no other address of it."""
    if preset.instead_of:
        return False
    places = [value.env for value in preset.values.values() if value.default is None]
    return all(any(v in keys for v in variables) for variables in (preset.api_key_env, *places))


def half_known(config: Config, presets: Presets, keys: Keys) -> dict[str, str]:
    """Providers whose key is in the environment, and that are off because something else is not there: what, by name.

    Only where the settings leave it to the environment, and a variable would do.
    """
    found: dict[str, str] = {}
    for name, preset in presets.items() if not config.providers else ():
        missing = [
            value.env
            for value in preset.values.values()
            if value.default is None and not any(v in keys for v in value.env)
        ]
        if any(v in keys for v in preset.api_key_env) and missing and all(missing):
            found[name] = " and ".join(" or ".join(variables) for variables in missing)
    return found


def _named(config: Config, model: ModelSettings) -> list[str]:
    """The providers that a model's targets and fallbacks name."""
    ways = [name for name in model.fallback if name not in config.models and "/" in name]
    return [target.provider for target in model.targets] + [name.partition("/")[0] for name in ways]


class _Resolver:
    """One provider at a time, its problems kept."""

    def __init__(self, name: str, settings: ProviderSettings, presets: Presets, keys: Keys) -> None:
        self.problems: list[Problem] = []
        self._where: Where = ("providers", name)
        self._name = name
        self._settings = settings
        self._presets = presets
        self._preset = presets.get(settings.preset or name)
        self._keys = keys
        if settings.preset is not None and (self._preset is None or settings.preset == LOCAL):
            known = [known for known in presets if known != LOCAL]
            words = f"{quote(settings.preset)} is not a known provider; write dialect and base_url instead"
            self._add("preset", words, nearest(settings.preset, known))

    def provider(self, dialects: Dialects) -> Provider | None:
        settings, preset = self._settings, self._preset
        if self.problems:
            return None
        dialect = self._dialect(dialects)
        if preset is not None and dialect != preset.dialect:
            preset = self._of_another_dialect(preset, dialect)
        url = self._url()
        credentials = self._credentials()
        auth = settings.auth or (preset.auth if preset else None) or DIALECT_AUTH.get(dialect or "", "bearer")
        self._check_headers(auth)
        query = self._filled(preset.query) if preset else ""
        ops = self._ops(preset, dialects.get(dialect or "", ()))
        rows = self._rows(preset, dialect)
        if self.problems or dialect is None or url is None:
            return None
        fixed = {**DIALECT_HEADERS.get(dialect, {}), **(preset.headers if preset else {})}
        return Provider(
            name=self._name,
            title=preset.title if preset else self._name,
            dialect=dialect,
            scheme=url.scheme,
            host=url.host,
            port=url.port,
            prefix=url.prefix,
            auth=auth,
            credentials=credentials,
            allow_private=self._allow_private,
            ca_file=settings.ca_file,
            stream_usage=settings.stream_usage or (preset.stream_usage if preset else "option"),
            limit_field=preset.limit_field if preset else "max_tokens",
            paths=ops,
            models=settings.models,
            headers=tuple(settings.headers.items()),
            fixed_headers=tuple(fixed.items()),
            model_rows=rows,
            extensions=preset.extensions if preset else (),
            max_connections=settings.max_connections,
            timeouts=settings.timeouts,
            query=query,
            model_path=preset.model_path if preset else "",
            route_paths=preset.route_paths if preset else {},
            price_list=self._price_list,
            price=settings.price,
            prices=settings.prices,
        )

    @property
    def _price_list(self) -> str:
        said = self._settings.price_list
        if said is None:
            return self._preset.price_list if self._preset else ""
        return "" if said == NO_LIST else said

    @property
    def _allow_private(self) -> bool:
        """The settings' word, else the preset's: servers that run at home say it themselves."""
        if self._settings.allow_private is not None:
            return self._settings.allow_private
        return self._preset is not None and self._preset.allow_private

    def _of_another_dialect(self, preset: Preset, dialect: str | None) -> Preset | None:
        """What holds of a known provider where the settings say another dialect than its own: who it is, what its key
        is called, what it costs; nothing of its address."""
        if dialect is not None and self._settings.base_url is None:
            words = f"is missing: the known address of {self._name} speaks {quote(preset.dialect)}"
            others = [name for name, other in self._presets.items() if other.instead_of == preset.name]
            known = [name for name in others if self._presets[name].dialect == dialect]
            ways = f'; leave dialect out and say preset = "{known[0]}"' if known else ""
            self._add("base_url", f"{words}; say where it speaks {quote(dialect)}{ways}")
        nothing = Preset("", "", "", "option", False, ())
        address = ("auth", "headers", "route_paths", "model_path", "query", "values", "paths")
        models = ("capabilities", "models", "models_like", "extensions")
        return msgspec.structs.replace(preset, **{name: getattr(nothing, name) for name in (*address, *models)})

    def _rows(self, preset: Preset | None, dialect: str | None) -> tuple[ModelRow, ...]:
        """The preset's rows, with those of the one that it is like before them, then the settings'. Where no preset
        says anything, those of makers whose dialect this is, for their own models."""
        if preset is None or preset.dialect != dialect:
            makers = [other for other in self._presets.values() if other.families and other.dialect == dialect]
            known = [msgspec.structs.replace(row, within=other.families) for other in makers for row in other.rows]
        else:
            known = []
        like = self._presets.get(preset.models_like) if preset else None
        said = self._settings.capabilities
        self.problems += _unknown_ops(said.get("ops", ()), (*self._where, "capabilities", "ops"))
        own = (ModelRow(("*",), said),) if said else ()
        return (*known, *(like.rows if like else ()), *(preset.rows if preset else ()), *own)

    def _ops(self, preset: Preset | None, usual: tuple[str, ...]) -> tuple[str, ...]:
        """The settings' operations, else the preset's, else those of the dialect."""
        self.problems += _unknown_ops(self._settings.ops, (*self._where, "ops"))
        return self._settings.ops or (preset.paths if preset else ()) or usual

    def _dialect(self, dialects: Collection[str]) -> str | None:
        dialect = self._settings.dialect or (self._preset.dialect if self._preset else None)
        if dialect is None:
            self._add("dialect", f"is missing: {quote(self._name)} is not a known provider; {_one_of(dialects)}")
        elif dialect not in dialects:
            self._add("dialect", f"{quote(dialect)} is not a dialect; {_one_of(dialects)}", nearest(dialect, dialects))
        return dialect

    def _url(self) -> BaseUrl | None:
        preset = self._preset
        self._check_values()
        text = self._settings.base_url or (self._filled(preset.base_url or "") if preset else None)
        if text is None:
            self._add("base_url", f"is missing: {quote(self._name)} is not a known provider; say where it is")
        if not text:
            return None
        try:
            url = split_base_url(text)
        except ValueError as error:  # what was filled in does not fit
            self._add("values", f"makes an address that {error}")
            return None
        fault = _address_fault(url, self._allow_private)
        if fault is not None:
            self._add("base_url", fault)
        return url

    def _check_values(self) -> None:
        """Values that no place takes."""
        known = self._preset.values if self._preset else {}
        for name in self._settings.values:
            if name not in known:
                what = f"has {', '.join(known)}" if known else "has none"
                self._add("values", f"unknown value: the address of {self._name} {what}", nearest(name, known), name)

    def _filled(self, text: str) -> str:
        """A preset's text with its places filled; empty where a value is missing, which is a problem then."""
        for name in self._preset.places if self._preset else ():
            if f"{{{name}}}" in text:
                value = self._value(name)
                if value is None:
                    return ""
                text = text.replace(f"{{{name}}}", value)
        return text

    def _value(self, name: str) -> str | None:
        """The settings' value, else the first usual variable that is set, else the usual value."""
        assert self._preset is not None
        place = self._preset.values[name]
        if name in self._settings.values:
            return self._settings.values[name]
        variable = next((v for v in place.env if v in self._keys), None)
        if variable is None:
            if place.default is None:
                ways = f"; or set {' or '.join(place.env)} in the environment" if place.env else ""
                example = f'values = {{ {name} = "…" }}'
                self._add("values", f"is missing: {place.sentence} Write {example}{ways}", None, name)
            return place.default
        try:
            return url_part(self._keys[variable].reveal())
        except ValueError as error:
            self.problems.append(Problem((variable,), str(error), origin="environment"))
            return None

    def _check_headers(self, auth: Auth) -> None:
        for header in self._settings.headers:
            if header.lower() == AUTH_HEADERS[auth]:
                self._add("headers", "cannot be set here: the gateway sets it from api_key", None, header)

    def _credentials(self) -> tuple[Credential, ...]:
        """The settings' credentials or key, else the key of the first usual variable that is set."""
        if self._settings.credentials:
            return tuple(Credential(one.api_key, one.name, one.weight) for one in self._settings.credentials)
        key = self._settings.api_key or self._usual_key()
        return (Credential(key),) if key is not None else ()

    def _usual_key(self) -> Secret | None:
        variables = self._preset.api_key_env if self._preset else ()
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

    def _add(self, leaf: str, message: str, suggestion: str | None = None, inner: str | None = None) -> None:
        where: Where = (*self._where, leaf) if inner is None else (*self._where, leaf, inner)
        self.problems.append(Problem(where, message, suggestion))


_OPS = tuple(op for op in PATHS if "." not in op)


def _unknown_ops(ops: Iterable[str], where: Where) -> list[Problem]:
    words = f"is no operation; there are {', '.join(_OPS)}"
    return [
        Problem((*where, index), f"{quote(op)} {words}", nearest(op, _OPS))
        for index, op in enumerate(ops)
        if op not in _OPS
    ]


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
    name = url.host.removesuffix(".")
    if name == "localhost" or name.endswith(".localhost") or (parse(name) and not is_public(name)):
        return "is on a private network; say allow_private = true if that is meant"
    return None
