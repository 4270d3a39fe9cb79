"""The named behaviours of the fake upstream, and how a request picks one.

A request names its behaviour in one of three ways, so that it works through a gateway too:
- the model: `fault-reset-mid-stream` is `reset_mid_stream`;
- the path: `/behave/reset_mid_stream/v1/chat/completions` (give the gateway such a base URL);
- the last user message: `behave: {"name": "slow_chunks", "chunks": 50, "interval": 0.1}`, any field of `Options`.
Otherwise the answer is polite: a chat in the wire that the path tells (`wires.table`), embeddings, a count of tokens,
the list of models. To refuse connections there is `FakeUpstream.refuse`.
"""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec

from encke.testing import wire
from encke.testing.faults import FAULTS, Behaviour
from encke.testing.oddities import ODDITIES
from encke.testing.polite import Options, envelope
from encke.testing.request import Request
from encke.testing.script import Script, Send
from encke.testing.wires.side import beside
from encke.testing.wires.table import answer_to, wire_of

__all__ = ["BEHAVIOURS", "Options", "by_request", "early_by_request", "named"]

BEHAVIOURS: dict[str, Behaviour] = {**ODDITIES, **FAULTS}

_PATH = re.compile(r"/behave/(\w+)/")
_MODEL = re.compile(r"fault-([\w-]+)\Z")
_EARLY = re.compile(rb'"model"\s*:\s*"fault-(early[\w-]+)"')
_MESSAGE = re.compile(r"behave:\s*(?=\{)")


def named(request: Request, options: Options) -> Script:
    """The script of the behaviour that `options` names; a 400 that lists all names if there is none of that name."""
    behave = BEHAVIOURS.get(options.name)
    if behave is None:
        known = ", ".join(sorted(BEHAVIOURS))
        return _error(400, f"the fake upstream has no behaviour {options.name!r}; it has: {known}")
    answer = answer_to(request, options)
    return Script(behave(answer), options.name, answer.prompt_tokens)


def by_request(request: Request) -> Script:
    """The script that the request asks for."""
    if (found := beside(request)) is not None and _no_fault(request):
        return Script([Send(wire.json_response(200, found))], name="beside")
    if request.method != "POST" or (found is None and wire_of(request) is None):
        return _error(404, f"the fake upstream has nothing at {request.method} {request.path}")
    try:
        return named(request, _options(request))
    except msgspec.DecodeError as error:
        return _error(400, f"the fake upstream cannot read the options in the message: {error}")


def early_by_request(request: Request) -> Script | None:
    """The script of a behaviour that answers before the body has come, if the request names one."""
    path, model = _PATH.match(request.path), _EARLY.search(request.body[:4096])
    name = path.group(1) if path else _name(model.group(1).decode()) if model else ""
    return named(request, Options(name=name)) if name.startswith("early_") else None


def _options(request: Request) -> Options:
    path, model = _PATH.match(request.path), _MODEL.search(request.model or "")
    name = path.group(1) if path else _name(model.group(1)) if model else "polite"
    found = _MESSAGE.search(request.last_user)
    given = _first_object(request.last_user[found.end() :]) if found else {}
    return msgspec.convert({"name": name, **given}, Options)


def _no_fault(request: Request) -> bool:
    return not (_PATH.match(request.path) or _MODEL.search(request.model or ""))


def _first_object(text: str) -> Any:
    """The JSON at the beginning of a text, whatever comes after it."""
    try:
        return json.JSONDecoder().raw_decode(text)[0]
    except ValueError as error:
        raise msgspec.DecodeError(str(error)) from None


def _name(text: str) -> str:
    return text.replace("-", "_")


def _error(status: int, message: str) -> Script:
    body = envelope("invalid_request_error", "fake_upstream", message)
    return Script([Send(wire.json_response(status, body))], name=f"error_{status}")
