"""Other gateways, for the same load in the same run: `make bench PEER=NAME`.

Each has an environment of its own, made by `bench/peer NAME` from its lock file, and is set up as its makers recommend
for production; docs/performance.md says which setting comes from where."""

from __future__ import annotations

import json
from typing import ClassVar

from candidates import HERE, MODEL, Candidate, StartError, said


class LiteLLM(Candidate):
    """LiteLLM's proxy: one uvicorn worker, master key, no database, production mode, errors only in the log.

    Some of its loads are lighter: one core gives it some tens of requests and some hundreds of chunks a second, so that
    500 requests/s, or 100 streams of 50 chunks/s, would measure nothing but its queue."""

    name = "litellm"
    ready_path = "/health/readiness"
    patience = 180.0
    lighter: ClassVar = {"paced": {"connections": 4}, "saturated": {"connections": 8, "chunks": 100}}
    cannot = frozenset({"rate"})
    most_idle = 200
    python = HERE / "build" / "litellm" / "bin" / "python"
    settings: ClassVar[dict[str, dict[str, object]]] = {
        "litellm_settings": {"request_timeout": 600, "set_verbose": False, "json_logs": True, "num_retries": 0},
        "router_settings": {"num_retries": 0},
    }

    @classmethod
    def version(cls) -> str:
        """Its own and its server's."""
        names = ("litellm", "uvicorn", "fastapi", "aiohttp", "openai")
        word = f"import importlib.metadata as m; print(*(n + ' ' + m.version(n) for n in {names!r}), sep=', ')"
        python = said([str(cls.python), "-c", "import platform; print(platform.python_version())"])
        own, _, others = said([str(cls.python), "-c", word]).partition(", ")
        return f"{own} ({others}, CPython {python}, 1 worker)"

    def command(self) -> list[str]:
        """Writes its configuration file (JSON is YAML too)."""
        if not self.python.exists():
            raise StartError("LiteLLM's environment is not there; make it with: bench/peer litellm")
        upstream = {"model": f"openai/{MODEL}", "api_base": f"http://127.0.0.1:{self.upstream_port}/v1"}
        model = {"model_name": MODEL, "litellm_params": upstream | {"api_key": self.upstream_key}}
        config = self.folder / "config.yaml"
        config.write_text(json.dumps({"model_list": [model], **self.settings}))
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--num_workers", "1", "--keepalive_timeout", "75"]
        program = str(self.python.parent / "litellm")
        return [program, "--config", str(config), "--telemetry", "False", *options]

    def environment(self) -> dict[str, str]:
        """The master key is the key of the load: without a database there are no others."""
        return super().environment() | {
            "LITELLM_MASTER_KEY": self.caller_key,
            "LITELLM_MODE": "PRODUCTION",
            "LITELLM_LOG": "ERROR",
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # its price list from the package, not from the network
        }


PEERS: dict[str, type[Candidate]] = {peer.name: peer for peer in (LiteLLM,)}
