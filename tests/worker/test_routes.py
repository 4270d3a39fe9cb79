"""Paths to routes."""

from __future__ import annotations

import pytest

from encke.keys import rules
from encke.worker.routes import METHODS, ROUTES, match


def test_rules_know_every_route_that_calls_a_model() -> None:
    """A route that no rule could name would be open to keys that may use others only."""
    calling = {route.name for route in (*ROUTES.values(), *METHODS.values()) if route.kind == "inference"}
    assert calling == set(rules.ROUTES)


@pytest.mark.parametrize("path", list(ROUTES))
def test_every_route(path: str) -> None:
    """A path matches exactly, with a trailing slash, and with a doubled /v1."""
    for way in (path, path + "/", *(["/v1" + path, "/v1" + path + "/"] if path.startswith("/v1/") else [])):
        found = match(way)
        assert found is not None and found.route is ROUTES[path] and found.model == ""


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/models/gpt-5-mini", "gpt-5-mini"),
        ("/v1/models/lab/m", "lab/m"),
        ("/v1/models/lab%2Fm", "lab/m"),
        ("/v1/models/lab/m/", "lab/m"),
        ("/v1/v1/models/%C3%A9", "é"),
    ],
)
def test_one_model(path: str, model: str) -> None:
    """A model's id may hold slashes, plain or encoded."""
    found = match(path)
    assert found is not None and (found.route.kind, found.model) == ("model", model)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro"),
        ("/v1beta/models/lab/m:8b:streamGenerateContent", "lab/m:8b"),
        ("/v1beta/tunedModels/mine:generateContent", "tunedModels/mine"),
        ("/v1beta/lab/m:generateContent", "lab/m"),  # Vercel's SDK, where an id has a slash
    ],
)
def test_a_method_of_a_model(path: str, model: str) -> None:
    """Gemini's routes have the model before the last colon."""
    found = match(path)
    assert found is not None and (found.route.kind, found.model.rpartition(":")[0]) == ("inference", model)


@pytest.mark.parametrize(
    "path",
    [
        "/", "", "/v1", "/v1/", "/v2/models", "/v1/chat", "/V1/models", "/v1/models/%ff", "/v1/../v1/models",
        "/healthz//", "//v1/models", "/v1/v1/v1/models", "/v1" * 20_000 + "/models", "/v1/models" + "/" * 60_000 + "?",
        "*", "/" * 60_000, "/v1/chat/completions%20",
    ],
    ids=lambda path: path[:30],
)  # fmt: skip
def test_no_route(path: str) -> None:
    """Anything else matches nothing, however long it is."""
    found = match(path)
    assert found is None or found.route.kind == "model"


def test_only_health_is_public() -> None:
    """A route is public only by saying so."""
    assert {path for path, route in ROUTES.items() if route.public} == {"/healthz", "/readyz"}
    assert {route.allow for route in ROUTES.values()} == {"GET, HEAD, OPTIONS", "POST, OPTIONS"}
