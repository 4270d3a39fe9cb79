"""The OpenAI dialect: chat completions and its older siblings on the same wire (completions, embeddings, moderations)."""
