"""Addresses as people write them: `host:port` to listen on, `base_url` to call. One parser for each."""

from __future__ import annotations

import ipaddress
import re
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

# A host name as DNS and /etc/hosts have it (RFC 1123, and the underscore that container networks use).
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(\.{_LABEL})*\.?")
# RFC 3986, section 3.3, without percent-encoded octets and the @ that something on the way might read otherwise.
_PATH = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:-]+)*")
# What resolvers take for an IPv4 address, however it is written (inet_aton): 127.1, 0x7f.1, 2130706433. One spelling is
# enough, and then nobody reads it otherwise than the rules about addresses do.
_NUMBER = re.compile(r"(?:^|\.)(?:[0-9]+|0[xX][0-9A-Fa-f]*)\.?\Z")
_IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(?:\.|\Z)){4}(?<!\.)")
_PORTS = {"http": 80, "https": 443}


class BaseUrl(NamedTuple):
    """A provider's address in parts. `host` has no brackets; `prefix` is `/v1` or empty, never ends in a slash."""

    scheme: str
    host: str
    port: int
    prefix: str


def split_listen(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8080`, `[::1]:8080` or `localhost:0`. ValueError says what is wrong."""
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError('has no port; write host:port, for example "127.0.0.1:8080"')
    if not host:
        raise ValueError(
            f'has no host; write "127.0.0.1{text}" for this machine only, "0.0.0.0{text}" for every address'
        )
    if not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise ValueError("has no usable port; use a number from 0 to 65535 (0: any free port)")
    return _bare_host(host), int(port)


def _bare_host(host: str) -> str:
    """The host without IPv6 brackets. ValueError if it is none."""
    if host.startswith("[") and host.endswith("]"):
        return str(_ipv6(host[1:-1]))
    if ":" in host:
        raise ValueError('has an IPv6 address without brackets; write for example "[::1]:8080"')
    if not _HOST.fullmatch(host):
        raise ValueError("has no usable host; use a name or an address in ASCII")
    return host


def _ipv6(text: str) -> ipaddress.IPv6Address:
    try:
        return ipaddress.IPv6Address(text)
    except ValueError:
        raise ValueError("has something in brackets that is not an IPv6 address") from None


def split_base_url(text: str) -> BaseUrl:
    """The parts of a provider's base URL. ValueError says what is wrong, without the value: it may hold a password."""
    if any(c.isspace() or not c.isprintable() or c == "\\" for c in text):
        raise ValueError("has a space, a backslash or a control character in it")
    parts = _urlsplit(text)
    if parts.scheme not in _PORTS:
        raise ValueError('must begin with "https://" or "http://"')
    if "@" in parts.netloc:
        raise ValueError("has a user name or password in it; put the key into api_key")
    if "?" in text or "#" in text:
        raise ValueError("has a query or fragment; end it before the ? or #")
    if parts.path.rstrip("/").endswith("/chat/completions"):
        raise ValueError("ends in /chat/completions, which the gateway adds; end it before that")
    if not _PATH.fullmatch(parts.path.rstrip("/")) or {".", ".."} & set(parts.path.split("/")):
        raise ValueError("has a path that cannot be used; give a plain one such as /v1")
    host, port = _host_and_port(parts.netloc, _PORTS[parts.scheme])
    if _NUMBER.search(host) and not _IPV4.fullmatch(host):
        raise ValueError("has a number for a host; write an IPv4 address as four decimal numbers, such as 192.168.0.7")
    return BaseUrl(parts.scheme, host.lower(), port, parts.path.rstrip("/"))


def _urlsplit(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        raise ValueError('is not a URL; write for example "https://host.example/v1"') from None


def _host_and_port(netloc: str, default: int) -> tuple[str, int]:
    if not netloc or netloc.startswith(":"):
        raise ValueError('has no host; write for example "https://host.example/v1"')
    has_port = re.search(r":[^:\]]*\Z", netloc)
    host, port = split_listen(netloc if has_port else f"{netloc}:{default}")
    if port == 0:
        raise ValueError("has port 0; use a number from 1 to 65535")
    return host, port
