"""Keys: their shape, their digest, the pepper, and the Grant each carries."""
