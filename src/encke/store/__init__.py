"""The store: keys and entries. `port.py` says what a store must do, `sqlite.py` does it."""
