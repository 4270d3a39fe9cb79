"""A worker's service: the application with the runtime it uses, and how another takes its place."""

from __future__ import annotations

from typing import Any

from encke.config.wire import decode_config
from encke.http.incoming import ServerLimits
from encke.http.server import ServerConnection
from encke.runtime import Runtime, Workshop, retire
from encke.telemetry.access import AccessLog
from encke.telemetry.metrics import Sheet
from encke.worker.app import WorkerApp
from encke.worker.measure import worker_sheet


class Service:
    """`obey` takes the supervisor's orders about settings: prepare, then change, or forget.

    What may fail is done by `prepare`; `change` only exchanges what is made.
    """

    def __init__(
        self,
        app: WorkerApp,
        workshop: Workshop,
        runtime: Runtime,
        access: AccessLog,
        connections: set[ServerConnection],
    ) -> None:
        self.app = app
        self.runtime = runtime
        self._workshop = workshop
        self._access = access
        self._connections = connections
        self._prepared: Runtime | None = None

    @property
    def limits(self) -> ServerLimits:
        """For connections that are made now."""
        return self.runtime.limits

    def sheet(self) -> Sheet:
        """What the worker has to tell."""
        shop, upstreams = self._workshop, self.runtime.upstreams
        return worker_sheet(shop.tally, upstreams, len(self._connections), shop.journal.open, self._access.dropped)

    def obey(self, order: str, payload: Any) -> str | None:
        """What is wrong, or None. Raises what `Workshop.make` raises."""
        if order == "prepare":
            self._forget()
            config = decode_config(payload["config"])
            self._prepared = self._workshop.make(config, payload["keys"], payload["generation"], self.runtime)
        elif order == "change":
            if self._prepared is None:
                return "nothing was prepared"
            self._change(self._prepared)
        elif order == "forget":
            self._forget()
        else:
            return f"it knows no order {order!r}"
        return None

    def close(self) -> None:
        """The worker ends."""
        self._forget()
        for upstream in self.runtime.upstreams.values():
            upstream.pool.close()
        self._access.redirect(None)

    def _change(self, new: Runtime) -> None:
        old, self.runtime, self._prepared = self.runtime, new, None
        server = new.config.server
        self.app.use(new.desk, new.discovery, server.cors_origins, server.trusted_proxies)
        self._access.redirect(new.access_fd)
        if new.limits != old.limits:
            for connection in self._connections:
                connection.use_limits(new.limits)
        retire(old, new)

    def _forget(self) -> None:
        if self._prepared is not None:
            self._prepared.discard()
            self._prepared = None
