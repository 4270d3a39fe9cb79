"""The store: keys, entries and journal marks. `port.py` says what a store must do, `sqlite.py` does it."""
