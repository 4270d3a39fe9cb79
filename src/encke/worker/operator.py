"""What operators' programs ask a worker on an address of their own: `/metrics`, and whether it lives and is ready."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from encke.calls.call import Call
from encke.core.faults import Fault
from encke.core.ids import IdMint
from encke.http.request import Request
from encke.http.server import ServerConnection
from encke.telemetry.crash import report
from encke.telemetry.metrics import CONTENT_TYPE, merge, render
from encke.telemetry.pages import Pages
from encke.telemetry.process import measure
from encke.worker.app import WorkerApp
from encke.worker.routes import METRICS_PATH


def metrics_text(pages: Pages) -> bytes:
    """All processes' sheets, added up."""
    total = merge(pages.read_all())
    return render(merge([total, measure(total.pids)])).encode()


class OperatorApp:
    """An application (`encke.http.server.Application`) for the operators' address; `worker` knows how it is."""

    def __init__(self, worker: WorkerApp, pages: Pages) -> None:
        self._worker = worker
        self._pages = pages
        self._ids = IdMint()

    @property
    def draining(self) -> bool:
        """As the worker."""
        return self._worker.draining

    @property
    def epoch(self) -> int:
        """Nothing that `check` finds out ever changes."""
        return 0

    def check(self, request: Request) -> Fault | None:
        """Only GET, and only of what there is."""
        if request.path not in (METRICS_PATH, "/healthz", "/readyz"):
            return Fault("not_found", "This is the operators' address: it has /metrics, /healthz and /readyz.")
        if request.method not in ("GET", "HEAD"):
            return Fault("method_not_allowed", "Use GET.", headers=(("allow", "GET, HEAD"),))
        return None

    def handle(self, request: Request, connection: ServerConnection) -> Coroutine[Any, None, None]:
        """Answer it."""
        call = Call(self._ids.new(), request, connection, "", None)
        if request.path == METRICS_PATH:
            return self._answer(call)
        return self._worker.health(request.path, call)

    def refuse(self, request: Request | None, connection: ServerConnection, fault: Fault) -> None:
        """Answer with an error."""
        shown = request if request is not None else Request()
        Call(self._ids.new(), shown, connection, "", None).fail(fault)

    def crashed(self, connection: ServerConnection, error: BaseException) -> None:
        """A fault of ours: it goes to the log."""
        report(error)

    async def _answer(self, call: Call) -> None:
        call.respond(200, CONTENT_TYPE, metrics_text(self._pages))
