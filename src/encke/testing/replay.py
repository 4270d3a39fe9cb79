"""Recorded exchanges as raw HTTP responses, to be served by FakeUpstream whole, byte by byte or cut at random.

The format is that of the project's recordings, one JSON object an exchange (a `.jsonl.gz` line or a `.json` file):
`provider`, `api`, `model`, `stream`, `features`, `fidelity` {request, response}, `request` {method, path, query,
headers, body | body_text} or null, and `response` {status, headers, body, body_encoding: "utf-8" | "base64"}.
"""

from __future__ import annotations

import base64
import gzip
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encke.testing import wire
from encke.testing.script import Script, Send, pieces

EXAMPLES = Path(__file__).with_name("examples")
_FRAMING = frozenset({"transfer-encoding", "content-length", "content-encoding", "connection"})


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its response; `record` is the whole of it as parsed JSON."""

    record: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.record["id"])

    @property
    def provider(self) -> str:
        return str(self.record["provider"])

    @property
    def api(self) -> str:
        return str(self.record["api"])

    @property
    def stream(self) -> bool:
        return bool(self.record["stream"])

    @property
    def features(self) -> frozenset[str]:
        return frozenset(self.record["features"])

    @property
    def exact(self) -> bool:
        """Whether the response body is byte for byte what the provider sent."""
        return bool(self.record["fidelity"]["response"] == "exact")

    @property
    def request_body(self) -> dict[str, Any] | None:
        """The request's JSON object, or None where none was recorded."""
        body = (self.record.get("request") or {}).get("body")
        return body if isinstance(body, dict) else None

    @property
    def status(self) -> int:
        return int(self.record["response"]["status"])

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The response headers that were kept, without those that say how the body was framed."""
        return [pair for pair in self.record["response"]["headers"].items() if pair[0].lower() not in _FRAMING]

    @property
    def body(self) -> bytes:
        """The response body, decompressed."""
        response = self.record["response"]
        text = response["body"]
        return base64.b64decode(text) if response["body_encoding"] == "base64" else str(text).encode()

    def response(self, cut: Callable[[bytes], list[int]] | None = None) -> bytes:
        """The raw HTTP response: a stream in chunks (sizes from `cut`, else one an event), others with a length."""
        body = self.body
        if not self.stream:
            return wire.http_response(self.status, self.headers, body)
        head = wire.head(self.status, [*self.headers, wire.CHUNKED])
        return head + wire.chunked(body, (cut or event_sizes)(body))

    def whole(self) -> Script:
        """Serve it in one write."""
        return Script([Send(self.response())], name=f"replay {self.id}")

    def bytewise(self, pause: float = 0.0) -> Script:
        """Serve it one byte a write; a stream also one byte a chunk, which survives joined writes."""
        raw = self.response(lambda _: [1])
        return Script(pieces(raw, range(len(raw)), pause), name=f"replay {self.id} bytewise")

    def at_random(self, seed: int, pause: float = 0.0) -> Script:
        """Serve it in writes and chunks of random sizes, the same ones for the same seed."""
        source = random.Random(seed)
        raw = self.response(lambda body: random_sizes(source, len(body)))
        cuts = source.sample(range(len(raw)), min(len(raw), 1 + len(raw) // 200))
        return Script(pieces(raw, cuts, pause), name=f"replay {self.id} seed {seed}")

    def cut(self, at: int, *end: Any) -> Script:
        """Serve the first `at` bytes of the raw response, then the steps in `end` (say, `Rst()`)."""
        return Script([Send(self.response()[:at]), *end], name=f"replay {self.id} cut at {at}")


def event_sizes(body: bytes) -> list[int]:
    """Sizes of the SSE events in `body`, separators included; one size if there are none."""
    eol = b"\r\n\r\n" if b"\r\n\r\n" in body else b"\n\n"
    parts = body.split(eol)
    sizes = [len(part) + len(eol) for part in parts[:-1]]
    return [*sizes, max(len(parts[-1]), 1)]


def random_sizes(source: random.Random, total: int) -> list[int]:
    """Sizes that add up to at least `total`: mostly small, some of them large."""
    sizes: list[int] = []
    while sum(sizes) < total:
        sizes.append(source.choice((1, 2, 3, source.randint(1, 40), source.randint(1, 2000))))
    return sizes or [1]


def read(path: Path) -> Iterator[Exchange]:
    """The exchanges of one file: `.jsonl.gz`, `.jsonl`, or `.json` with a single one."""
    if path.suffix == ".json":
        yield Exchange(json.loads(path.read_text("utf-8")))
        return
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            yield Exchange(json.loads(line))


def recorded(
    folder: Path,
    *,
    api: str | None = None,
    provider: str | None = None,
    features: frozenset[str] = frozenset(),
    exact: bool = False,
) -> Iterator[Exchange]:
    """The exchanges under `folder/data` that match, in the order of file names. Raises FileNotFoundError."""
    data = folder / "data"
    if not data.is_dir():
        raise FileNotFoundError(f"no recordings at {folder}: it has no folder 'data'")
    name = f"{provider or '*'}.{api.replace('.', '-') if api else '*'}.jsonl.gz"
    for path in sorted(data.glob(name)):
        for one in read(path):
            if features <= one.features and (one.exact or not exact):
                yield one


def examples(dialect: str = "openai_chat") -> list[Exchange]:
    """Our own small examples of a dialect, in the order of file names."""
    return [one for path in sorted((EXAMPLES / dialect).glob("*.json")) for one in read(path)]
