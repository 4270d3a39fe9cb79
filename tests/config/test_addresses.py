"""Which addresses may be called."""

from __future__ import annotations

import pytest

from encke.config.addresses import allowed, is_metadata, is_public

PUBLIC = [
    "8.8.8.8", "1.1.1.1", "93.184.216.34", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1",
    "192.167.255.255", "11.0.0.1", "126.255.255.255", "128.0.0.1", "169.253.0.1", "223.255.255.255",
    "2606:4700::1111", "2a00:1450:4001::200e", "2620:fe::fe",
    "::ffff:8.8.8.8",  # mapped, and public inside
    "64:ff9b::8.8.8.8",  # NAT64, and public inside
]  # fmt: skip

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.1.1", "100.64.0.1", "100.127.255.255", "::1", "fc00::1", "fd12:3456::1", "fe80::1", "fe80::1%eth0",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:7f00:1", "64:ff9b::127.0.0.1", "64:ff9b::a00:1",
]  # fmt: skip

METADATA = [
    "169.254.169.254", "fd00:ec2::254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "168.63.129.16",
    "fd20:ce::254", "::ffff:169.254.169.254", "::ffff:a9fe:a9fe", "64:ff9b::169.254.169.254", "64:ff9b::a9fe:a9fe",
    "FD00:EC2::254", "fd00:ec2::254%eth0",
]  # fmt: skip

NEVER = [
    "4000::1", "6c7f:6665::1", "a000::1", "1fff::1",  # not given to anybody
    "0.0.0.0", "0.1.2.3", "255.255.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.1", "192.0.2.1", "198.51.100.1",
    "203.0.113.1", "198.18.0.1", "192.0.0.1", "192.88.99.1", "::", "::127.0.0.1", "::ffff:0:127.0.0.1", "ff02::1",
    "2002:7f00:1::", "2002:808:808::1", "2001::1", "2001:db8::1", "64:ff9b:1::7f00:1", "100::1", "fec0::1", "3fff::1",
    "::ffff:0.0.0.0", "64:ff9b::", "5f00::1",
]  # fmt: skip

NO_ADDRESS = ["", "localhost", "127.1", "0x7f.0.0.1", "2130706433", "127.0.0.01", "1.2.3.4.5", "[::1]", "::1 ", "é"]


@pytest.mark.parametrize("ip", PUBLIC)
def test_public(ip: str) -> None:
    """Addresses of the internet may be called, always."""
    assert is_public(ip) and allowed(ip, False) and allowed(ip, True)


@pytest.mark.parametrize("ip", PRIVATE)
def test_private(ip: str) -> None:
    """Addresses of one's own network may be called if the operator says so, however they are wrapped."""
    assert not is_public(ip) and not allowed(ip, False) and allowed(ip, True)


@pytest.mark.parametrize("ip", METADATA)
def test_metadata(ip: str) -> None:
    """Metadata services are never called, whatever the operator says."""
    assert is_metadata(ip) and not is_public(ip) and not allowed(ip, False) and not allowed(ip, True)


@pytest.mark.parametrize("ip", [*NEVER, *NO_ADDRESS])
def test_never(ip: str) -> None:
    """Special addresses, and texts that are none, are never called."""
    assert not is_public(ip) and not allowed(ip, False) and not allowed(ip, True)
