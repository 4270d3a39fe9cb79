"""The public clients for Node.js (`openai`, `cometapi`), from their locked packages, as they are."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.clients.site import Site
from tests.support.node import NODE, install_packages

VARIABLES = {"openai": ("OPENAI_BASE_URL", "OPENAI_API_KEY"), "cometapi": ("COMETAPI_BASE_URL", "COMETAPI_KEY")}

pytestmark = pytest.mark.node


@pytest.fixture(scope="package")
def packages() -> Path:
    """The folder with the locked packages."""
    return install_packages()


def talk(packages: Path, name: str, site: Site) -> Any:
    """What `talk.mjs` says."""
    base_url, key = VARIABLES[name]
    env = {"PATH": os.environ["PATH"], base_url: site.base_url, key: site.key}
    done = subprocess.run(
        [NODE, "talk.mjs", name, site.model], cwd=packages, env=env, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", VARIABLES)
def test_a_node_client(packages: Path, name: str, site: Site) -> None:
    """Whole answers, streams, models with a slash in their id, error classes, and no retry where none helps."""
    told = talk(packages, name, site)
    assert site.is_answer(told["whole"]["text"]) and told["whole"]["finish"] == "stop" and told["whole"]["id"]
    assert site.is_answer(told["streamed"]["text"]) and told["streamed"]["usage"]["completion_tokens"] == 4
    assert told["lastLine"] == "data: [DONE]"
    assert {"lab/fake", "fast"} <= set(told["models"])
    assert told["retrieved"] == "lab/fake"
    assert told["wrongKey"] == {"kind": "AuthenticationError", "status": 401, "code": "invalid_api_key"}
    assert told["unknown"] == {"kind": "NotFoundError", "status": 404, "code": "model_not_found"}
    conflict = {"kind": "ConflictError", "status": 409, "code": "idempotency_conflict"}
    assert told["repeated"] == {"unasked": None, "sent": 4, "same": True, "other": conflict}
    assert told["tries"] == {"sent": 1, "kind": "InternalServerError", "status": 502, "code": "upstream_auth"}


@pytest.mark.model
@pytest.mark.parametrize("name", VARIABLES)
def test_a_node_client_with_the_embedded_model(packages: Path, name: str, home: Site) -> None:
    """The same with the model that ships with the gateway."""
    told = talk(packages, name, home)
    assert home.is_answer(told["whole"]["text"])
    assert home.is_answer(told["streamed"]["text"]) and told["streamed"]["usage"]["completion_tokens"] > 0
    assert told["lastLine"] == "data: [DONE]"
    assert told["models"] == ["local"] and told["retrieved"] == "local"
