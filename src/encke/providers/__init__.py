"""Providers: where and who. One folder for each that is known; the settings may name others."""
