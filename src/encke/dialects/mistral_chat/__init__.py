"""Mistral's own chat, as providers speak it: OpenAI's wire with fields, parts and rules of its own."""
