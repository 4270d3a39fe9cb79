"""The supervisor: takes the data folder, owns the listening sockets, starts the other processes and starts them again.

It does nothing else, so that it has nothing to die of. Children hold a pipe to it: when it is gone they end by
themselves.
"""
