"""Test tools that ship with Encke: an upstream that can misbehave on purpose, and a player of recorded exchanges.

`upstream`   FakeUpstream (in a thread) and `python -m encke.testing.upstream` (a process), HTTP/1.1 by hand
`process`    UpstreamProcess: starts, watches and stops that process
`behaviours` the named ways to answer, one table; `script` and `wire` are what they are made of
`statement`  the durable call log, written by the one that was called: the "bank statement" to check ledgers against
`replay`     recorded exchanges as raw HTTP bytes; `examples/` holds a few of our own in the same format
"""
