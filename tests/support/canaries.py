"""Canaries: random texts that stand where secrets stand, so that whatever lets one out is seen.

They are new in every run of the tests. `PLANTED` says where each is put; `tests/support/evidence.py` looks for all of
them, at the end of every run, in everything that the gateways of the run have left.
"""

from __future__ import annotations

import secrets
import string

_LETTERS = string.ascii_letters + string.digits

PLANTED = {
    "bootstrap_key": "the first key of every gateway, in ENCKE_BOOTSTRAP_KEY and in its callers' requests",
    "provider_key": "the key of the provider `lab`, written in the settings",
    "relay_key": "the key of the providers in tests/relay",
    "variable_key": "a provider's key that the settings take from a variable",
    "usual_key": "a provider's key in its usual variable",
    "environment": "a variable that is none of ours",
    "provider_header": "the value of a provider's extra header",
    "plain_provider_key": "a provider's key that looks like no key: no prefix",
    "user_agent": "the User-Agent of every caller in these tests",
    "cookie": "a caller's cookie",
    "caller_header": "a header nobody knows",
    "forwarded": "a caller's X-Forwarded-For",
    "query": "a query string",
    "system_prompt": "the system message",
    "prompt": "the user's message, which is also the answer's text, since the upstream echoes it",
    "history": "what the assistant is said to have said",
    "tool": "the description of a tool",
    "arguments": "the arguments of a tool call",
    "image": "the address of an image",
    "metadata": "a value in `metadata`",
    "user": "the field `user`",
    "stop_word": "a stop sequence",
    "unknown_field": "a field nobody knows",
    "completion": "the prompt of a completion",
    "embedding": "the input of an embedding",
    "moderation": "the input of a moderation",
    "upstream_header": "a cookie and an id that the upstream sets",
    "broken_json": "a body that is not JSON",
    "wrong_type": "a value of the wrong type",
    "strangers_key": "a key that nobody has",
    "query_key": "a key in the query string",
    "path_key": "a key in the path",
    "two_keys": "a second key beside the first",
    "no_bearer": "a key with a scheme that is none",
}


def _random(name: str) -> str:
    # No part of it may be a word of ours: nothing but chance.
    return "".join(secrets.choice(_LETTERS) for _ in range(40))


VALUES = {name: _random(name) for name in PLANTED}


def canary(name: str) -> str:
    """The text of a canary of `PLANTED`: 40 random letters and digits."""
    return VALUES[name]
