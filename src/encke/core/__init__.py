"""Nouns without behaviour: what every other room talks about."""
