"""Lists of models as providers give them, in whatever shape, a page at a time.

{"data": [{"id"}]} of OpenAI and most others, or the bare list; Anthropic's with `has_more` and `last_id`; Google's
{"models": [{"name": "models/ID"}], "nextPageToken"}, Cohere's with `next_page_token`, Ollama's {"models": [{"name"}]}.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

MAX_PAGES: Final = 20

# Where providers say how many tokens a model reads and writes together, and how many it writes at most: Anthropic,
# Google, Cohere and OpenRouter, Mistral, Groq, vLLM; Anthropic, Google, Groq.
_CONTEXT: Final = (
    "max_input_tokens", "inputTokenLimit", "context_length", "max_context_length", "context_window", "max_model_len",
)  # fmt: skip
_OUTPUT: Final = ("max_tokens", "outputTokenLimit", "max_completion_tokens")
_PREFIX: Final = "models/"


class Listed(NamedTuple):
    """A model as its provider lists it; `created` in UTC seconds. What is not said is 0 or empty."""

    id: str
    created: int = 0
    title: str = ""
    context: int = 0
    max_output: int = 0


class Page(NamedTuple):
    """`after` is the parameter that asks for the next page, and its value; None: there is none."""

    models: list[Listed]
    after: tuple[str, str] | None = None


class _Page(msgspec.Struct):
    data: list[dict[str, Any]] | None = None
    models: list[dict[str, Any]] | None = None
    has_more: Any = None
    last_id: Any = None
    next_page_token: Any = None
    nextPageToken: Any = None


_page = msgspec.json.Decoder(_Page | list[dict[str, Any]])


def read_page(body: bytes) -> Page:
    """Raises msgspec.DecodeError for what is no list of models."""
    page = _page.decode(body)
    if isinstance(page, list):
        return Page(_all(page, "id"))
    if page.data is not None:
        more = page.has_more is True and isinstance(page.last_id, str) and page.last_id
        return Page(_all(page.data, "id"), ("after_id", str(page.last_id)) if more else None)
    if page.models is None:
        raise msgspec.ValidationError("no list of models")
    found = _all(page.models, "name")
    for name, token in (("pageToken", page.nextPageToken), ("page_token", page.next_page_token)):
        if isinstance(token, str) and token:
            return Page(found, (name, token))
    return Page(found)


def next_request(request: bytes, after: tuple[str, str]) -> bytes:
    """The request of a list (its whole head) for the page behind."""
    method, at, rest = request.split(b" ", 2)
    name, value = after
    sign = b"&" if b"?" in at else b"?"
    return b"%b %b%b%b=%b %b" % (method, at, sign, name.encode(), quote(value, safe="").encode(), rest)


def _all(items: list[dict[str, Any]], key: str) -> list[Listed]:
    return [found for item in items if (found := _listed(item, key)) is not None]


def _listed(item: dict[str, Any], key: str) -> Listed | None:
    id = item.get(key)
    if not isinstance(id, str) or not id:
        return None
    title = next((text for name in ("display_name", "displayName") if isinstance(text := item.get(name), str)), "")
    context = max(_tokens(item, _CONTEXT), 0)
    return Listed(
        id.removeprefix(_PREFIX) if key == "name" else id, _created(item), title, context, _tokens(item, _OUTPUT)
    )


def _tokens(item: dict[str, Any], names: tuple[str, ...]) -> int:
    for name in names:
        value = item.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 40:
            return value
    return 0


def _created(item: dict[str, Any]) -> int:
    created = item.get("created")
    if isinstance(created, int) and not isinstance(created, bool):
        return created
    text = item.get("created_at")
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        return 0 if moment is None else int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return 0
