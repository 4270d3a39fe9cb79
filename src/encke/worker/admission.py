"""Who is calling: the one place that reads a key out of a request, and looks it up in the pushed snapshot."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from encke.core.clock import now_ms
from encke.core.faults import Fault
from encke.http.request import Request
from encke.keys.grant import Grant
from encke.keys.secret import digest, typo
from encke.keys.snapshot import Received

KEY_HEADERS: Final = (b"x-api-key", b"api-key", b"x-goog-api-key")
MAX_REMEMBERED: Final = 4096
MAX_VALUE: Final = 256  # of a value that is remembered: a key may stand behind 60 KB of spaces, 4096 times

_QUERY_KEY: Final = re.compile(rb"(?:^|&)(?:key|api_key|api-key|access_token|token)=sk-", re.I)
_KEY_IN_QUERY: Final = re.compile(rb"(?:^|&)key=([^&]*)")
# How the clients of a dialect send it: Gemini's on their own routes, Anthropic's, and all others.
_GENERATE: Final = "Send it as `x-goog-api-key: sk-…`."
_MESSAGES: Final = "Send it as `x-api-key: sk-…` or `Authorization: Bearer sk-…`."
_USUAL: Final = "Send it as `Authorization: Bearer sk-…`."


class Admission:
    """Keys to grants, from the snapshot that the keeper pushes: a revoked key is gone with the next push."""

    def __init__(self, known: Received) -> None:
        self._known = known
        # Authorization values seen, so that the digest is computed once per snapshot and key. Only good ones are
        # remembered, and all are forgotten with the snapshot they came from.
        self._seen: dict[bytes, Grant] = {}
        self.version = -1  # another one after each `renew`

    @property
    def ready(self) -> bool:
        """Whether there is a snapshot."""
        return self.version >= 0

    def renew(self) -> None:
        """Something has changed of what is known of keys."""
        self._seen = {}
        self.version += 1

    def admit(self, request: Request, in_query: bool = False) -> Grant:
        """The grant of a request's key; `in_query`: it may stand there, as `key=`, which is Gemini's way. Raises Fault
        missing_, invalid_ or expired_api_key, or invalid_value."""
        headers = request.headers
        authorization = headers.get(b"authorization")
        if authorization is not None:
            grant = self._seen.get(authorization)
            if grant is not None and grant.expires is None and not request.query and not _others(headers):
                return grant
        key = self._extract(request, authorization, in_query)
        grant = self._look_up(key)
        # Only what stood in this header by itself: an empty one beside another that holds the key must open nothing.
        others = _others(headers) or (in_query and request.query)
        if authorization is None or others or len(authorization) > MAX_VALUE:
            return grant
        if len(self._seen) < MAX_REMEMBERED:
            self._seen[authorization] = grant
        return grant

    def _extract(self, request: Request, authorization: bytes | None, in_query: bool) -> str:
        headers = request.headers
        found = {headers[name].strip() for name in KEY_HEADERS if name in headers}
        if authorization is not None:
            found.add(_bearer(authorization))
        if in_query and request.query:
            found.update(unquote_to_bytes(key).strip() for key in _KEY_IN_QUERY.findall(request.query))
        found.discard(b"")
        if not in_query and _QUERY_KEY.search(request.query):
            how = _how(request)
            raise Fault("invalid_value", f"A key in the query string is refused: it would end up in logs. {how}")
        if not found:
            raise Fault("missing_api_key", f"You did not provide a key. {_how(request, in_query)}")
        if len(found) > 1:
            raise Fault("invalid_value", "The request carries two different keys; send one.")
        return found.pop().decode("latin-1")

    def _look_up(self, key: str) -> Grant:
        if not self.ready:
            raise Fault("unavailable", "The gateway is starting; it has no keys yet.", retry_after=1.0)
        grant = self._known.grants.find(digest(self._known.pepper, key))
        if grant is None:
            why = typo(key)
            if why is None and not key.startswith("sk-"):
                why = "a key of this gateway begins with sk-"
            reason = f": {why}" if why else ". It is unknown here, or has been revoked"
            raise Fault(
                "invalid_api_key", f"Incorrect key provided{reason}. `encke keys list` shows the keys there are."
            )
        if grant.expires is not None and now_ms() >= grant.expires:
            text = "The key has expired, or it was given another secret and the time of grace of this one is over."
            raise Fault("expired_api_key", f"{text} `encke keys list` shows which keys are live.")
        return grant


def _how(request: Request, in_query: bool = False) -> str:
    if in_query:
        return _GENERATE
    return _MESSAGES if "/messages" in request.path or b"anthropic-version" in request.headers else _USUAL


def _bearer(value: bytes) -> bytes:
    value = value.strip()
    scheme, _, rest = value.partition(b" ")
    return rest.strip() if scheme.lower() == b"bearer" else value


def _others(headers: dict[bytes, bytes]) -> bool:
    return b"x-api-key" in headers or b"api-key" in headers or b"x-goog-api-key" in headers
