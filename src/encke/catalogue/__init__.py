"""What callers may ask for: models, aliases, their targets, and resolving a name."""
