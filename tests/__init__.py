"""Encke's tests; folders mirror src/encke."""
