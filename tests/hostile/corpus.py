"""The corpus: cases kept as data in corpus/*.toml, made into bytes to send and answers to expect.

A file has an `area`, an optional `base` (the good request that its cases change) and `cases`. A case says

    raw     the bytes, as strings put together; or, to change the base:
    line    the request line
    drop    names of the base's fields to leave out
    add     field lines to add
    body    the body; `content-length` is added unless the case adds a length or coding of its own, or `bare = true`
    after   bytes behind the request
    steps   instead of all that, what to do in turn: strings to send, numbers to wait (seconds), "FIN", "RST"
    want    the answers in their order: "status code param", "200", or none at all
    fate    of the connection: "kept" or "closed"
    calls   how often the upstream must have been called for it (default: once for each 200 of a POST)

In strings, `<<chat>>` is a good chat body, `<<key>>` the key, `<<hidden>>` a whole good request that must not be found
in the upstream's statement, `<<a*1000>>` a thousand a's. Characters are bytes (latin-1).

A file with `fields` instead of `cases` is a table: every value of `values` for every field.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

# Not one of the planted secrets: mutants put pieces of it everywhere, where nothing can know them for what they are.
KEY = "sk-test-0123456789abcdefghijklmnopqrstuvwxyz"
FOLDER = Path(__file__).parent / "corpus"
CHAT = '{"model":"lab/m","messages":[{"role":"user","content":"token:%s"}]}'
_REPEAT = re.compile(r"<<(.|\\u[0-9a-f]{4})\*([0-9]+)>>", re.S)
_NONCES = count()


@dataclass(frozen=True)
class Answer:
    """An answer as it must be; `code` is empty for a success."""

    status: int
    code: str = ""
    param: str | None = None


@dataclass(frozen=True)
class Case:
    """One exchange with the gateway. `steps` are bytes to send, seconds to wait, "FIN" or "RST"."""

    area: str
    name: str
    steps: tuple[bytes | float | str, ...]
    want: tuple[Answer, ...]
    closed: bool
    calls: int
    nonce: str
    method: str
    field: tuple[str, bytes] | None = None  # a field that must reach the upstream as it is

    @property
    def hidden(self) -> str:
        """The nonce of the request that must not be found."""
        return f"{self.nonce}-hidden"

    @property
    def data(self) -> bytes:
        """All it sends."""
        return b"".join(step for step in self.steps if isinstance(step, bytes))

    def __str__(self) -> str:
        return f"{self.area}: {self.name}"


def load(name: str = "*") -> list[Case]:
    """The cases of one file, or of all."""
    found = [case for path in sorted(FOLDER.glob(f"{name}.toml")) for case in _read(path)]
    names = [str(case) for case in found]
    assert len(names) == len(set(names)), sorted(one for one in names if names.count(one) > 1)
    return found


def _read(path: Path) -> Iterator[Case]:
    file = tomllib.loads(path.read_text("utf-8"))
    if "fields" in file:
        yield from _table(file)
    for spec in file.get("cases", ()):
        yield _case(file["area"], {**file.get("base", {}), **spec})


def _case(area: str, spec: dict[str, Any], field: tuple[str, bytes] | None = None) -> Case:
    nonce = f"c{next(_NONCES)}"
    if "steps" in spec:
        steps = tuple(_step(step, nonce) for step in spec["steps"])
    elif "raw" in spec:
        steps = (_bytes("".join(spec["raw"]), nonce),)
    else:
        steps = (_request(spec, nonce),)
    want = tuple(_answer(text) for text in spec["want"])
    line = spec.get("line", "")
    method = spec.get("method") or line.partition(" ")[0] or "POST"
    good = sum(answer.status == 200 for answer in want) if method == "POST" else 0
    closed = {"kept": False, "closed": True}[spec["fate"]]
    return Case(area, spec["name"], steps, want, closed, spec.get("calls", good), nonce, method, field)


def _step(step: Any, nonce: str) -> bytes | float | str:
    if isinstance(step, int | float):
        return float(step)
    return step if step in ("FIN", "RST") else _bytes(step, nonce)


def _request(spec: dict[str, Any], nonce: str) -> bytes:
    dropped = {name.lower() for name in spec.get("drop", ())}
    own = spec.get("add", [])
    fields = [field for field in spec["fields"] if field.partition(":")[0].lower() not in dropped]
    body = _bytes(spec.get("body", ""), nonce)
    framed = any(re.match(r"\s*(content-length|transfer-encoding)\s*:", field, re.I) for field in own)
    length = [f"content-length: {len(body)}"] if body and not framed and not spec.get("bare") else []
    head = "\r\n".join([spec["line"], *fields, *own, *length, "", ""])
    return _bytes(head, nonce) + body + _bytes(spec.get("after", ""), nonce)


def _bytes(text: str, nonce: str) -> bytes:
    text = text.replace("<<hidden>>", _hidden(nonce)).replace("<<chat>>", CHAT % nonce).replace("<<key>>", KEY)
    text = text.replace("<<hidden length>>", str(len(_hidden(nonce)))).replace("<<length>>", str(len(CHAT % nonce)))
    text = text.replace("<<hex length>>", f"{len(CHAT % nonce):x}")
    text = _REPEAT.sub(lambda found: found[1] * int(found[2]), text)
    assert "<<" not in text, text
    return text.encode("latin-1")


def _hidden(nonce: str) -> str:
    body = CHAT % f"{nonce}-hidden"
    fields = f"host: gateway\r\nauthorization: Bearer {KEY}\r\ncontent-length: {len(body)}\r\n"
    return f"POST /v1/chat/completions HTTP/1.1\r\n{fields}\r\n{body}"


def _answer(text: str) -> Answer:
    status, code, param = (*text.split(), "", "")[:3]
    return Answer(int(status), code, param or None)


def _table(file: dict[str, Any]) -> Iterator[Case]:
    for row in file["fields"]:
        route = file["routes"][row["route"]]
        for label, value in file["values"].items():
            inner = row.get("within", "%s") % value
            body = route["body"].replace(f'"{row["name"]}":{row.get("instead", "")}', f'"{row["name"]}":{inner}', 1)
            if row["name"] not in route["body"]:
                body = f'{body[:-1]},"{row["name"]}":{inner}}}'
            good = row["good"] == "any" or label in row["good"].split()
            want = "200" if good else row["want"]
            kept = row["name"] if row["good"] == "any" else None
            yield _case(
                file["area"],
                {
                    **file["base"],
                    "name": f"{row['route']}, {row.get('label', row['name'])} is {label}",
                    "line": f"POST {route['path']} HTTP/1.1",
                    "body": body,
                    "want": [want],
                    "fate": "kept",
                },
                None if kept is None else (kept, value.encode("latin-1")),
            )
