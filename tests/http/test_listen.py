"""Listening sockets."""

from __future__ import annotations

import socket

import pytest

from encke.http.listen import ListenError, listen


def test_sockets_share_one_port() -> None:
    """All sockets listen on one address; connections reach whichever the kernel chooses."""
    sockets = listen("127.0.0.1", 0, 3)
    try:
        addresses = {sock.getsockname() for sock in sockets}
        assert len(addresses) == 1
        taken = 0
        for _ in range(30):
            with socket.create_connection(sockets[0].getsockname()):
                taken += 1
        accepted = 0
        for sock in sockets:
            while True:
                try:
                    sock.accept()[0].close()
                except BlockingIOError:
                    break
                accepted += 1
        assert accepted == taken == 30
    finally:
        for sock in sockets:
            sock.close()


@pytest.mark.parametrize("shared", [True, False])
def test_taken_port_is_told(shared: bool) -> None:
    """A port in use is an error that names another, even where the other program would share it."""
    with socket.socket() as other:
        if shared:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ListenError, match=f"port {port} is taken.*ENCKE_LISTEN"):
            listen("127.0.0.1", port, 1)


def test_another_port_is_proposed_as_it_can_be_pasted() -> None:
    """An IPv6 address keeps its brackets in the setting that is proposed."""
    with socket.socket(socket.AF_INET6) as other:
        try:
            other.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ListenError, match=rf"ENCKE_LISTEN=\[::1\]:{(port + 1) % 65536} "):
            listen("::1", port, 1)


@pytest.mark.parametrize(
    ("host", "says"),
    [("192.0.2.1", "no address of this machine"), ("no-such-host.invalid", "cannot be resolved")],
)
def test_wrong_host_is_told(host: str, says: str) -> None:
    """An address that is not ours, or no address, is told as such."""
    with pytest.raises(ListenError, match=says):
        listen(host, 0, 1)
