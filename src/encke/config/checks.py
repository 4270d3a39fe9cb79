"""What a string must be to be of use: each check raises ValueError saying what is wrong, never with the text itself."""

from __future__ import annotations

import re

from encke.config.secret import Secret
from encke.core.addresses import network


def check_name(text: str) -> None:
    if not text:
        raise ValueError("is empty")
    if len(text.encode()) > 256:  # an entry has its room in the journal
        raise ValueError("is longer than 256 bytes")
    if any(c.isspace() or not c.isprintable() for c in text):
        raise ValueError("has white space or a control character in it")


def check_path_or_empty(text: str) -> None:
    if "\0" in text:
        raise ValueError("has a zero byte in it")


def check_path(text: str) -> None:
    check_path_or_empty(text)
    if not text:
        raise ValueError("is empty; give a path, or leave the setting out")


def check_store_url(text: str) -> None:
    scheme, colon, rest = text.partition(":")
    if not colon or scheme != "sqlite":
        raise ValueError('is not a store this version has; write "sqlite:" and a file, for example "sqlite:encke.db"')
    if rest.startswith("//"):
        raise ValueError('must be "sqlite:" and a path without "//", for example "sqlite:encke.db"')
    if not rest or rest == ":memory:" or rest.endswith("/"):
        raise ValueError("names no file; several processes share the store, so it must be a file")
    check_path_or_empty(rest)


SHORTEST_RETENTION = 7


def retention_days(text: str) -> int | None:
    """How many days entries are kept; None: for ever."""
    if text == "forever":
        return None
    days = text.removesuffix("d")
    if not text.endswith("d") or not days.isascii() or not days.isdigit() or len(days) > 5:
        raise ValueError('is not "forever" or a number of days such as "400d"')
    if int(days) < SHORTEST_RETENTION:
        raise ValueError(f"is too short; entries are kept {SHORTEST_RETENTION} days at least")
    return int(days)


def check_log_target(text: str) -> None:
    if text in ("stdout", "stderr", "off"):
        return
    check_path_or_empty(text)
    if "/" not in text and "." not in text:
        raise ValueError('is not "stdout", "stderr", "off" or a path; a file beside the settings is "./NAME"')


# RFC 6454, section 6.2: scheme, host, port; nothing after them. Browsers send it in lower case.
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/?#@\\]+")


def check_origin(text: str) -> None:
    if text != "*" and not _ORIGIN.fullmatch(text):
        raise ValueError(
            'is not an origin; write "https://host" or "https://host:port", lower case, no path; "*" is any'
        )


def check_network(text: str) -> None:
    """ValueError says what is wrong."""
    try:
        network(text)
    except ValueError as error:
        why = "has bits set behind its length" if "host bits" in str(error) else "is neither a network nor an address"
        raise ValueError(f"{why}; write 10.0.0.0/8 or 2001:db8::/32, or one address") from None


def secret_text(text: str) -> Secret:
    """A credential that can stand in a header. ValueError says why not, without the text."""
    if not text:
        raise ValueError("is empty")
    if any(not "!" <= c <= "~" for c in text):
        raise ValueError("has white space, a line break or a character outside ASCII in it; a key is one unbroken word")
    return Secret(text)


_CREDENTIAL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
# What a key begins with: a name is shown everywhere, so one that is a key by mistake must not become one.
_LIKE_A_KEY = ("sk-", "sk_", "gsk_", "hf_", "AIza", "pplx-", "csk-")


def check_credential_name(text: str) -> None:
    if not _CREDENTIAL_NAME.fullmatch(text):
        raise ValueError("is no name for a credential; use letters, digits, _ . and -, at most 32")
    if text.startswith(_LIKE_A_KEY):
        raise ValueError("looks like a key; the name is shown in logs, so choose a word of your own")


# One label or segment, or several with dots: nothing that would end a host or a path.
_URL_PART = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")


def url_part(text: str) -> str:
    """A part of an address; of a URL without a path, as some variables hold it, the host. ValueError says why not."""
    part = text.removeprefix("https://").rstrip("/") if text.startswith("https://") else text
    if not _URL_PART.fullmatch(part) or ".." in part:
        raise ValueError("cannot stand in an address; use letters, digits, dots, _ and -")
    return part


# RFC 9110, section 5.6.2 (token); values: visible ASCII and spaces within.
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FIELD_VALUE = re.compile(r"[!-~]([ -~]*[!-~])?")
# Fields that the gateway sets itself, or that belong to one connection (RFC 9110, section 7.6.1).
RESERVED_HEADERS = {
    "authorization": "the gateway sets it from api_key",
    "host": "the gateway sets it from base_url",
    **dict.fromkeys(
        ("content-length", "content-type", "content-encoding", "transfer-encoding", "accept", "accept-encoding"),
        "the gateway sets it for every request",
    ),
    **dict.fromkeys(
        ("connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade", "expect"),
        "it belongs to the connection",
    ),
}


def header_name_fault(name: str) -> str | None:
    """Why this header cannot be set by the settings, or None."""
    if not _TOKEN.fullmatch(name):
        return "is not a header name; use letters, digits and dashes"
    if name.lower() in RESERVED_HEADERS:
        return f"cannot be set here: {RESERVED_HEADERS[name.lower()]}"
    return None


def check_header_value(text: str) -> None:
    if not _FIELD_VALUE.fullmatch(text):
        raise ValueError("has a value that cannot stand in a header; use printable ASCII, without spaces at its ends")
