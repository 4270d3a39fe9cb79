"""The life of a call. Read life.py first: it has the phases, in order."""
