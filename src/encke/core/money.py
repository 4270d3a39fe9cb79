"""Money: prices are whole pico-dollars per token, amounts whole nano-dollars. No floats, anywhere.

A pico-dollar per token is a micro-dollar per million tokens, so price lists ($0.0375 per million = 37,500) convert
exactly. The cost of an attempt is the sum of tokens times price, rounded up once.
"""

from __future__ import annotations

from typing import Final

import msgspec

from encke.core.usage import Usage

NANO: Final = 10**9  # nano-dollars in a dollar
PICO_IN_NANO: Final = 1000
_ZEROS: Final = "0" * 10

_pack: Final = msgspec.msgpack.Encoder().encode
_unpack: Final = msgspec.msgpack.Decoder(tuple[str, tuple[int, ...], tuple[tuple[int, tuple[int, ...]], ...]])

# The order of a price's rates. `request` is nano-dollars for each request, the others pico-dollars per token.
RATES: Final = (
    "input", "cache_read", "cache_write_5m", "cache_write_1h", "audio_input", "image_input",
    "output", "reasoning", "audio_output", "image_output", "request",
)  # fmt: skip


class Price:
    """What a model's tokens cost. `rates` in the order of `RATES`; `tiers` are (above so many tokens read,
    rates), rising.

    In a tier all of a request's tokens cost the tier's rates. `packed` is the whole as msgpack, for a journal's record.
    """

    __slots__ = ("free", "packed", "rates", "tiers", "version")

    def __init__(
        self, version: str, rates: tuple[int, ...], tiers: tuple[tuple[int, tuple[int, ...]], ...] = ()
    ) -> None:
        self.version = version
        self.rates = rates
        self.tiers = tiers
        self.free = not any(rates) and not any(any(each) for _, each in tiers)
        self.packed = _pack((version, rates, tiers))

    @property
    def request(self) -> int:
        """Nano-dollars for each request."""
        return self.rates[10]

    def cost(self, usage: Usage) -> int:
        """Nano-dollars, rounded up."""
        rates = self.rates
        if self.tiers:
            total = usage.total_input
            for above, each in self.tiers:
                if total > above:
                    rates = each
        pico = (
            usage.input * rates[0]
            + usage.cache_read * rates[1]
            + usage.cache_write_5m * rates[2]
            + usage.cache_write_1h * rates[3]
            + usage.audio_input * rates[4]
            + usage.image_input * rates[5]
            + usage.output * rates[6]
            + usage.reasoning * rates[7]
            + usage.audio_output * rates[8]
            + usage.image_output * rates[9]
        )
        return -(-pico // PICO_IN_NANO) + rates[10]

    def bound(self, read: int, written: int, worst: bool) -> int:
        """Nano-dollars that so many tokens read and written cost at text's rates; at the dearest of all if `worst`."""
        rates = self.rates
        if not worst:
            return -(-(read * rates[0] + written * rates[6]) // PICO_IN_NANO) + rates[10]
        lists = [rates, *(each for _, each in self.tiers)]
        into = max(max(each[:6]) for each in lists)
        out = max(max(each[6:10]) for each in lists)
        return -(-(read * into + written * out) // PICO_IN_NANO) + max(each[10] for each in lists)


def dearer(one: Price, other: Price) -> Price:
    """A price that costs as much as the dearer of two, rate by rate; one of the two, if it does."""
    starts = sorted({above for above, _ in (*one.tiers, *other.tiers)})
    rates = _most(one.rates, other.rates)
    tiers = tuple([(above, _most(_rates_at(one, above), _rates_at(other, above))) for above in starts])
    for each in (one, other):
        if each.rates == rates and each.tiers == tiers:
            return each
    return Price(one.version, rates, tiers)


def _most(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple([first if first > second else second for first, second in zip(one, other, strict=True)])


def _rates_at(price: Price, above: int) -> tuple[int, ...]:
    """Those of its highest tier up to `above`."""
    found = price.rates
    for start, rates in price.tiers:
        if start <= above:
            found = rates
    return found


def dollars(nano: int) -> str:
    """An amount exactly, as a decimal of dollars without needless zeros: `0`, `0.000123456`, `-1.5`."""
    if nano < 0:
        return "-" + dollars(-nano)
    # Not by a format: this is told of every call.
    digits = str(nano)
    if len(digits) < 10:
        digits = _ZEROS[len(digits) :] + digits
    return f"{digits[:-9]}.{digits[-9:]}".rstrip("0").rstrip(".")


def shown(nano: int) -> str:
    """An amount exactly, for a sentence: `$25.00`, `$0.000123456`, `-$1.50`."""
    whole, rest = divmod(abs(nano), NANO)
    digits = f"{rest:09}".rstrip("0").ljust(2, "0")
    return f"{'-' if nano < 0 else ''}${whole}.{digits}"


def unpack(packed: bytes) -> Price:
    """A price that was packed. Raises msgspec.DecodeError."""
    version, rates, tiers = _unpack.decode(packed)
    return Price(version, rates, tiers)
