"""The paths a worker answers. A path matches exactly, and also with a trailing slash and with a doubled /v1/v1."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple
from urllib.parse import unquote_to_bytes

Kind = Literal["inference", "models", "model", "key", "healthz", "readyz", "metrics"]


class Route(NamedTuple):
    """`name` is the dialect's name of the route. `public` routes need no key."""

    name: str
    kind: Kind
    method: str
    public: bool = False
    query_key: bool = False  # a key may stand in the query, as Gemini's clients write it

    @property
    def allow(self) -> str:
        """The value of `Allow`."""
        return "GET, HEAD, OPTIONS" if self.method == "GET" else f"{self.method}, OPTIONS"


ROUTES: Final[dict[str, Route]] = {
    "/v1/chat/completions": Route("chat", "inference", "POST"),
    "/v1/completions": Route("completions", "inference", "POST"),
    "/v1/embeddings": Route("embeddings", "inference", "POST"),
    "/v1/moderations": Route("moderations", "inference", "POST"),
    "/v1/responses": Route("responses", "inference", "POST"),
    "/v1/messages": Route("messages", "inference", "POST"),
    "/v1/messages/count_tokens": Route("count_tokens", "inference", "POST"),
    "/v1/models": Route("models", "models", "GET"),
    "/v1beta/models": Route("models", "models", "GET", query_key=True),
    "/v1/key": Route("key", "key", "GET"),
    "/healthz": Route("healthz", "healthz", "GET", True),
    "/readyz": Route("readyz", "readyz", "GET", True),
}

MODEL_PATH: Final = "/v1/models/"  # and a model's id
MODEL_ROUTE: Final = Route("model", "model", "GET")
# Where one may be asked for: its id stands behind.
MODEL_PATHS: Final[dict[str, Route]] = {
    MODEL_PATH: MODEL_ROUTE,
    "/v1beta/models/": Route("model", "model", "GET", query_key=True),
}

# Gemini's routes have the model in the path, and what is to be done with it behind a colon.
METHODS: Final[dict[str, Route]] = {
    "generateContent": Route("generate", "inference", "POST", query_key=True),
    "streamGenerateContent": Route("generate", "inference", "POST", query_key=True),
    "countTokens": Route("google_count", "inference", "POST", query_key=True),
    "embedContent": Route("embed_content", "inference", "POST", query_key=True),
    "batchEmbedContents": Route("batch_embed", "inference", "POST", query_key=True),
}
# The last one for Vercel's SDK, which leaves `models/` out before an id that has a slash, and for `tunedModels/NAME`.
METHOD_PATHS: Final = ("/v1beta/models/", "/v1/models/", "/v1alpha/models/", "/v1beta/")


class Match(NamedTuple):
    """A route, and the model's id where the path holds one, with the method behind a colon for Gemini's."""

    route: Route
    model: str = ""


# Not for everybody: only where the port is this machine's own.
METRICS_PATH: Final = "/metrics"
METRICS: Final = Match(Route("metrics", "metrics", "GET", True))

_MATCHES: Final = {path: Match(route) for path, route in ROUTES.items()}


def match(path: str) -> Match | None:
    """The route of a path, or None."""
    found = _MATCHES.get(path)
    if found is not None:
        return found
    path = path.removeprefix("/v1") if path.startswith("/v1/v1/") else path
    path = path.removesuffix("/")
    if ":" in path:
        found = _method(path)
        if found is not None:
            return found
    for before, route in MODEL_PATHS.items():
        if path.startswith(before) and len(path) > len(before):
            try:
                return Match(route, unquote_to_bytes(path[len(before) :]).decode().rstrip("/"))
            except UnicodeDecodeError:
                return None
    return _MATCHES.get(path)


def _method(path: str) -> Match | None:
    """One of Gemini's, by the last colon: a model's id may have others."""
    for before in METHOD_PATHS:
        if path.startswith(before):
            route = METHODS.get(path.rpartition(":")[2])
            return None if route is None else Match(route, path[len(before) :])
    return None
