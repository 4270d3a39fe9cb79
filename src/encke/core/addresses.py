"""Addresses and networks, as they are written."""

from __future__ import annotations

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_loopback(host: str) -> bool:
    """Whether an address, as a socket or a Host header has it, is this machine's own and reached from nowhere else."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host
    if name.count(":") == 1:
        name = name.partition(":")[0]
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def address(text: str) -> Address | None:
    """An IP address; IPv4 within IPv6 is IPv4, a zone (`%eth0`) is left out. None for anything else."""
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def network(text: str) -> Network:
    """A network in CIDR form, or one address; IPv4 within IPv6 is IPv4. Raises ValueError, also for host bits."""
    found = ipaddress.ip_network(text)
    if isinstance(found, ipaddress.IPv6Network) and found.prefixlen >= 96:
        mapped = found.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.ip_network(f"{mapped}/{found.prefixlen - 96}")
    return found


def within(where: Address, networks: tuple[Network, ...]) -> bool:
    """Whether one of the networks holds the address."""
    return any(where in one for one in networks)
