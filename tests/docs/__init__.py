"""The documentation, tested: examples run, tables compared with the code."""
