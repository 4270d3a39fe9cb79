"""Heads of requests to a provider, made once: all but what depends on the body.

Who signs each request (AWS's SigV4, tokens that expire) cannot have one: a signer's place is in `encke.calls.attempt`,
where the head and the body meet, with the provider's folder saying which (`signer.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from encke import __version__
from encke.config.problems import quote
from encke.core.faults import Fault
from encke.providers.ops import AUTH_FIELDS, DIALECT_PATHS, OP_HEADERS, PATHS
from encke.providers.provider import Credential, Provider

Heads = Mapping[str, bytes]

MODEL: Final = "{model}"

# Names of models that may stand in a path as they are: nothing that a server could take for another path, a query, or
# Google's method behind a colon.
_IN_PATH: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
# Google's ids may say whose collection they are in (ai.google.dev/api/models); plain ones are in the first.
_TUNED: Final = "tunedModels"
_COLLECTIONS: Final = ("models/", f"{_TUNED}/")
# Models whose heads are remembered, for each credential: callers may make names up.
_REMEMBERED: Final = 256


def heads(provider: Provider, credential: Credential | None) -> dict[str, bytes]:
    """By operation (`OP.stream` for streams that have a path of their own), in the provider's order, up to the value of
    content-length."""
    found: dict[str, bytes] = {}
    for op in provider.paths:
        if op == "models":
            continue
        for name in (op, f"{op}.stream"):
            if name in PATHS:
                found[name] = _head(provider, credential, op, target(provider, name)) + _BODY
    return found


_BODY: Final = b"content-type: application/json\r\ncontent-length: "


def heads_of(provider: Provider, credential: Credential | None) -> Callable[[str], Heads] | None:
    """What makes them for one model, where the model stands in a path; None where it does not.

    It raises Fault model_not_found for a name that cannot stand there.
    """
    blank = heads(provider, credential)
    if not any(MODEL in target(provider, op) for op in blank):
        return None

    @lru_cache(maxsize=_REMEMBERED)
    def of_model(model: str) -> Heads:
        return {
            name: _head(provider, credential, name, _named(provider, target(provider, name), model)) + _BODY
            for name in blank
        }

    return of_model


def collections(providers: Mapping[str, Provider]) -> dict[str, str]:
    """What ids of models begin with that stand in no list, and the one provider who can have such; empty for several,
    since nobody knows which is meant."""
    having = [
        name
        for name, provider in providers.items()
        if any(f"/models/{MODEL}" in target(provider, op) for op in provider.paths if op in PATHS)
    ]
    return {_TUNED: having[0]} if len(having) == 1 else {}


def list_requests(provider: Provider) -> tuple[bytes, ...]:
    """The request for the provider's list of models, one with each credential; none if it has no such list."""
    if "models" not in provider.paths:
        return ()
    at = target(provider, "models")
    return tuple(_head(provider, credential, "models", at) + b"\r\n" for credential in provider.credentials or (None,))


def target(provider: Provider, op: str) -> str:
    """Path and query of an operation, with `{model}` in it where the model stands."""
    usual = DIALECT_PATHS.get(provider.dialect, {}).get(op, PATHS[op])
    path = provider.route_paths.get(op, usual)
    before = provider.prefix if op == "models" else provider.prefix + provider.model_path
    while path.startswith("../"):
        before = before.rpartition("/")[0]
        path = path[3:] if path.startswith("../../") else path[2:]
    path, _, query = path.partition("?")
    queries = "&".join(part for part in (query, provider.query) if part)
    return f"{before}{path}?{queries}" if queries else before + path


def _named(provider: Provider, path: str, model: str) -> str:
    name = model
    for collection in _COLLECTIONS:
        if model.startswith(collection) and f"/models/{MODEL}" in path:
            name = model.removeprefix(collection)
            path = path.replace(f"/models/{MODEL}", f"/{collection}{MODEL}")
    if not _IN_PATH.fullmatch(name):
        shown = quote(model)[1:-1]
        what = f"The provider `{provider.name}` has the model's name in its address; `{shown}` cannot be."
        raise Fault("model_not_found", what, param="model")
    return path.replace(MODEL, name)


def _head(provider: Provider, credential: Credential | None, op: str, at: str) -> bytes:
    """A request head up to, and not with, the fields that depend on the body. Nothing of the client's is in it."""
    method = "GET" if op == "models" else "POST"
    lines = f"{method} {at} HTTP/1.1\r\nhost: {provider.authority}\r\n"
    if credential is not None:
        lines += AUTH_FIELDS[provider.auth].format(credential.api_key.reveal())
    lines += f"user-agent: encke/{__version__}\r\naccept: application/json, text/event-stream\r\n"
    lines += "accept-encoding: identity\r\n"
    own = {name.lower() for name, _ in provider.headers}
    for name, value in {**OP_HEADERS.get(op, {}), **dict(provider.fixed_headers)}.items():
        if name not in own:
            lines += f"{name}: {value}\r\n"
    for name, secret in provider.headers:
        lines += f"{name}: {secret.reveal()}\r\n"
    return lines.encode("latin-1")
