"""The scanner for secrets and the evidence it looks through: what they find, and what they leave alone."""

from __future__ import annotations

import base64
import random
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.canaries import PLANTED, canary
from tests.support.evidence import Evidence
from tests.support.scanner import SLICE, Scanner


def noise(rng: random.Random, size: int) -> bytes:
    """Letters and digits, as in a log."""
    return bytes(rng.choice(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ") for _ in range(size))


DISGUISES: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda data: data,
    "base64": base64.b64encode,
    "base64url": base64.urlsafe_b64encode,
    "hex": lambda data: data.hex().encode(),
    "percent": lambda data: "".join(f"%{byte:02X}" for byte in data).encode(),
}


@pytest.mark.parametrize("disguise", DISGUISES)
def test_slices_are_found(disguise: str) -> None:
    """12 characters of a secret, from anywhere in it, anywhere in the data, in any disguise and alignment."""
    rng = random.Random(5)
    scanner = Scanner()
    scanner.add("it", secret := noise(rng, 40).replace(b" ", b"x"))
    for _ in range(200):
        at = rng.randrange(len(secret) - SLICE + 1)
        piece = secret[at : at + SLICE]
        around = noise(rng, rng.randrange(3)), noise(rng, rng.randrange(3))
        data = noise(rng, rng.randrange(50)) + DISGUISES[disguise](around[0] + piece + around[1]) + noise(rng, 9)
        assert scanner.find(data), (disguise, data, piece)
        short = noise(rng, 20) + DISGUISES[disguise](piece[:-3]) + noise(rng, 20)
        assert not scanner.find(short), (disguise, short, piece)


def test_chance_is_not_found() -> None:
    """A megabyte of anything holds no secret; a secret too short to be told from chance is refused."""
    scanner = Scanner()
    for name in PLANTED:
        scanner.add(name, canary(name))
    assert scanner.find(noise(random.Random(6), 1 << 20) + secrets.token_bytes(1 << 20)) == []
    with pytest.raises(ValueError, match="too short"):
        scanner.add("word", "short")


def test_evidence_of_a_folder(tmp_path: Path) -> None:
    """A canary, a pepper or a new key in a file is found; in their allowed places they are not."""
    pepper = secrets.token_bytes(32)
    made = f"sk-enc-{'a' * 12}-{secrets.token_hex(30)[:49]}"
    evidence = Evidence()
    evidence.terminal(f"Key {made}".encode())
    (tmp_path / "pepper").write_bytes(pepper)
    (tmp_path / "encke.toml").write_text(f'api_key = "{canary("provider_key")}"')
    (tmp_path / "journal").write_bytes(b"nothing" + bytes(1 << 20))
    assert evidence.leaks(tmp_path) == []
    (tmp_path / "encke.db-wal").write_bytes(b"..." + pepper[3:20])
    (tmp_path / "gateway.log").write_text(f'{{"path": "/{canary("prompt")[:14]}"}}')
    (tmp_path / "encke.db").write_bytes(base64.b64encode(b"x" + made.encode()))
    found = {(Path(leak.where).name, leak.secret.split()[0]) for leak in evidence.leaks(tmp_path)}
    shutil.rmtree(tmp_path)  # or the run's own look would find them
    assert found == {("encke.db-wal", "the"), ("gateway.log", "prompt"), ("encke.db", "a")}


def test_evidence_of_errors() -> None:
    """An error that quotes a key is found in its body and in its headers."""
    evidence = Evidence()
    evidence.error(b"fine", [("x-request-id", "1")])
    assert evidence.leaks(None) == []
    evidence.error(b"no " + canary("two_keys").encode(), [("server", canary("cookie"))])
    assert {leak.secret for leak in evidence.leaks(None)} == {"two_keys", "cookie"}
