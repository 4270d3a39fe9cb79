"""The OpenAI dialect: chat completions, and completions, embeddings, moderations on the same wire."""
