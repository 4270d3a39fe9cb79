"""What is fuzzed: every parser of the gateway, each with a function that takes any bytes and raises for what is wrong.

The functions need nothing but Python, so that the corpus is an ordinary test too; `run.py` gives them to atheris.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.fuzz import beside, client_side, dialect, files, framing, hub, names, provider_side

Target = Callable[[bytes], None]
CORPUS = Path(__file__).parent / "corpus"

TARGETS: dict[str, Target] = {
    "address": names.address,
    "admission": names.admission,
    "answer": hub.answer,
    "ask": hub.ask,
    "cuts": beside.cuts,
    "call": provider_side.call,
    "client": provider_side.client,
    "endpoint": names.endpoint,
    "fault": dialect.fault,
    "frames": framing.frames,
    "header": names.header,
    "journal": files.journal,
    "key": names.key,
    "reply": dialect.reply,
    "request": dialect.request,
    "retry_after": dialect.retry_after,
    "route": names.route,
    "server": client_side.server,
    "settings": files.settings,
    "sse": framing.sse,
    "tap": dialect.tap,
    "translate": hub.translate,
    "usage": dialect.usage,
    "vector_answer": beside.vector_answer,
    "vectors": beside.vectors,
    "watch": hub.watch,
}
