"""Which addresses an upstream connection may go to (against server-side request forgery). Pure.

The networks are those that the IANA special-purpose registries (RFC 6890 and successors) mark as not globally
reachable. They stand here and are not asked of `ipaddress.is_global`, whose answer differs between patch releases of
Python.
"""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


# Somebody's own machines: reachable when the operator says so (`allow_private`).
PRIVATE = _networks(
    "127.0.0.0/8",  # loopback
    "10.0.0.0/8",  # RFC 1918
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",  # carrier-grade NAT (RFC 6598); overlay networks use it
    "169.254.0.0/16",  # link-local
    "::1/128",
    "fc00::/7",  # unique local (RFC 4193)
    "fe80::/10",
)

# Nobody's: never a provider's address, whatever the operator says.
NEVER = _networks(
    "0.0.0.0/8",  # "this host": Linux connects it to loopback
    "192.0.0.0/24",  # protocol assignments
    "192.0.2.0/24",  # documentation
    "192.88.99.0/24",  # 6to4 relays, withdrawn
    "198.18.0.0/15",  # benchmarks
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",  # multicast
    "240.0.0.0/4",  # reserved, and broadcast
    "::/3",  # IPv6 outside of 2000::/3 is nobody's so far (RFC 4291, IANA); what of it is special stands below as well
    "4000::/2",
    "8000::/1",
    "::/96",  # unspecified, and the withdrawn IPv4-compatible form (::1 stands in PRIVATE)
    "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
    "64:ff9b:1::/48",  # local-use NAT64: what is behind it cannot be told
    "100::/64",  # discard
    "2001::/23",  # protocol assignments, Teredo among them
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4, withdrawn: carries any IPv4 address
    "3fff::/20",  # documentation
    "5f00::/16",  # segment routing
    "fec0::/10",  # site-local, withdrawn
    "ff00::/8",  # multicast
)

# Where clouds hand out credentials to whoever asks from inside.
METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google and most others
        "169.254.170.2",  # AWS container credentials
        "169.254.170.23",  # AWS pod identity
        "fd00:ec2::254",  # the same over IPv6
        "fd00:ec2::23",
        "fd20:ce::254",  # Google over IPv6
        "100.100.100.200",  # Alibaba
        "168.63.129.16",  # Azure's host agent: a public address, and yet inside
        "192.0.0.192",  # Oracle, older
    )
)

# The well-known NAT64 prefix (RFC 6052): an IPv6-only network reaches all of IPv4 through it, so judge what is inside.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def parse(ip: str) -> Address | None:
    """The address meant, IPv4 taken out of a mapped or NAT64 wrapping; None if it is not an address."""
    try:
        address = ipaddress.ip_address(ip.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_metadata(ip: str) -> bool:
    """Whether a cloud's metadata service answers there."""
    return parse(ip) in METADATA


def is_private(ip: str) -> bool:
    """Whether it is an address of somebody's own network (loopback, RFC 1918, link-local, CGNAT, ULA)."""
    address = parse(ip)
    return address is not None and address not in METADATA and _within(address, PRIVATE)


def is_public(ip: str) -> bool:
    """Whether it is an ordinary address of the internet. False for anything special, and for what is no address."""
    address = parse(ip)
    return (
        address is not None
        and address not in METADATA
        and not _within(address, PRIVATE)
        and not _within(address, NEVER)
    )


def allowed(ip: str, allow_private: bool) -> bool:
    """Whether an upstream connection may go there. Check every address that a name resolves to, at every connect."""
    return is_public(ip) or (allow_private and is_private(ip))


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)
