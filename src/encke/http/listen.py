"""Listening sockets: one for every worker, on the same address, so that the kernel spreads connections."""

from __future__ import annotations

import errno
import socket

BACKLOG = 4096


class ListenError(Exception):
    """The address cannot be listened on; the message says why and what to do."""


def listen(host: str, port: int, count: int, setting: str = "listen") -> list[socket.socket]:
    """`count` listening sockets on one address, port 0 for any free one. Raises ListenError, which names the setting.

    They belong to the supervisor: a worker that is killed leaves its queue of connections to the next.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0][4]
    except socket.gaierror:
        raise ListenError(
            f"server.{setting}: the host {host!r} cannot be resolved; use an address such as 127.0.0.1"
        ) from None
    try:
        # First without SO_REUSEPORT: with it, a second gateway would share the port silently.
        probe = _bound(family, address, reuse_port=False)
    except OSError as error:
        raise ListenError(_why(error, host, port, setting)) from None
    address = probe.getsockname()
    probe.close()
    sockets: list[socket.socket] = []
    try:
        for _ in range(count):
            sock = _bound(family, address, reuse_port=True)
            sockets.append(sock)
            sock.listen(BACKLOG)
    except OSError as error:
        for sock in sockets:
            sock.close()
        raise ListenError(_why(error, host, port, setting)) from None
    return sockets


def listen_for_operators(address: tuple[str, int], everybody: socket.socket) -> socket.socket:
    """The socket of `/metrics`, beside that of the API. Raises ListenError, which also says how to do without."""
    try:
        (listener,) = listen(*address, 1, "admin_listen")
    except ListenError as error:
        if address[1] and address[1] == everybody.getsockname()[1]:
            text = f"server.admin_listen: port {address[1]} is that of server.listen already; give one of them another"
            raise ListenError(f"{text}, or set ENCKE_ADMIN_LISTEN=off") from None
        raise ListenError(f"for /metrics, {error}; ENCKE_ADMIN_LISTEN=off does without") from None
    return listener


def _bound(family: int, address: object, *, reuse_port: bool) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.setblocking(False)
        sock.bind(address)  # type: ignore[arg-type]
    except OSError:
        sock.close()
        raise
    return sock


def _why(error: OSError, host: str, port: int, setting: str) -> str:
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    variable = f"ENCKE_{setting.upper()}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} is taken: another program listens on {where}. Stop it, or choose another port with "
            f"{variable}={where.rpartition(':')[0]}:{port + 1 if port < 65535 else 0} or server.{setting} in encke.toml"
        )
    if error.errno == errno.EACCES:
        return (
            f"listening on {where} is not permitted; ports below 1024 need privileges. Choose another with {variable}"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"{where} is no address of this machine; use 127.0.0.1 (this machine only) or 0.0.0.0 (every network)"
    return f"cannot listen on {where}: {error.strerror}"
