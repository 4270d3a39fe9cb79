"""Told at the end of every call: the access line."""
