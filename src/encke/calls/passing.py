"""What goes to a target and what comes back: as it is, where both speak the same dialect, else through the hub."""

from __future__ import annotations

import time
from typing import Final

import msgspec

from encke.calls.call import Call
from encke.calls.upstream import Target
from encke.core.chat import ChatReply, ChatRequest, CountReply
from encke.core.embed import EmbedReply, EmbedRequest
from encke.core.faults import Fault
from encke.core.usage import NO_USAGE, Usage
from encke.dialects.counting import text_size
from encke.dialects.faults import parse_fault, retry_advice
from encke.dialects.fit import fit
from encke.dialects.losses import is_idle
from encke.dialects.openai_chat.measure import content_bytes
from encke.dialects.places import Map, Places, is_placed
from encke.dialects.port import COUNT, Hub, HubReply, ProviderSide, Tap
from encke.dialects.results import moved_up
from encke.dialects.seals import unsealed
from encke.dialects.service import sent_service
from encke.dialects.table import PROVIDERS
from encke.dialects.translate import Translator
from encke.dialects.typed import check_size
from encke.framing.json_lines import JsonLinesSplitter
from encke.framing.sse import SseSplitter
from encke.ledger.settlement import BYTES_PER_TOKEN, estimate_tokens

REJECT: Final = "reject"
SEALED: Final = ("thinking",)  # what is named where thoughts are left out that another has sealed
# What bounds an answer, by any dialect's name. Some take 0 for no bound, some answer nothing then.
LIMITS: Final = ("max_tokens", "max_completion_tokens", "max_output_tokens")
MARKED: Final = b'"cache_control"'
ZERO: Final = msgspec.Raw(b"0")
# The dialects whose opaque things an operation takes back.
ORIGINS: Final = {
    "messages": "anthropic_messages", "responses": "openai_responses", "generate": "google_generate",
}  # fmt: skip


class Passage:
    """One attempt's. `native`: nothing is translated; `service`: the class of service that was really asked for."""

    __slots__ = ("_estimate", "_hub", "_max_event", "_provider", "native", "op", "service")

    def __init__(self, call: Call, target: Target) -> None:
        self.op = op = target.op(call.route)
        self.native = op == call.side.native
        self._provider: ProviderSide | None = PROVIDERS.get(op)
        self._hub: Hub | None = None
        self.service = ""
        self._estimate = 0
        self._max_event = call.side.max_event if self.native or self._provider is None else self._provider.max_event

    def request(self, call: Call, target: Target) -> tuple[list[bytes | memoryview], bytes]:
        """The body for upstream in pieces, and headers of its own. Raises Fault for what cannot be asked."""
        parsed = call.parsed
        assert parsed is not None
        call.dropped = ()
        if self.native:
            self.service = call.service
            opened = call.side.without_seals(parsed, call.unsealed)
            if opened is not None:
                parsed = opened
                if call.unsupported == REJECT:
                    raise _unsupported(call, target, SEALED)
                call.dropped = SEALED
            return call.side.render(parsed, target.model, target.traits), parsed.fields
        assert self._provider is not None
        try:
            hub = asked = asked_in_full(call)
        except Fault as fault:
            fault.verdict = "next"  # a target of the caller's own dialect need not read it
            raise
        dropped: tuple[str, ...] = ()
        bare: ChatRequest | None = None
        before: ChatRequest | None = None
        if isinstance(hub, ChatRequest):
            if parsed.output_limit:
                hub = msgspec.structs.replace(hub, max_tokens=parsed.output_limit)
            moved = moved_up(hub.messages)
            if moved is not hub.messages:
                hub = msgspec.structs.replace(hub, messages=moved)
            bare = unsealed(hub) if call.unsealed else None
            before = hub if bare is None else bare
            hub, dropped = fit(before, target.traits.capabilities)
        self._hub = hub
        rendered = self._provider.render(hub, target.model, target.traits)
        if rendered.dropped or dropped:
            places = _places(call, (*dropped, *rendered.dropped))
            both = [(dropped, before), (rendered.dropped, hub)]
            dropped = tuple(dict.fromkeys([name for names, of in both for name in _placed(call, places, names, of)]))
        if dropped and isinstance(asked, ChatRequest):
            dropped = tuple([name for name in dropped if not is_idle(asked, name, ORIGINS.get(self.op, ""))])
        if bare is not None and SEALED[0] not in dropped:
            dropped = (*dropped, *SEALED)
        if dropped:
            if call.unsupported == REJECT:
                raise _unsupported(call, target, dropped)
            call.dropped = dropped
        if call.service:
            self.service = sent_service(rendered.body)
        return [rendered.body], rendered.fields

    def is_sealed(self, call: Call) -> bool:
        """Whether there is something sealed in what was sent, that can be left out."""
        parsed = call.parsed
        assert parsed is not None
        if self.native:
            return call.side.without_seals(parsed, True) is not None
        return isinstance(call.hub, ChatRequest) and unsealed(call.hub) is not None

    def estimate(self, call: Call, size: int) -> int:
        """Tokens of the request, `size` bytes of which went out, in case nobody tells: nobody charges for counts, and
        of what is to be embedded only the texts are read."""
        if call.side.kind == COUNT:
            return 0
        if isinstance(self._hub, EmbedRequest):
            size = sum(
                [text_size(one) if isinstance(one, str) else BYTES_PER_TOKEN * len(one) for one in self._hub.inputs]
            )
        self._estimate = estimate_tokens(size)
        return self._estimate

    @property
    def lines(self) -> bool:
        """Whether streams come as lines of JSON, not as events."""
        return self._provider is not None and self._provider.framing == "json_lines"

    def splitter(self) -> SseSplitter | JsonLinesSplitter:
        """For the stream that comes back."""
        limit = self._max_event
        return JsonLinesSplitter(limit) if self.lines else SseSplitter(limit)

    def tap(self, call: Call) -> Tap:
        """For the stream that comes back."""
        parsed = call.parsed
        assert parsed is not None
        if self.native:
            return call.side.tap(parsed)
        assert self._provider is not None and self._hub is not None
        reader = self._provider.reader(self._hub, call.id)
        self._hub = None
        if call.shows_cost:
            parsed.include_usage = True  # the cost stands there
        return Translator(reader, call.side.writer(parsed, call.id, call.started_ms // 1000))

    def answer(self, call: Call, body: bytes) -> tuple[bytes, Usage | None, str]:
        """A whole answer with status 200: what goes to the client, its usage, and why it ended. Raises Fault."""
        parsed = call.parsed
        assert parsed is not None
        if self.native:
            reply = call.side.read_reply(body)
            usage = NO_USAGE if call.side.kind == COUNT else reply.usage
            return body, usage, reply.finish_reason
        assert self._provider is not None and self._hub is not None
        found = self._provider.read_reply(body, self._hub, call.id)
        if isinstance(found, EmbedReply) and found.usage is None:
            found = msgspec.structs.replace(found, usage=Usage(input=self._estimate, estimated=True))
        usage, finish = _told(found)
        return call.side.render_reply(found, parsed, call.id, call.started_ms // 1000), usage, finish

    def fault(self, status: int, body: bytes, headers: dict[bytes, bytes]) -> Fault:
        """What an answer that is no success means."""
        advice = retry_advice(headers, time.time())
        if self._provider is None:
            return parse_fault(status, body, advice)
        return self._provider.read_fault(status, body, advice)

    def content_bytes(self, body: bytes) -> int:
        """How much of an answer there is in a body that is no stream, or in a part of one."""
        return content_bytes(body) if self._provider is None else self._provider.content_bytes(body)


def asked_in_full(call: Call) -> Hub:
    """What is asked in no dialect's words, read once. Raises Fault."""
    if call.hub is None:
        parsed = call.parsed
        assert parsed is not None
        check_size(parsed.data)
        for name in LIMITS:
            if parsed.body.get(name) == ZERO:
                raise Fault("invalid_value", f"`{name}` must be 1 or more for this model.", param=name)
        # Many providers know no marks: to note all places costs little beside another reading.
        parsed.places = Places() if MARKED in parsed.data else None
        hub = call.side.to_hub(parsed)
        if isinstance(hub, ChatRequest) and not hub.messages:
            raise Fault("invalid_value", "There must be at least one message.", param="messages")
        call.hub = hub
    return call.hub


def _places(call: Call, names: tuple[str, ...]) -> Map | None:
    """Where in the caller's own body things stand; None if no name is a place."""
    parsed, asked = call.parsed, call.hub
    if not isinstance(asked, ChatRequest) or parsed is None or not any(is_placed(name) for name in names):
        return None
    return call.side.places(parsed, asked)


def _placed(call: Call, places: Map | None, names: tuple[str, ...], request: Hub | None) -> tuple[str, ...]:
    """Names of what `request` lost, with its places in the caller's own body."""
    if places is None or not isinstance(request, ChatRequest):
        return names
    field = call.side.cache_field
    return tuple([places.told(name, request, field) for name in names])


def _told(reply: HubReply) -> tuple[Usage | None, str]:
    if isinstance(reply, CountReply):
        return NO_USAGE, ""
    if isinstance(reply, ChatReply) and reply.choices:
        first = reply.choices[0]
        return reply.usage, first.finish_raw or first.finish or ""
    return reply.usage, ""


def _unsupported(call: Call, target: Target, dropped: tuple[str, ...]) -> Fault:
    names = [call.side.shown_name(name) for name in dropped[:20]]
    ours = call.grant is not None and call.grant.on_unsupported == REJECT
    ways = "this key lets nothing be left out unseen" if ours else "allow that it is: x-encke-unsupported: warn"
    return Fault(
        "unsupported_parameter",
        f"The model `{call.asked}` cannot be asked for {', '.join(f'`{name}`' for name in names)} at the provider "
        f"`{target.upstream.name}`. Leave it out{'; ' if ours else ', or '}{ways}.",
        param=names[0],
        verdict="next",
    )
