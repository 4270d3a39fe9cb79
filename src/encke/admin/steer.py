"""How a command reaches the running gateway itself: the supervisor's Unix socket."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from typing import Any

from encke.admin.context import AdminError
from encke.admin.frames import FrameDecoder, FrameError, encode
from encke.core.paths import DataPaths

# A reload waits for workers up to 20 s, twice; a restart of workers up to a minute for each.
REPLY_S = 60.0
NO_GATEWAY = "no gateway runs on the data folder {root}; start it with encke serve, or name its folder with ENCKE_DATA"


def connect(paths: DataPaths) -> socket.socket | None:
    """A connection to the supervisor, or None if no gateway runs there. Raises AdminError."""
    supervisor = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        paths.check_socket_folder()
        supervisor.connect(str(paths.supervisor_sock))
    except (FileNotFoundError, ConnectionError):
        supervisor.close()
        return None
    except OSError as error:
        supervisor.close()
        raise AdminError(
            f"cannot reach the gateway at {paths.supervisor_sock}: {error.strerror or error}; commands must run as the "
            "gateway's user, or as root"
        ) from None
    return supervisor


def steer(paths: DataPaths, name: str, args: Mapping[str, object] | None = None, seconds: float = REPLY_S) -> Any:
    """Give the running gateway a command and wait for what came of it. Raises AdminError, also when it said no."""
    supervisor = connect(paths)
    if supervisor is None:
        raise AdminError(NO_GATEWAY.format(root=paths.root))
    with contextlib.closing(supervisor):
        supervisor.settimeout(seconds)
        try:
            supervisor.sendall(encode("command", 1, {"name": name, "args": dict(args or {})}))
            payload = _reply(supervisor)
        except TimeoutError:
            raise AdminError(f"the gateway did not answer within {seconds:g} s; look at its log") from None
        except (OSError, FrameError) as error:
            raise AdminError(f"the gateway broke off before it answered ({error}); look at its log") from None
    if isinstance(payload, dict) and isinstance(payload.get("error"), str):
        raise AdminError(payload["error"])
    if not isinstance(payload, dict) or "result" not in payload:
        raise AdminError("the gateway's answer makes no sense; is it of the same version as this program?")
    return payload["result"]


def _reply(supervisor: socket.socket) -> Any:
    decoder = FrameDecoder()
    while data := supervisor.recv(65536):
        for frame in decoder.feed(data):
            if frame.kind == "reply":
                return frame.payload
    raise FrameError("it closed the connection")
