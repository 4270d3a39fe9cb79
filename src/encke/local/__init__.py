"""The embedded model: a small real model that ships with the gateway, so that the first run needs nothing else.

weights    find or fetch the file of weights, and verify it
fetch      how the file is fetched: packages as data, joined
cpu        can this machine run the engine at all?
settings   what the engine is told, and where it listens
spawn      start the engine, ask whether it is ready
engine     the process itself
xllama     the only file that touches the library underneath
seats      a bound on calls, shared by all worker processes
"""
