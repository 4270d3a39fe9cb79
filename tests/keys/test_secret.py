"""The shape of a key and its digest."""

from __future__ import annotations

import hashlib
import hmac
import re
import string

from hypothesis import given
from hypothesis import strategies as st

from encke.keys import secret

PEPPER = bytes(range(32))
# Made by an independent computation of CRC-32 and base62; guards the format against a change of both sides at once.
KNOWN_BODY = "sk-enc-0123456789AB-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefg"
keys = st.builds(secret.mint)


def independent_checksum(body: str) -> str:
    """CRC-32 by the bit-wise definition (IEEE 802.3, reflected), in base62."""
    crc = 0xFFFFFFFF
    for byte in body.encode():
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0xEDB88320 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    return "".join(alphabet[crc // 62**place % 62] for place in range(5, -1, -1))


@given(keys)
def test_minted_key_has_the_shape(made: secret.NewKey) -> None:
    """A minted key has the documented shape, is accepted, and names its public id."""
    assert re.fullmatch(r"sk-enc-[0-9A-Za-z]{12}-[0-9A-Za-z]{49}", made.secret)
    assert len(made.secret) == secret.LENGTH == 69
    assert secret.minted(made.secret) and secret.typo(made.secret) is None and secret.acceptable(made.secret)
    assert secret.public_id(PEPPER, made.secret) == made.public_id == made.secret[7:19]
    assert made.secret[-6:] == independent_checksum(made.secret[:-6])


def test_known_key() -> None:
    """A fixed key keeps its checksum from version to version."""
    key = KNOWN_BODY + independent_checksum(KNOWN_BODY)
    assert secret.minted(key)
    assert secret.public_id(PEPPER, key) == "0123456789AB"


def test_minted_keys_differ() -> None:
    """No two minted keys share a public id or a secret, and every digit occurs in every place."""
    made = [secret.mint() for _ in range(3000)]
    assert len({key.public_id for key in made}) == len({key.secret for key in made}) == 3000
    for place in range(7, 19):
        assert len({key.secret[place] for key in made}) == 62


@given(keys, st.integers(0, 68), st.sampled_from(secret.ALPHABET + "-_ \u00e9"))
def test_one_wrong_character_is_a_typo(made: secret.NewKey, at: int, char: str) -> None:
    """Any single wrong character behind the prefix is told as a typing error, and the message does not hold the key."""
    wrong = made.secret[:at] + char + made.secret[at + 1 :]
    if wrong == made.secret or not wrong.startswith(secret.PREFIX):
        return
    reason = secret.typo(wrong)
    assert reason is not None and not secret.minted(wrong)
    assert made.secret[20:30] not in reason


@given(keys, st.integers(7, 67))
def test_a_cut_key_is_a_typo(made: secret.NewKey, length: int) -> None:
    """A key that was cut, or has something appended, is told by its length."""
    assert "characters" in (secret.typo(made.secret[:length]) or "")
    assert "70" in (secret.typo(made.secret + "x") or "")


def test_swapped_neighbours_are_a_typo() -> None:
    """Two neighbouring characters swapped fail the checksum."""
    key = KNOWN_BODY + independent_checksum(KNOWN_BODY)
    assert "checksum" in (secret.typo(key[:30] + key[31] + key[30] + key[32:]) or "")


def test_typo_says_nothing_of_foreign_keys() -> None:
    """A key that does not begin as ours do is not judged."""
    assert secret.typo("sk-proj-whatever") is None
    assert not secret.minted("sk-proj-whatever")


def test_foreign_keys() -> None:
    """Any `sk-…` of 32 printable ASCII characters is acceptable; shorter, spaced, or otherwise begun is not."""
    good = "sk-" + "x" * 29
    assert secret.acceptable(good)
    assert secret.acceptable("sk-enc-" + "x" * 25)
    short = good[:-1]
    for bad in (short, short + " ", short + "\n", short + "\u00e9", "pk-" + "x" * 29, good + "\x7f", ""):
        assert not secret.acceptable(bad), bad


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=29, max_size=90))
def test_foreign_public_id(tail: str) -> None:
    """A foreign key's public id is 12 base62 digits, depends on the pepper, and is no part of the key."""
    key = "sk-" + tail
    assert secret.acceptable(key)
    found = secret.public_id(PEPPER, key)
    assert re.fullmatch(r"[0-9A-Za-z]{12}", found)
    assert found != secret.public_id(bytes(32), key) or secret.minted(key)


@given(st.text())
def test_digest_takes_anything(text: str) -> None:
    """The digest of whatever a caller sends is 32 bytes; of a real key it is HMAC-SHA-256 of the whole."""
    assert len(secret.digest(PEPPER, text)) == 32
    key = secret.mint().secret
    assert secret.digest(PEPPER, key) == hmac.new(PEPPER, key.encode(), hashlib.sha256).digest()


def test_digest_takes_lone_surrogates() -> None:
    """Text that is not UTF-8 has a digest too: it must lead to "unknown key", not to a crash."""
    assert len(secret.digest(PEPPER, "sk-\udcff\ud800")) == 32
