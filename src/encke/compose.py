"""Configuration in, what runs out: the only file that names concrete classes of the data plane."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import msgspec

from encke.calls.attempt import StreamCare
from encke.calls.desk import Desk
from encke.calls.hold import Purse
from encke.calls.replies import Replies
from encke.calls.upstream import Patience, SeatTaker, Upstream
from encke.catalogue.catalogue import LOCAL, Catalogue, Model, TargetName
from encke.catalogue.prices import PriceBook, PriceFileError
from encke.config.changes import Change, diff, keep
from encke.config.load import Environment, error_in, look, read_environment, read_keys
from encke.config.problems import ConfigError, Problem, nearest, news, quote
from encke.config.secret import Secret
from encke.config.settings import NO_LIST, Config, ModelSettings, TargetSettings
from encke.core.paths import DataPaths
from encke.core.redact import Redactor
from encke.core.traits import Traits
from encke.dialects.table import DIALECT_OPS
from encke.http.drive import Signal
from encke.http.incoming import ServerLimits
from encke.http.pool import Endpoint, Pool
from encke.http.sweep import Sweeper
from encke.ledger.journal import Journal
from encke.local.seats import Seats
from encke.providers.capabilities import traits_of
from encke.providers.heads import collections, heads, heads_of, list_requests
from encke.providers.presets import Preset, read_presets, usual_variables
from encke.providers.prices import ProviderPrices, own_pricing
from encke.providers.provider import Credential, Provider
from encke.providers.resolve import engine_provider, resolve
from encke.routing.retry import RetryPolicy
from encke.telemetry.access import AccessLog
from encke.telemetry.tally import Tally


class EngineAddress(msgspec.Struct, frozen=True):
    """Where the embedded model's engine listens, and its key."""

    socket: str
    api_key: str


@dataclass(frozen=True, slots=True)
class Composition:
    """Settings, presets and providers, checked against each other."""

    config: Config
    environment: Environment
    presets: Mapping[str, Preset]
    providers: Mapping[str, Provider]


def compose(path: str | None, environ: Mapping[str, str], overrides: Mapping[str, object] | None = None) -> Composition:
    """Read and check everything. Raises ConfigError with all that is wrong."""
    config, problems, file = look(path, environ, overrides or {})
    presets = read_presets()
    variables = usual_variables(presets)
    providers: dict[str, Provider] = {}
    try:
        providers = resolve(config, presets, read_keys(environ, variables), DIALECT_OPS)
    except ConfigError as error:
        problems += news(error.problems, problems)
    if problems:
        raise ConfigError(problems, file)
    environment = read_environment(environ, variables)
    _check_certificates(config, providers)
    check_prices(config, providers)
    return Composition(config, environment, presets, providers)


class Recomposition(NamedTuple):
    """Settings read again: what would run now, and how the file differs from what ran before."""

    made: Composition
    changes: list[Change]


def recompose(old: Composition, path: str | None, environ: Mapping[str, str]) -> Recomposition:
    """Read everything again, from the same file. What needs a restart stays as it was, and the rest must go with that.

    Raises ConfigError. A default file that was there and is gone is missed, not taken for "no settings".
    """
    same = path if old.config.path is None else str(old.config.path)
    new = compose(same, environ)
    changes = diff(old.config, new.config)
    config = keep(old.config, new.config)
    try:
        providers = resolve(config, new.presets, new.environment.provider_keys, DIALECT_OPS)
    except ConfigError as error:
        names = ", ".join(change.name for change in changes if change.restart)
        hint = Problem((), f"{names} cannot change before the next start of the gateway, and these settings need it")
        raise ConfigError([*error.problems, hint], error.path) from None
    check_access_log(config)
    return Recomposition(Composition(config, new.environment, new.presets, providers), changes)


def check_access_log(config: Config) -> None:
    """What a worker could only die of is told before there is one. Raises ConfigError."""
    target = config.log.access
    if target in ("off", "stdout", "stderr"):
        return
    try:
        os.close(open_access_file(Path(target)))
    except OSError as error:
        words = f"cannot write to {target}: {error.strerror}; name another file, stdout, stderr or off"
        raise error_in(config, [Problem(("log", "access"), words)]) from None


def check_prices(config: Config, providers: Mapping[str, Provider]) -> None:
    """The price lists that are wanted are there and readable. Raises ConfigError."""
    book = PriceBook(price_file)
    wanted = {provider.price_list: name for name, provider in providers.items() if provider.price_list}
    problems = []
    try:
        for title, name in wanted.items():
            if book.find(title) is None:
                known = nearest(title, (*book.names(), NO_LIST))
                words = f"{quote(title)} is no list in the price file, whose lists are {', '.join(book.names())}"
                problems.append(Problem(("providers", name, "price_list"), words, known))
    except PriceFileError as error:
        problems.append(Problem((), str(error)))
    if problems:
        raise error_in(config, problems)


def _check_certificates(config: Config, providers: Mapping[str, Provider]) -> None:
    problems = []
    for name, provider in providers.items():
        if provider.scheme == "https" and provider.ca_file is not None:
            try:
                _tls(provider.ca_file)
            except (OSError, ssl.SSLError) as error:
                words = f"{quote(provider.ca_file, 300)} holds no certificates in PEM form ({error.strerror or error})"
                problems.append(Problem(("providers", name, "ca_file"), words))
    if problems:
        raise error_in(config, problems)


def worker_providers(
    config: Config, provider_keys: Mapping[str, Secret], engine: EngineAddress | None
) -> dict[str, Provider]:
    """The providers as a worker uses them, the embedded model among them while there is an engine."""
    presets = read_presets()
    providers = dict(resolve(config, presets, dict(provider_keys), DIALECT_OPS))
    if engine is not None:
        providers[LOCAL] = engine_provider(
            presets[LOCAL],
            config.timeouts,
            unix_socket=engine.socket,
            api_key=Secret(engine.api_key),
            context=config.local.context,
        )
    return providers


def make_catalogue(config: Config, providers: Mapping[str, Provider]) -> Catalogue:
    """The names of models: aliases with their fallbacks followed, `local`, and what providers are said to offer."""
    aliases: dict[str, Model] = {}
    if LOCAL in providers:
        aliases[LOCAL] = Model(LOCAL, (TargetName(LOCAL, LOCAL),), owner="encke")

    def targets_of(name: str) -> tuple[TargetName, ...]:
        settings = config.models.get(name)
        if settings is not None:
            return tuple(_target_name(settings, target) for target in settings.targets)
        if name == LOCAL:
            return (TargetName(LOCAL, LOCAL),) if LOCAL in providers else ()
        provider, _, model = name.partition("/")
        return (TargetName(provider, model),)

    for name, settings in config.models.items():
        fallback = tuple(target for other in settings.fallback for target in targets_of(other))
        aliases[name] = Model(name, targets_of(name), fallback)
    catalogue = Catalogue(frozenset(providers), aliases, collections=collections(providers))
    for name, provider in providers.items():
        if provider.models and name != LOCAL:
            catalogue.offer(name, provider.models)
    return catalogue


def _target_name(model: ModelSettings, target: TargetSettings) -> TargetName:
    price = target.price if target.price is not None else model.price
    pricing = None if price is None else own_pricing(price)
    return TargetName(target.provider, target.model, target.weight, pricing, model.capabilities)


def price_file() -> bytes:
    """The price file that ships with the program. Raises OSError."""
    return files("encke.catalogue").joinpath("prices.json").read_bytes()


class Trust:
    """The certificates that upstreams' are checked against: one set for all providers of one file, read again only when
    the file has changed."""

    def __init__(self) -> None:
        self._contexts: dict[str | None, tuple[object, ssl.SSLContext]] = {}

    def context(self, ca_file: str | None) -> ssl.SSLContext:
        """For the file, or the system's bundle. Raises OSError, ssl.SSLError."""
        stamp = _stamp(ca_file or ssl.get_default_verify_paths().cafile)
        found = self._contexts.get(ca_file)
        if found is None or found[0] != stamp:
            found = self._contexts[ca_file] = (stamp, _tls(ca_file))
        return found[1]


def _stamp(file: str | None) -> object:
    try:
        found = os.stat(file or "")
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class Place(NamedTuple):
    """What upstreams need of their worker."""

    paths: DataPaths
    loop: asyncio.AbstractEventLoop
    sweeper: Sweeper
    trust: Trust
    prices: PriceBook


def make_upstream(config: Config, provider: Provider, place: Place, old: Upstream | None = None) -> Upstream:
    """A provider, ready to send to: the upstream of its first credential, which knows the others.

    What does not change is taken over from `old`, which had its name: connections if they lead to the same endpoint.
    """
    endpoint = Endpoint(
        name=provider.name,
        host=provider.host,
        port=provider.port,
        tls=place.trust.context(provider.ca_file) if provider.scheme == "https" else None,
        unix=provider.unix_socket,
        allow_private=provider.allow_private,
        connect_timeout=provider.timeouts.connect,
        max_connections=provider.max_connections,
    )
    same = old is not None and old.pool.endpoint == endpoint
    pool = old.pool if old is not None and same else Pool(endpoint, place.loop, place.sweeper)
    seats = None
    if provider.name == LOCAL:
        seats = old.seats if old is not None else _seats(config, place.paths)
    credentials: tuple[Credential | None, ...] = provider.credentials or (None,)
    prices = ProviderPrices(provider, place.prices)
    traits = traits_of(provider, place.prices)
    made = tuple(
        _with_credential(config, provider, pool, seats, prices, traits, credential) for credential in credentials
    )
    first = made[0]
    if len(made) > 1:
        first.siblings = made
    return first


def _with_credential(
    config: Config,
    provider: Provider,
    pool: Pool,
    seats: SeatTaker | None,
    prices: ProviderPrices,
    traits: Callable[[str], Traits],
    credential: Credential | None,
) -> Upstream:
    timeouts = provider.timeouts
    return Upstream(
        name=provider.name,
        pool=pool,
        heads=heads(provider, credential),
        heads_of=heads_of(provider, credential),
        credential=credential.name if credential is not None else "",
        share=credential.weight if credential is not None else 1,
        traits_of=traits,
        patience=Patience(timeouts.first_byte, timeouts.idle, timeouts.total),
        seats=seats,
        prices=prices,
        breaking=config.routing.breaker == "on" and provider.name != LOCAL,
    )


def _seats(config: Config, paths: DataPaths) -> Seats:
    return Seats(paths.root / "engine.seats", config.local.slots + config.local.queue)


def model_list_heads(providers: Mapping[str, Provider]) -> dict[str, tuple[bytes, ...]]:
    """The request for each provider's list of models with each of its credentials, for the providers that have such a
    list and whose models are not configured."""
    return {
        name: list_requests(provider)
        for name, provider in providers.items()
        if "models" in provider.paths and (not provider.models or name == LOCAL)
    }


def _tls(ca_file: str | None) -> ssl.SSLContext:
    """Certificates are always checked: against the file, or the system's bundle."""
    context = ssl.create_default_context(cafile=ca_file)
    context.set_alpn_protocols(["http/1.1"])
    return context


def make_desk(
    config: Config,
    catalogue: Catalogue,
    upstreams: Mapping[str, Upstream],
    journal: Journal,
    access: AccessLog,
    discover: Callable[[], Awaitable[None]],
    redactor: Redactor,
    tally: Tally,
    purse: Purse,
    sync: Callable[[], Signal[None]] | None = None,
    replies: Replies | None = None,
) -> Desk:
    """What calls need of their worker."""
    routing = config.routing
    return Desk(
        catalogue=catalogue,
        upstreams=upstreams,
        journal=journal,
        access=access,
        purse=purse,
        discover=discover,
        policy=RetryPolicy(routing.retries, routing.retry_uncertain, routing.backoff),
        care=StreamCare(config.stream.early_keepalive, config.stream.keepalive),
        redactor=redactor,
        tally=tally,
        sync=sync,
        replies=replies,
        on_unsupported=routing.on_unsupported,
    )


def make_redactor(providers: Mapping[str, Provider]) -> Redactor:
    """Masks what is sent to providers and is nobody's business: keys, and the values of extra headers."""
    found = [value for provider in providers.values() for _, value in provider.headers]
    found += [credential.api_key for provider in providers.values() for credential in provider.credentials]
    return Redactor(secret.reveal() for secret in found)


def make_limits(config: Config) -> ServerLimits:
    """Limits of a client's connection."""
    server = config.server
    return ServerLimits(
        max_body=server.max_body,
        header_timeout=server.header_timeout,
        body_floor=float(server.body_floor),
        write_stall=server.write_stall,
        keepalive=server.keepalive,
    )


def open_access_log(target: str) -> int | None:
    """A descriptor for the access log of a setting: stdout, stderr, off (None), or a file, which is appended to.

    Raises OSError.
    """
    if target == "off":
        return None
    if target in ("stdout", "stderr"):
        return 1 if target == "stdout" else 2
    return open_access_file(Path(target))


def open_access_file(path: Path) -> int:
    """A descriptor to append lines to; the folder is made. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
