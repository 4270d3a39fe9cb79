"""What a provider's models cost: by its settings, else by its list in the price file, else nobody knows."""

from __future__ import annotations

from encke.catalogue.prices import PriceBook
from encke.catalogue.pricing import FREE, UNPRICED, Pricing, always, own_price
from encke.config.prices import PriceSetting
from encke.providers.provider import Provider


def own_pricing(setting: PriceSetting) -> Pricing:
    """What a setting says."""
    if setting == "free":
        return FREE
    return always(own_price(setting.given, [(tier.above, tier.given) for tier in setting.tiers]))


class ProviderPrices:
    """Raises PriceFileError if the provider has a list and it cannot be read."""

    __slots__ = ("_list", "_other", "_own")

    def __init__(self, provider: Provider, book: PriceBook) -> None:
        self._own = {model: own_pricing(setting) for model, setting in provider.prices.items()}
        self._other = None if provider.price is None else own_pricing(provider.price)
        self._list = book.find(provider.price_list) if provider.price_list else None

    def pricing(self, model: str) -> Pricing:
        """Highest first: the model's own price, that of all, the list's."""
        own = self._own.get(model) or self._other
        if own is not None:
            return own
        return UNPRICED if self._list is None else self._list.pricing(model)
