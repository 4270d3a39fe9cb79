"""The gateway's secrets in other people's words."""

from __future__ import annotations

import base64
import random
import string
from urllib.parse import quote

import pytest

from encke.core.redact import MASK, Redactor, without_keys

KEY = "sk-live-q8Zt5Wm2+Xb7/Lc1Vn9=Ke4Rj6Yd3"


def random_text(rng: random.Random, length: int) -> str:
    """Characters that keys are made of."""
    return "".join(rng.choice(string.ascii_letters + string.digits + "-_+/=.") for _ in range(length))


@pytest.mark.parametrize("said", [
    KEY,
    KEY[5:17],
    base64.b64encode(KEY.encode()).decode(),
    base64.b64encode(b"x" + KEY.encode() + b"y").decode(),
    base64.urlsafe_b64encode(b"xy" + KEY.encode()).decode(),
    KEY.encode().hex(),
    KEY.encode().hex().upper(),
    "".join(f"%{byte:02X}" for byte in KEY.encode()),
])  # fmt: skip
def test_what_tells_a_key_is_masked(said: str) -> None:
    """A key, 12 characters of it, and its disguises; what stands around stays."""
    clean = Redactor([KEY]).clean(f"The key '{said}' is wrong.")
    assert MASK in clean and clean.startswith("The key '") and clean.endswith("' is wrong.")
    assert said not in clean


def test_random_keys_leave_no_slice() -> None:
    """Random keys at random places: no 12 characters of any are left."""
    rng = random.Random(1)
    for _ in range(300):
        keys = [random_text(rng, rng.randint(12, 60)) for _ in range(3)]
        key = rng.choice(keys)
        begin = rng.randint(0, len(key) - 12)
        piece = key[begin : rng.randint(begin + 12, len(key))]
        clean = Redactor(keys).clean(f"{random_text(rng, 9)} {piece} {quote(key)} {random_text(rng, 9)}")
        assert not any(one[at : at + 12] in clean for one in keys for at in range(len(one) - 11))


def test_a_short_key_is_masked_whole() -> None:
    """8 to 11 characters: as a whole; part of it is a word."""
    redactor = Redactor(["hunter2-x"])
    assert redactor.clean("not hunter2-x!") == f"not {MASK}!"
    assert redactor.clean("hunter2 and -x") == "hunter2 and -x"


@pytest.mark.parametrize("word", ["none", "ollama", "EMPTY", ""])
def test_words_are_no_secrets(word: str) -> None:
    """What is given to a server that wants no key is not masked."""
    assert Redactor([word]).clean(f"There is {word} here.") == f"There is {word} here."


def test_nothing_to_hide() -> None:
    """Without secrets, and in texts without them, nothing changes; values that are no text stay what they are."""
    assert Redactor([]).clean(KEY) == KEY
    values = {"message": f"bad {KEY}", "param": None, "code": 7}
    assert Redactor([KEY]).clean_values(values) == {"message": f"bad {MASK}", "param": None, "code": 7}


def test_what_looks_like_a_key_is_masked() -> None:
    """A key where none belongs, such as in a path: our own shape tells it. A word that ends in sk is none."""
    assert without_keys("/v1/sk-enc-abcdefgh/models") == f"/v1/{MASK}/models"
    assert without_keys("/v1/task-0123456789") == "/v1/task-0123456789"
    assert without_keys("/v1/models") == "/v1/models"
