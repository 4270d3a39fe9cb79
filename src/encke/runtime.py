"""Runtime: everything of a worker that follows from the settings, made in one piece and exchanged in one piece.

A call keeps the desk it began with, so calls under way end with the settings they began with.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from encke.calls.desk import Desk
from encke.calls.hold import Purse
from encke.calls.replies import Replies
from encke.calls.upstream import Upstream
from encke.compose import (
    EngineAddress,
    Place,
    make_catalogue,
    make_desk,
    make_limits,
    make_redactor,
    make_upstream,
    model_list_heads,
    open_access_log,
    worker_providers,
)
from encke.config.secret import Secret
from encke.config.settings import Config
from encke.http.drive import Signal
from encke.http.incoming import ServerLimits
from encke.ledger.journal import Journal
from encke.providers.provider import Provider
from encke.telemetry.access import AccessLog
from encke.telemetry.tally import Tally
from encke.worker.models import Discovery


@dataclass(frozen=True, slots=True)
class Runtime:
    """Immutable but for what the parts learn. `access_fd` is where access lines go once it is in use."""

    config: Config
    generation: int
    providers: Mapping[str, Provider]
    upstreams: Mapping[str, Upstream]
    desk: Desk
    discovery: Discovery
    limits: ServerLimits
    access_fd: int | None
    access_problem: str = ""  # why there is no access log, though one is wanted

    def discard(self) -> None:
        """It will not be used."""
        if self.access_fd is not None and self.access_fd > 2:
            os.close(self.access_fd)


@dataclass(frozen=True, slots=True)
class Workshop:
    """What stays the same in a worker, and runtimes are made with."""

    place: Place
    journal: Journal
    access: AccessLog
    tally: Tally
    engine: EngineAddress | None
    sync: Callable[[], Signal[None]] | None = None
    purse: Purse = field(default_factory=Purse)
    replies: Replies | None = None

    def make(self, config: Config, keys: Mapping[str, str], generation: int, before: Runtime | None = None) -> Runtime:
        """A runtime, taking over from the one before whatever has not changed.

        Raises OSError (ssl.SSLError among it) when a file that the settings name cannot be used any more.
        """
        secrets = {name: Secret(value) for name, value in keys.items()}
        providers = worker_providers(config, secrets, self.engine)
        upstreams = {name: self._upstream(config, provider, before) for name, provider in providers.items()}
        catalogue = make_catalogue(config, providers)
        discovery = Discovery(catalogue, upstreams, model_list_heads(providers))
        if before is not None:
            discovery.inherit(before.discovery)
        redactor = make_redactor(providers)
        desk = make_desk(
            config,
            catalogue,
            upstreams,
            self.journal,
            self.access,
            discovery.discover,
            redactor,
            self.tally,
            self.purse,
            self.sync,
            self.replies,
        )
        problem = ""
        try:
            access_fd = open_access_log(config.log.access)
        except OSError as error:
            if before is not None:
                raise
            # The gateway began with it: a worker that follows another serves without it rather than not at all.
            access_fd, problem = None, error.strerror or type(error).__name__
        return Runtime(
            config, generation, providers, upstreams, desk, discovery, make_limits(config), access_fd, problem
        )

    def _upstream(self, config: Config, provider: Provider, before: Runtime | None) -> Upstream:
        if before is None or provider.name not in before.providers:
            return self._make(config, provider, None)
        old, was = before.upstreams[provider.name], before.providers[provider.name]
        new = self._make(config, provider, old)
        if was == provider and new.pool is old.pool and new.breaking == old.breaking:
            return old
        if _is_same_place(was, provider) and new.breaking and old.breaking:
            _remember(was, old, provider, new)
        return new

    def _make(self, config: Config, provider: Provider, old: Upstream | None) -> Upstream:
        made = make_upstream(config, provider, self.place, old)
        for upstream in made.siblings or (made,):
            upstream.tally = self.tally.provider(provider.name)
        return made


def _remember(was: Provider, old: Upstream, provider: Provider, new: Upstream) -> None:
    """What was learnt with a credential that stays holds still."""
    known = {
        credential.api_key: upstream
        for credential, upstream in zip(was.credentials, old.siblings or (old,), strict=False)
    }
    if not was.credentials and not provider.credentials:
        new.breakers, new.resting = old.breakers, old.resting
    for credential, upstream in zip(provider.credentials, new.siblings or (new,), strict=False):
        before = known.get(credential.api_key)
        if before is not None:
            upstream.breakers, upstream.resting = before.breakers, before.resting


def retire(old: Runtime, new: Runtime) -> None:
    """The old one gets no new calls: connections that the new one has no use for are closed when their calls end."""
    used = {id(upstream.pool) for upstream in new.upstreams.values()}
    for upstream in old.upstreams.values():
        if id(upstream.pool) not in used:
            upstream.pool.retire()


def _is_same_place(old: Provider, new: Provider) -> bool:
    """Whether requests go to the same server, and look the same but for the credential."""

    def where(provider: Provider) -> tuple[object, ...]:
        return (provider.base_url, provider.query, provider.unix_socket, provider.headers, provider.dialect)

    return where(old) == where(new)
