"""Which path leads where."""

from __future__ import annotations

import pytest

from encke.dialects.openai_chat.wire import ROUTES as DIALECT_ROUTES
from encke.worker.routes import ROUTES, match


@pytest.mark.parametrize("path", ROUTES)
def test_a_path_matches_also_with_a_slash_and_doubled(path: str) -> None:
    """People paste base URLs with and without /v1, with and without a slash at the end."""
    for way in (path, f"{path}/", f"/v1{path}" if path.startswith("/v1/") else path):
        found = match(way)
        assert found is not None and found.route is ROUTES[path], way


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/models/local", "local"),
        ("/v1/models/openai/gpt-5-mini", "openai/gpt-5-mini"),
        ("/v1/models/openai%2Fgpt-5-mini/", "openai/gpt-5-mini"),
        ("/v1/v1/models/%C3%BC", "ü"),
    ],
)
def test_a_models_path_holds_its_id(path: str, model: str) -> None:
    """Slashes in it may be encoded or not."""
    found = match(path)
    assert found is not None and (found.route.kind, found.model) == ("model", model)


@pytest.mark.parametrize(
    "path", ["/", "", "/v1", "/v1/", "/chat/completions", "/V1/models", "/v1/models/%FF", "/v1//models", "/v1/chat"]
)
def test_anything_else_is_no_path(path: str) -> None:
    """Nothing is guessed."""
    assert match(path) is None


def test_inference_routes_are_the_dialects() -> None:
    """Every route that is answered by a provider is one that the dialect can read, and needs a key."""
    inference = {route.name: route for route in ROUTES.values() if route.kind == "inference"}
    assert set(inference) == set(DIALECT_ROUTES)
    assert not any(route.public for route in inference.values())
    assert {path for path, route in ROUTES.items() if route.public} == {"/healthz", "/readyz"}
