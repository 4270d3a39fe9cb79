"""HTTP/1.1 on sockets: the client's side (server.py), the upstream's side (client.py, pool.py), every byte and time
limit.

Parsing is httptools' (llhttp); nothing here parses a grammar of its own.
"""
