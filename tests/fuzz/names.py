"""Keys, paths, addresses and header values: short texts from strangers, and from operators."""

from __future__ import annotations

import ipaddress
import re

from encke.config.addresses import allowed, is_metadata, is_private, is_public, parse
from encke.config.endpoints import split_base_url, split_listen
from encke.core.faults import Fault
from encke.http.headers import visible
from encke.http.request import Request
from encke.keys.secret import acceptable, digest, minted, public_id, typo
from encke.worker.admission import KEY_HEADERS
from encke.worker.routes import match
from tests.fuzz.bits import Bits
from tests.support.admit import admitting

PEPPER = b"p" * 32
GOOD = "sk-own-0123456789abcdefghijklmnopqrstuvwxyz"
MINTED = "sk-enc-SYnPPwE0Z3PP-Vd3l8TItyt3p7IHMoaU3uJYLmUGsRNHaIPc4sReovIC3sAY0e"


def key(data: bytes) -> None:
    """What is minted is acceptable; names of keys are 12 letters or digits; no message quotes a key."""
    text = data.decode("utf-8", "replace")
    why = typo(text)
    assert minted(text) == (text.startswith("sk-enc-") and why is None)
    if minted(text):
        assert acceptable(text) and public_id(PEPPER, text) == text[7:19]
    if acceptable(text):
        assert re.fullmatch(r"sk-[!-~]{29,}", text)
    assert re.fullmatch(r"[0-9A-Za-z]{12}", public_id(PEPPER, text))
    assert len(digest(PEPPER, text)) == 32
    assert why is None or len(text) < 12 or text not in why
    # One letter of a good key changed: never taken for good.
    if data:
        place, letter = data[0] % len(MINTED), chr(33 + data[-1] % 94)
        changed = MINTED[:place] + letter + MINTED[place + 1 :]
        assert (changed == MINTED) == minted(changed)


def admission(data: bytes) -> None:
    """A call is admitted only with a known key in one of the places, and with no other one; else 400 or 401."""
    bits = Bits(data)
    admits = admitting(PEPPER, {"0123456789AB": GOOD})
    request = Request()
    chosen, has_query = bits.number(16), bits.number(2)
    parts = bits.rest.replace(b"GOOD", GOOD.encode()).split(b"\n")
    request.query = parts.pop() if has_query else b""
    names = (b"authorization", *KEY_HEADERS)
    request.headers = {name: parts.pop(0) for place, name in enumerate(names) if chosen >> place & 1 and parts}
    for _ in range(2):  # the second time it may be remembered
        try:
            admits.admit(request)
        except Fault as fault:
            assert fault.status in (400, 401), fault
            assert GOOD not in fault.message
        else:
            said = [re.sub(rb"(?i)\A\s*bearer(\s|\Z)", b"", value).strip() for value in request.headers.values()]
            assert GOOD.encode() in said and not re.search(rb"(?i)(\A|&)key=sk-", request.query), request.headers
            assert set(said) <= {b"", GOOD.encode()}, request.headers


def header(data: bytes) -> None:
    """A value for a header is visible ASCII on one line, and as short as asked for."""
    bits = Bits(data)
    limit = bits.number(256)
    for text in (bits.rest.decode("latin-1"), bits.rest.decode("utf-8", "surrogateescape")):
        shown = visible(text, limit)
        assert len(shown) <= limit and all(" " <= char <= "~" for char in shown), shown


def route(data: bytes) -> None:
    """A path matches a route or none; a slash at the end and a doubled /v1 change nothing."""
    path = data.decode("ascii", "replace")
    found = match(path)
    if found is None:
        return
    assert path.endswith("/") or match(path + "/") == found
    if path.startswith("/v1/") and not path.startswith("/v1/v1/"):
        assert match("/v1" + path) == found


def address(data: bytes) -> None:
    """Nothing that is inside, anybody's, is called public; clouds' metadata is never allowed."""
    for text in _spellings(data):
        public, private = is_public(text), is_private(text)
        assert not (public and private)
        assert not is_metadata(text) or not (allowed(text, True) or allowed(text, False))
        assert allowed(text, False) == public and allowed(text, True) == (public or private)
        meant = parse(text)
        if public:
            assert meant is not None
            inside = meant.is_loopback or meant.is_link_local or meant.is_multicast or meant.is_unspecified
            assert not inside and not meant.is_reserved, text
            assert meant.version == 6 or (int(meant) >> 24 not in (0, 10, 127) and int(meant) >> 28 < 14), text


def _spellings(data: bytes) -> list[str]:
    texts = [data.decode("latin-1")]
    if len(data) == 4:
        inner = ipaddress.IPv4Address(data)
        texts += [str(inner), f"::ffff:{inner}", f"64:ff9b::{inner}", f"::{inner}"]
    if len(data) == 16:
        texts.append(str(ipaddress.IPv6Address(data)))
    return texts


def endpoint(data: bytes) -> None:
    """A base URL is refused with ValueError, or its parts put together mean the same again."""
    text = data.decode("utf-8", "replace")
    try:
        parts = split_base_url(text)
    except ValueError as error:
        assert "@" not in text or len(text) < 4 or text not in str(error), "a message quotes a password"
    else:
        host = f"[{parts.host}]" if ":" in parts.host else parts.host
        assert split_base_url(f"{parts.scheme}://{host}:{parts.port}{parts.prefix}") == parts
        assert 0 < parts.port < 65536 and not parts.prefix.endswith("/")
        assert re.fullmatch(r"[a-z0-9_.:-]+", parts.host) and re.fullmatch(r"[!-~]*", parts.prefix), parts
    try:
        name, port = split_listen(text)
    except ValueError:
        return
    assert name and 0 <= port < 65536
