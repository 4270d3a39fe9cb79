"""Recorded answers, varied in ways that are known: what other recordings of the same providers may hold."""
