"""What the kernel knows of a connection that asyncio does not tell."""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios


def _asked(transport: asyncio.Transport, question: int) -> int:
    """A number of bytes; 0 where the connection is gone."""
    try:
        fd = transport.get_extra_info("socket").fileno()
        (found,) = struct.unpack("i", fcntl.ioctl(fd, question, b"\0\0\0\0"))
    except (OSError, AttributeError):
        return 0
    return int(found)


def has_input(transport: asyncio.Transport) -> bool:
    """Whether something has come that was not read yet."""
    return _asked(transport, termios.FIONREAD) > 0


def unsent(transport: asyncio.Transport) -> int:
    """Bytes that the peer's kernel has not acknowledged: ours, and those the kernel here holds, up to 4 MiB."""
    return transport.get_write_buffer_size() + _asked(transport, termios.TIOCOUTQ)


def cut(transport: asyncio.Transport, waiting: int) -> None:
    """End the connection now. What the peer has not taken, megabytes perhaps, the kernel would keep and offer to it for
    minutes yet: it is told to drop that."""
    if waiting:
        try:
            fd = transport.get_extra_info("socket").fileno()
            with socket.fromfd(fd, socket.AF_INET, socket.SOCK_STREAM) as handle:
                handle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except (OSError, AttributeError):
            pass
    transport.abort()
