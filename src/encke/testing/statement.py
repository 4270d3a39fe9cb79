"""The upstream's own durable account of what it was asked and what it sent: the "bank statement".

One JSON line per record, each appended with a single write, so that it survives the death of whoever called and of the
upstream itself. Moments are nanoseconds of CLOCK_MONOTONIC, which is common to all processes of one machine.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import msgspec

from encke.testing.request import Request

Ended = Literal["completed", "fin", "reset", "peer_left", "stopped", "failed"]


class Connected(msgspec.Struct, frozen=True, tag="connected"):
    """A connection was accepted."""

    connection: int
    at_ns: int


class Disconnected(msgspec.Struct, frozen=True, tag="disconnected"):
    """A connection is gone; `by_peer` when the peer ended it. `received` counts all bytes it sent."""

    connection: int
    by_peer: bool
    received: int
    at_ns: int


class Received(msgspec.Struct, frozen=True, tag="received"):
    """A request. `body` holds its first `keep_body` bytes (base64 in the file); length and hash cover it all."""

    call: int
    connection: int
    method: str
    target: str
    headers: list[tuple[str, str]]
    body_bytes: int
    body_sha256: str
    body: bytes
    complete: bool
    model: str | None
    stream: bool
    max_tokens: int | None
    nonce: str | None
    behaviour: str
    at_ns: int

    def header(self, name: str) -> str | None:
        """The first header of that name (lower case), or None."""
        return next((value for key, value in self.headers if key.lower() == name), None)


def received(request: Request, behaviour: str, moment: int, keep_body: int) -> Received:
    """The record of a request."""
    return Received(
        call=request.number,
        connection=request.connection,
        method=request.method,
        target=request.target,
        headers=request.headers,
        body_bytes=len(request.body),
        body_sha256=hashlib.sha256(request.body).hexdigest(),
        body=request.body[:keep_body],
        complete=request.complete,
        model=request.model,
        stream=request.stream,
        max_tokens=request.max_tokens,
        nonce=request.nonce,
        behaviour=behaviour,
        at_ns=moment,
    )


class Outcome(msgspec.Struct, frozen=True, tag="outcome"):
    """How a call ended. `sent`: bytes the kernel took, so with `peer_left` the byte at which the peer left.

    `tokens`: output tokens in the pieces sent; `prompt_tokens`: input tokens claimed; `first_ns`: when the first byte
    went out (0: none did); `last_ns`: just before the last of these pieces did, so that nobody had it earlier.
    """

    call: int
    connection: int
    behaviour: str
    ended: Ended
    sent: int
    tokens: int
    prompt_tokens: int
    first_ns: int = 0
    last_ns: int = 0
    at_ns: int = 0
    problem: str | None = None


class Rejected(msgspec.Struct, frozen=True, tag="rejected"):
    """Bytes that were not a well-formed request. A correct gateway causes none of these."""

    connection: int
    problem: str
    at_ns: int


Record = Connected | Disconnected | Received | Outcome | Rejected
_decoder = msgspec.json.Decoder(Record)


class Statement:
    """Appends records and reads them back: in memory, or in a file that another process may be writing."""

    def __init__(self, path: Path | None = None, write: bool = True) -> None:
        self._path = path
        self._records: list[Record] = []
        self._offset = 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(path, flags, 0o600) if path is not None and write else -1

    def add(self, record: Record) -> None:
        """Append one record."""
        if self._file >= 0:
            os.write(self._file, msgspec.json.encode(record) + b"\n")
        else:
            self._records.append(record)

    def records(self) -> list[Record]:
        """All records so far, in the order written."""
        if self._path is not None and self._path.exists():
            self._read_more(self._path)
        return list(self._records)

    def _read_more(self, path: Path) -> None:
        with path.open("rb") as file:
            file.seek(self._offset)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._records.extend(_decoder.decode(line) for line in whole.splitlines())

    def calls(self) -> list[Received]:
        """The requests received."""
        return [one for one in self.records() if isinstance(one, Received)]

    def outcomes(self) -> list[Outcome]:
        """How the calls that have ended ended."""
        return [one for one in self.records() if isinstance(one, Outcome)]

    def rejected(self) -> list[Rejected]:
        """What could not be parsed."""
        return [one for one in self.records() if isinstance(one, Rejected)]

    def disconnected(self) -> list[Disconnected]:
        """The connections that are gone."""
        return [one for one in self.records() if isinstance(one, Disconnected)]

    @property
    def connects(self) -> int:
        """How many connections were accepted so far."""
        return sum(isinstance(one, Connected) for one in self.records())

    @property
    def open_connections(self) -> int:
        """How many of them are still there."""
        return self.connects - len(self.disconnected())

    def wait_for(self, condition: Callable[[Statement], bool], seconds: float = 30.0) -> None:
        """Return once `condition(statement)` holds. Raises TimeoutError, naming the last records, otherwise."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            if time.monotonic() > deadline:
                tail = "\n".join(str(one)[:300] for one in self.records()[-6:])
                raise TimeoutError(f"condition did not hold within {seconds} s; last records:\n{tail or '(none)'}")
            time.sleep(0.005)

    def close(self) -> None:
        """Close the file; reading goes on working."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
