"""Secret: a string that does not show itself."""

from __future__ import annotations

import hmac
from typing import NoReturn

MASK = "***"


class Secret:
    """A credential. `str`, `repr` and `format` give `***`; only `.reveal()` gives the text.

    It refuses to be pickled (TypeError), and msgspec cannot encode it without the hook in `encke.config.wire`: a
    credential leaves the process only where someone wrote so.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        object.__setattr__(self, "_text", text)

    def reveal(self) -> str:
        """The text itself."""
        text: str = object.__getattribute__(self, "_text")
        return text

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a Secret cannot be changed")

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self), _bytes(other))

    def __hash__(self) -> int:
        return hash((Secret, self.reveal()))

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret cannot be pickled: hand it on with encke.config.wire, or not at all")


def _bytes(secret: Secret) -> bytes:
    """Comparable in constant time; `surrogatepass` because a variable may hold bytes that are no UTF-8."""
    return secret.reveal().encode("utf-8", "surrogatepass")
