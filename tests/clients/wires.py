"""Providers of every wire, all at one fake upstream."""

from __future__ import annotations

from typing import Any

# The provider's name, its dialect, and the base URL's path at the fake upstream.
WIRES: dict[str, tuple[str, str]] = {
    "chat": ("openai_chat", "/v1"),
    "responses": ("openai_responses", "/v1"),
    "messages": ("anthropic_messages", "/v1"),
    "gemini": ("google_generate", "/v1beta"),
    "mistral": ("mistral_chat", "/mistral/v1"),
    "cohere": ("cohere_chat", "/v2"),
    "ollama": ("ollama_chat", "/api"),
}
EMBEDDERS = {**WIRES, "voyage": ("voyage_embed", "/voyage/v1")}


def providers(url: str) -> dict[str, Any]:
    """Settings with a provider for each wire: models are `messages/anything` and so on."""
    return {
        name: {"dialect": dialect, "base_url": url + path, "api_key": f"sk-{name}", "allow_private": True}
        for name, (dialect, path) in EMBEDDERS.items()
    }
