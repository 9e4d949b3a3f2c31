"""Addresses and subnets as people write them. IPv4 only: an IPv6 one is told so in a sentence of its own."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network, ip_address, ip_network

from netsim.errors import InputError
from netsim.model.names import shown

_SPECIAL = {
    IPv4Network("0.0.0.0/8"): "means 'this host'",
    IPv4Network("127.0.0.0/8"): "is the loopback's",
    IPv4Network("224.0.0.0/3"): "is multicast or reserved",
}
"""Ranges that no link can have, and why (RFC 6890)."""


def refuse_ipv6(text: str) -> None:
    """Raise InputError for an address or a prefix of IPv6's, in brackets or not."""
    try:
        network = ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return
    if isinstance(network, IPv6Network):
        raise InputError(
            f"{shown(text)} is IPv6, and netsim builds networks of IPv4 only so far; use IPv4 here, as in 10.9.0.1"
        )


def read_address(text: str) -> IPv4Address:
    """Read an address; raises InputError."""
    refuse_ipv6(text)
    try:
        return IPv4Address(text)
    except ValueError:
        raise InputError(f"{shown(text)} is no address; write one such as 10.9.0.1") from None


def read_network(text: str) -> IPv4Network:
    """Read a prefix, with no bits set behind its length; raises InputError."""
    refuse_ipv6(text)
    try:
        network = IPv4Network(text, strict=False)
    except ValueError:
        raise InputError(f"{shown(text)} is no subnet; write one such as 10.9.0.0/24") from None
    if ip_address(text.partition("/")[0]) != network.network_address:
        raise InputError(f"{text} is an address inside the subnet {network}; write {network}")
    return network


def read_subnet(text: str) -> IPv4Network:
    """Read the subnet of a segment, which hosts can have addresses in; raises InputError."""
    network = read_network(text)
    for special, why in _SPECIAL.items():
        if network.overlaps(special):
            raise InputError(f"the subnet {network} overlaps {special}, which {why}; take one from 10.0.0.0/8")
    return network
