"""The shape of a key, and its digest.

A key that Encke made is `sk-enc-<12 public>-<43 secret><6 checksum>` in base62 (`0-9A-Za-z`): 43 digits hold 256 random
bits, the checksum is the CRC-32 of everything before it. The public part names the key in lists and in the ledger; the
checksum tells a typing error from a stranger's key without a look into any table. An operator may also bring a key of
their own: any `sk-…` of 32 printable ASCII characters or more.

Only the digest is stored: HMAC-SHA-256 of the whole key under the pepper. Against 256 random bits a slow hash adds
nothing.
"""

from __future__ import annotations

import hmac
import os
import re
import zlib
from typing import NamedTuple

PREFIX = "sk-enc-"
FOREIGN_PREFIX = "sk-"
FOREIGN_MIN = 32
ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PUBLIC_LEN = 12
SECRET_LEN = 43
CHECKSUM_LEN = 6
LENGTH = len(PREFIX) + PUBLIC_LEN + 1 + SECRET_LEN + CHECKSUM_LEN

_PUBLIC_AT = len(PREFIX)
_DASH_AT = _PUBLIC_AT + PUBLIC_LEN
_SHAPE = re.compile(rf"{PREFIX}[0-9A-Za-z]{{{PUBLIC_LEN}}}-[0-9A-Za-z]{{{SECRET_LEN + CHECKSUM_LEN}}}", re.ASCII)
_FOREIGN = re.compile(rf"{FOREIGN_PREFIX}[\x21-\x7e]{{{FOREIGN_MIN - len(FOREIGN_PREFIX)},}}", re.ASCII)


class NewKey(NamedTuple):
    """A key just made: its public id, and the whole key, which is shown once and never stored."""

    public_id: str
    secret: str


def base62(number: int, length: int) -> str:
    """`number` in exactly `length` base62 digits, highest first; what does not fit is cut off at the top."""
    digits = []
    for _ in range(length):
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def checksum(text: str) -> str:
    """CRC-32 of `text` (ASCII) in 6 base62 digits."""
    return base62(zlib.crc32(text.encode("ascii")), CHECKSUM_LEN)


def mint(public: str = "") -> NewKey:
    """A fresh key from the system's randomness; `public` if it is to be another secret of a key that has this id."""
    if not public:
        # 16 bytes are 57 bits more than 12 digits need, so that the remainder is as good as even.
        public = base62(int.from_bytes(os.urandom(16), "big") % 62**PUBLIC_LEN, PUBLIC_LEN)
    secret = base62(int.from_bytes(os.urandom(32), "big"), SECRET_LEN)
    body = f"{PREFIX}{public}-{secret}"
    return NewKey(public, body + checksum(body))


def typo(key: str) -> str | None:
    """Why a key that begins with `sk-enc-` cannot be one that Encke made; null if it can, or begins otherwise.

    The sentence quotes nothing of the key: it goes into answers and logs.
    """
    if not key.startswith(PREFIX):
        return None
    if len(key) != LENGTH:
        return f"a key has {LENGTH} characters, this one has {len(key)}; it may have been cut or extended when copied"
    if not _SHAPE.fullmatch(key):
        tail = SECRET_LEN + CHECKSUM_LEN
        return f"it does not read {PREFIX}<{PUBLIC_LEN} letters or digits>-<{tail} letters or digits>"
    if checksum(key[:-CHECKSUM_LEN]) != key[-CHECKSUM_LEN:]:
        return "its checksum does not match; at least one character was mistyped"
    return None


def minted(key: str) -> bool:
    """Whether `key` has the shape and the checksum of a key that Encke made."""
    return key.startswith(PREFIX) and typo(key) is None


def acceptable(key: str) -> bool:
    """Whether `key` may be stored: a minted one, or any `sk-…` of 32 or more printable ASCII characters, no space."""
    return _FOREIGN.fullmatch(key) is not None


def digest(pepper: bytes, key: str) -> bytes:
    """HMAC-SHA-256 of the whole key under the pepper: 32 bytes, what the store holds and what a lookup goes by."""
    return hmac.digest(pepper, key.encode("utf-8", "surrogatepass"), "sha256")


def public_id(pepper: bytes, key: str) -> str:
    """The key's name in lists and in the ledger, 12 base62 digits: its public part, or for an operator's own key a
    shortened digest. (Only under the pepper: a bare hash of a guessable key would let anybody check a guess.)"""
    if minted(key):
        return key[_PUBLIC_AT:_DASH_AT]
    return base62(int.from_bytes(hmac.digest(pepper, b"public id:" + key.encode(), "sha256"), "big"), PUBLIC_LEN)
