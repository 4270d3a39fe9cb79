"""docs/openapi.json: it tells of every route and every code, and schemathesis finds nothing that it does not tell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from encke.core.faults import FAULTS
from encke.testing.upstream import FakeUpstream
from encke.worker.routes import METHODS as GEMINI
from encke.worker.routes import ROUTES
from tests.conftest import Count, Size
from tests.docs.test_facts import written_headers
from tests.support.gateway import KEY, Gateway, lab
from tests.surface.upstream import behave

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs" / "openapi.json"
METHODS = ("get", "head", "options", "post")


class Identity(NamedTuple):
    """Who calls: with which header, and how many examples of each operation are tried, usually and in a soak.

    `but` is a check that does not fit, and why.
    """

    header: str | None
    usual: int
    soak: int
    but: tuple[str, str] | None = None


IDENTITIES = {
    "a key": Identity(f"Authorization: Bearer {KEY}", 40, 1000),
    "no key, or an invented one": Identity(
        None, 15, 300, ("positive_data_acceptance", "two headers with two invented keys are refused with 400, not 401")
    ),
    "a wrong key": Identity("Authorization: Bearer sk-wrong-0123456789abcdefghijklmnop", 10, 200),
}
SEED = "20261123"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway whose provider answers every route."""
    with FakeUpstream(behave) as upstream:
        settings = {**lab(upstream.url), "local": {"enabled": False}, "server": {"workers": 1}}
        with Gateway(tmp_path_factory.mktemp("surface"), settings) as running:
            yield running


def described() -> Any:
    """The description."""
    return json.loads(FILE.read_text("utf-8"))


def test_every_route_is_described() -> None:
    """The paths are those of the table, with every method that is answered, and the one with a model's name."""
    paths = described()["paths"]
    methods = {f"/v1beta/models/{{model}}:{name}" for name in GEMINI}
    assert set(paths) == {*ROUTES, "/v1/models/{id}", "/v1beta/models/{id}", *methods}
    for path, route in ROUTES.items():
        assert {method.upper() for method in paths[path] if method in METHODS} == set(route.allow.split(", "))


def test_every_code_is_described() -> None:
    """Each code of the table of faults stands in an answer of its status, but those of paths that are not there."""
    answers = described()["components"]["responses"]
    told = {
        (name[5:8], code) for name, answer in answers.items() for code in re.findall(r"`(\w+)`", json.dumps(answer))
    }
    codes = {
        (str(kind.status), code) for code, kind in FAULTS.items() if code not in ("not_found", "method_not_allowed")
    }
    assert codes - told == set()


def test_every_header_is_described() -> None:
    """Each field that the gateway writes of its own, but those of CORS and of caches."""
    elsewhere = {"content-type", "cache-control", "x-accel-buffering", "vary", "allow"}
    told = set(described()["components"]["headers"]) | elsewhere
    assert {name for name in written_headers() if not name.startswith("access-control-")} - told == set()


@pytest.mark.parametrize("who", IDENTITIES)
def test_the_gateway_does_as_described(gateway: Gateway, who: str, tmp_path: Path, count: Count, size: Size) -> None:
    """Requests made from the description, right and wrong ones: all checks of schemathesis hold, and those in hooks."""
    identity = IDENTITIES[who]
    examples = size(identity.usual, soak=identity.soak)
    command = [sys.executable, "-m", "schemathesis.cli", "run", str(FILE), "--url", f"http://127.0.0.1:{gateway.port}"]
    command += ["--phases", "examples,coverage,fuzzing", "--seed", SEED, "--max-examples", str(examples)]
    command += ["--generation-database", "none", "--request-timeout", "60", "--no-color"]
    command += ["--header", identity.header] if identity.header else []
    command += ["--exclude-checks", identity.but[0]] if identity.but else []
    # In a folder of its own: it leaves caches where it runs.
    env = {**os.environ, "SCHEMATHESIS_HOOKS": "tests.surface.hooks", "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=3600, check=False)
    tried = re.search(r"Test cases:\n +(.*)", run.stdout)
    assert run.returncode == 0 and tried, f"{run.stdout[-8000:]}\n{run.stderr[-2000:]}"
    count(f"schemathesis with {who}: {tried[1]}")
    assert '"level":"error"' not in gateway.log
