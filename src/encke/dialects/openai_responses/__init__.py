"""The Responses dialect of OpenAI: items instead of messages, and a stream of typed events."""
