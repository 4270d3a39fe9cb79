"""Talking to the running gateway as any caller would, over HTTP."""

from __future__ import annotations

import contextlib
import http.client
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from encke.admin.context import AdminError
from encke.cli.text import safe
from encke.config.endpoints import split_listen
from encke.config.load import main_environ, read_environment
from encke.config.settings import Config
from encke.core.paths import DataPaths

CONNECT_S = 10
ANSWER_S = 600
_SHOWN = 500
_NO_MORE: Mapping[str, str] = {}
# A gateway that listens everywhere is reached here.
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}


class RunInfo(msgspec.Struct):
    """What we need of `run.json`."""

    listen: str | None = None


def address(config: Config) -> tuple[str, int]:
    """Where the gateway listens: as `run.json` says (it knows a port the system chose), else as the settings do."""
    host, port = split_listen(_running(DataPaths(config.data_dir).run_json) or config.server.listen)
    return _EVERYWHERE.get(host, host), port


def _running(run_json: Path) -> str | None:
    try:
        return msgspec.json.decode(run_json.read_bytes(), type=RunInfo).listen
    except (OSError, msgspec.DecodeError):
        return None


@contextlib.contextmanager
def request(
    config: Config, method: str, path: str, body: object = None, more: Mapping[str, str] = _NO_MORE
) -> Iterator[http.client.HTTPResponse]:
    """One call with the caller's key, and `more` headers; the answer, its status 200. Raises AdminError, with the
    gateway's own message."""
    host, port = address(config)
    connection = http.client.HTTPConnection(host, port, timeout=CONNECT_S)
    headers = {"Authorization": f"Bearer {_key()}", "Content-Type": "application/json", **more}
    with contextlib.closing(connection), contextlib.ExitStack() as opened:
        _connect(connection)
        with _told(connection):
            connection.request(method, path, None if body is None else msgspec.json.encode(body), headers)
            # A response that ends with its connection owns the socket: closing the connection does not close it.
            response = opened.enter_context(contextlib.closing(connection.getresponse()))
            if response.status != 200:
                raise AdminError(_refusal(response))
        try:
            with _told(connection):
                yield response
        except AdminError as error:
            # Not the gateway: whoever read our own output has gone. click ends quietly on it.
            if isinstance(error.__cause__, BrokenPipeError):
                raise error.__cause__ from None
            raise


@contextlib.contextmanager
def _told(connection: http.client.HTTPConnection) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        where = f"{connection.host}:{connection.port}"
        raise AdminError(f"the gateway at {where} broke off: {error or type(error).__name__}") from error


def _connect(connection: http.client.HTTPConnection) -> None:
    try:
        connection.connect()
    except OSError as error:
        where = f"{connection.host}:{connection.port}"
        raise AdminError(f"no gateway answers at {where} ({error.strerror or error}); start it: encke serve") from error
    connection.sock.settimeout(ANSWER_S)


def _key() -> str:
    environment = read_environment(main_environ())
    key = environment.api_key or environment.bootstrap_key
    if key is None:
        raise AdminError("no key to call with: set ENCKE_API_KEY to one (encke keys create makes one)")
    return key.reveal()


def message_of(error: Any) -> str | None:
    """The sentence in an answer's `{"error": {"message": …}}`, or null."""
    found = error.get("error") if isinstance(error, dict) else None
    message = found.get("message") if isinstance(found, dict) else None
    return safe(message) if isinstance(message, str) else None


def _refusal(response: http.client.HTTPResponse) -> str:
    body = response.read(65536)
    try:
        message = message_of(msgspec.json.decode(body))
    except msgspec.DecodeError:
        message = None
    request_id = response.headers.get("x-request-id")
    where = f"HTTP {response.status}" + (f", request {safe(request_id)}" if request_id else "")
    return f"{message or safe(body[:_SHOWN].decode('utf-8', 'replace')) or response.reason} ({where})"
