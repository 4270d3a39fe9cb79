"""Cohere's own chat, version 2 (`POST /v2/chat`)."""
