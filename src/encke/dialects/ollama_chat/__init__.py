"""Ollama's own chat (`POST /api/chat`)."""
