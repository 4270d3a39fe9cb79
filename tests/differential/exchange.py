"""Play a case against a server and write down what a client sees: answers, and what becomes of the connection."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

from tests.support.client import Client, Response

MARK = "differential-probe"
PROBE = f"GET /healthz HTTP/1.1\r\nHost: x\r\nx-request-id: {MARK}\r\n\r\n".encode()
# Ids and times differ from call to call; the number of a fake answer too.
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
_FAKE = re.compile(r"chatcmpl-fake-\d+")
_OWN = ("connection", "content-length", "transfer-encoding", "date", "server")  # the framing: read, not compared


class Case(NamedTuple):
    """Bytes to send, and the methods of the requests in them whose answers are waited for."""

    name: str
    raw: bytes
    methods: tuple[str, ...]


class Seen(NamedTuple):
    """An answer: status, code of the error, headers without ids and times, body the same."""

    status: int
    code: str
    headers: tuple[tuple[str, str], ...]
    body: str
    complete: bool


class Outcome(NamedTuple):
    """What a client saw. `fate`: kept (the connection answers on), closed, or silent (nothing comes any more)."""

    answers: tuple[Seen, ...]
    fate: str


def play(port: int, case: Case, patience: float) -> Outcome:
    """Send it all, read as many answers as are due, then see what the connection is good for."""
    answers: list[Seen] = []
    with Client(port, timeout=patience) as client:
        try:
            client.send(case.raw)
            for method in case.methods:
                answers.append(_seen(client.read(method)))
            fate = _fate(client, answers)
        except ConnectionError:
            fate = "closed"
        except TimeoutError:
            fate = "silent"
    return Outcome(tuple(answers), fate)


def _fate(client: Client, answers: list[Seen]) -> str:
    client.send(PROBE)
    while True:
        answer = client.read("GET")
        if answer.header("x-client-request-id") == MARK:
            return "kept"
        answers.append(_seen(answer))  # one more than was due


def _seen(response: Response) -> Seen:
    headers = sorted(
        (name.lower(), _plain(name.lower(), value)) for name, value in response.headers if name.lower() not in _OWN
    )
    text = _FAKE.sub("chatcmpl-fake-N", _UUID.sub("ID", response.body.decode("utf-8", "replace")))
    return Seen(response.status, _code(response), tuple(headers), text, response.complete)


def _plain(name: str, value: str) -> str:
    return "N" if name == "openai-processing-ms" else _UUID.sub("ID", value)


def _code(response: Response) -> str:
    if response.status < 400 or not response.body:
        return ""
    try:
        said: Any = json.loads(response.body)
        return str(said["error"]["code"])
    except (ValueError, KeyError, TypeError):
        return "none"


def differences(ours: Outcome, theirs: Outcome) -> dict[str, tuple[str, str]]:
    """What differs, by its name: number (of answers), and of the first answers that differ status, code, headers, body;
    fate."""
    found: dict[str, tuple[str, str]] = {}
    if len(ours.answers) != len(theirs.answers):
        found["number"] = (str(len(ours.answers)), str(len(theirs.answers)))
    for one, other in zip(ours.answers, theirs.answers, strict=False):
        for field in Seen._fields:
            a, b = str(getattr(one, field)), str(getattr(other, field))
            if a != b:
                found.setdefault(field, (a, b))
    if ours.fate != theirs.fate:
        found["fate"] = (ours.fate, theirs.fate)
    return found
