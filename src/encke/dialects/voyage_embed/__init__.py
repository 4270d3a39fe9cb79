"""Voyage's embeddings (`POST /v1/embeddings`): OpenAI's answer to a request of its own."""
