"""What models there are: the catalogue's names, and what providers say they offer, asked again every five minutes."""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from encke.calls.allowed import allowed, check_model
from encke.calls.upstream import Upstream
from encke.catalogue.catalogue import LOCAL, Catalogue, Model, TargetName
from encke.catalogue.shown import shown
from encke.core.clock import monotonic
from encke.core.faults import Fault
from encke.dialects.port import CHAT, EMBED
from encke.dialects.table import PROVIDERS
from encke.http.drive import Driver, Signal
from encke.http.fetch import fetch
from encke.keys.grant import Rules
from encke.worker.listing import MAX_PAGES, Listed, next_request, read_page
from encke.worker.shapes import CHAT as PLAIN_SHAPE
from encke.worker.shapes import Shown, details, one, page

FRESH_SECONDS: Final = 300.0
RETRY_SECONDS: Final = 15.0
# How long a provider may take, and how long a caller waits for those that have not answered yet.
PATIENCE_SECONDS: Final = 10.0
WAIT_SECONDS: Final = 2.0
MAX_LIST = 4 << 20
MAX_MODELS = 10_000


class Discovery:
    """Asks each provider for its list of models, and tells the catalogue.

    `gets` maps a provider to the GET of its list, one for each credential: the next is for when one is refused.
    Providers whose models are configured are not asked.
    """

    def __init__(
        self, catalogue: Catalogue, upstreams: Mapping[str, Upstream], gets: Mapping[str, Sequence[bytes]]
    ) -> None:
        self._catalogue = catalogue
        self._upstreams = upstreams
        self._gets = gets
        self._due: dict[str, float] = dict.fromkeys(gets, 0.0)
        self._asking: dict[str, Driver] = {}
        self._waiting: list[Signal[None]] = []
        self._answered: set[str] = set()
        self._slow: set[str] = set()  # those that a caller has waited for in vain
        self._details: dict[tuple[str, str], Listed] = {}
        self._engine_away = False  # it was asked, and nobody answers; one that is only slow is there

    def inherit(self, old: Discovery) -> None:
        """Know what `old` has found out, of the upstreams that are still the same."""
        for name, upstream in self._upstreams.items():
            if name not in self._gets or old._upstreams.get(name) is not upstream or name not in old._gets:
                continue
            self._due[name] = old._due[name] if name not in old._asking else 0.0
            if name in old._answered:
                self._answered.add(name)
            elif name in old._slow:
                self._slow.add(name)
            if name in old._catalogue.offered:
                self._catalogue.offer(name, old._catalogue.offered[name])
        self._details = {key: item for key, item in old._details.items() if key[0] in self._gets}
        self._engine_away = old._engine_away

    async def discover(self) -> None:
        """Ask whoever has not been asked lately, and wait a moment for those that have not answered yet.

        Nobody is waited for in vain twice: what a slow provider says is known to those who ask later.
        """
        now = monotonic()
        for name in self._gets:
            if self._due[name] <= now and name not in self._asking:
                self._due[name] = now + RETRY_SECONDS
                driver = self._asking[name] = Driver(self._ask(name, now + PATIENCE_SECONDS), _ignore)
                driver.start()
        if not self._awaited():
            return
        signal: Signal[None] = Signal()
        self._waiting.append(signal)
        alarm = get_running_loop().call_later(WAIT_SECONDS, self._give_up, signal)
        try:
            await signal
        finally:
            alarm.cancel()
            if signal in self._waiting:
                self._waiting.remove(signal)

    def _awaited(self) -> bool:
        """Whether somebody is being asked who has not answered yet, and whom nobody has waited for in vain."""
        return any(name not in self._answered and name not in self._slow for name in self._asking)

    def _give_up(self, signal: Signal[None]) -> None:
        self._slow.update(self._asking)
        signal.set(None)

    @property
    def missing(self) -> list[str]:
        """The providers that were asked for their list and have not given one."""
        return sorted(name for name in self._gets if name not in self._answered and name != LOCAL)

    async def _ask(self, name: str, deadline: float) -> None:
        try:
            listed = None
            for get in self._gets[name]:
                listed = await self._pages(self._upstreams[name], get, deadline)
                if listed is not None:
                    self._take(name, listed)
                    break
            if name == LOCAL:
                self._engine_away = listed is None
        except (Fault, msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            if name == LOCAL:
                self._engine_away = not (isinstance(error, Fault) and error.code == "upstream_timeout")
        finally:
            self._asking.pop(name, None)
            if not self._awaited():
                waiting, self._waiting = self._waiting, []
                for signal in waiting:
                    signal.set(None)

    async def _pages(self, upstream: Upstream, get: bytes, deadline: float) -> list[Listed] | None:
        """All pages of a list; None if the first is refused. One that is refused later is the end."""
        found: list[Listed] = []
        request = get
        for number in range(MAX_PAGES):
            status, body = await fetch(upstream.pool, request, MAX_LIST, deadline)
            if status != 200:
                return found if number else None
            page = read_page(body)
            found += page.models
            if page.after is None or len(found) >= MAX_MODELS:
                break
            request = next_request(get, page.after)
        return found

    def _take(self, name: str, listed: Sequence[Listed]) -> None:
        items = {item.id: item for item in listed[:MAX_MODELS]}
        # In place of what it said before: who lists other names every time would have them all remembered.
        known = {key: item for key, item in self._details.items() if key[0] != name}
        known.update({(name, id): item for id, item in items.items()})
        self._details = known
        self._catalogue.offer(name, items)
        self._due[name] = monotonic() + FRESH_SECONDS
        self._answered.add(name)
        self._slow.discard(name)

    def record(self, model: Model, now_ms: int = 0) -> dict[str, object]:
        """A model in OpenAI's shape; with a time, also what each of its targets costs then."""
        first = model.targets[0]
        item = self._details.get((first.provider, first.model))
        created = item.created if item is not None else 0
        found: dict[str, object] = {
            "id": model.name, "object": "model", "created": created, "owned_by": model.owner or "encke",
        }  # fmt: skip
        if now_ms:
            found["prices"] = [self._price(target, now_ms) for target in model.targets]
        return found

    def _price(self, target: TargetName, now_ms: int) -> dict[str, object]:
        """Of a target; null if it has none."""
        pricing = target.pricing or self._upstreams[target.provider].prices.pricing(target.model)
        price = pricing.at(now_ms)
        shown_price = None if price is None else shown(price)
        return {"provider": target.provider, "model": target.model, "price": shown_price}

    def shown(self, model: Model) -> Shown:
        """A model with what is known of its first target: by the settings, by our own data, by its provider's list."""
        first = model.targets[0]
        upstream = self._upstreams[first.provider]
        said = upstream.traits_of(first.model).capabilities
        item = self._details.get((first.provider, first.model), Listed(first.model))
        said = msgspec.structs.replace(
            said, context=said.context or item.context, max_output=said.max_output or item.max_output
        )
        said = msgspec.structs.replace(said, **first.capabilities) if first.capabilities else said
        kinds = {PROVIDERS[op].kind for op in upstream.heads if op in PROVIDERS}
        return Shown(model.name, item.created, item.title, said, CHAT in kinds, EMBED in kinds)

    def list(self, rules: tuple[Rules, ...] = (), now_ms: int = 0) -> dict[str, object]:
        """All models that these rules allow, as `record` has them; the embedded one unless its engine is away."""
        return {"object": "list", "data": [self.record(model, now_ms) for model in self._allowed(rules)]}

    def page(self, shape: str, query: bytes, rules: tuple[Rules, ...] = ()) -> dict[str, Any]:
        """A page of the same in another dialect's shape. Raises Fault invalid_value."""
        models = self._allowed(rules)
        return page(shape, [model.name for model in models], lambda at: self.shown(models[at]), query)

    def _allowed(self, rules: tuple[Rules, ...]) -> Sequence[Model]:
        models = [model for model in self._catalogue.names() if self._shown(model)]
        if rules:
            catalogue = self._catalogue
            models = [model for model in models if allowed(catalogue, rules, model.name, model)]
        return models

    def find(
        self, name: str, rules: tuple[Rules, ...] = (), now_ms: int = 0, shape: str = PLAIN_SHAPE
    ) -> dict[str, object]:
        """One model, with what it can do. Raises Fault model_not_allowed; model_not_found, also for a name that its
        provider does not list."""
        if rules:
            check_model(self._catalogue, rules, name, self._catalogue.find(name))
        model = self._catalogue.resolve(name)
        first = model.targets[0]
        offered = self._catalogue.offered.get(first.provider)
        if name not in self._catalogue.aliases and offered and first.model not in offered:
            raise Fault(
                "model_not_found",
                f"The provider `{first.provider}` does not list a model `{first.model}`.",
                param="model",
            )
        shown = self.shown(model)
        if shape != PLAIN_SHAPE:
            return one(shape, shown)
        return {**self.record(model, now_ms), **details(shown)}

    def _shown(self, model: Model) -> bool:
        return model.name != LOCAL or not self._engine_away


def _ignore(error: BaseException | None) -> None:
    """`_ask` catches what may happen; anything else must not vanish."""
    if error is not None:
        raise error
