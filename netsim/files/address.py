"""Addresses, subnets and kernel settings as people write them."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from netsim.errors import InputError
from netsim.model.names import shown
from netsim.model.topology import Address, Network

_SPECIAL: dict[str, str] = {
    "0.0.0.0/8": "means 'this host'",
    "127.0.0.0/8": "is the loopback's",
    "224.0.0.0/3": "is multicast or reserved",
    "::/127": "is the loopback's",
    "ff00::/8": "is multicast",
}
"""Ranges that no link can have, and why (RFC 6890)."""

_SYSCTL = re.compile(r"net(?:\.[a-z0-9_-]+){2,8}\Z")


def read_address(text: str) -> Address:
    """Read an address; raises InputError."""
    try:
        return ip_address(text)
    except ValueError:
        raise InputError(f"{shown(text)} is no address; write one such as 10.9.0.1") from None


def read_network(text: str) -> Network:
    """Read a prefix, with no bits set behind its length; raises InputError."""
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise InputError(f"{shown(text)} is no subnet; write one such as 10.9.0.0/24") from None
    if "/" in text and ip_address(text.partition("/")[0]) != network.network_address:
        raise InputError(f"{text} is an address inside the subnet {network}; write {network}")
    return network


def read_subnet(text: str) -> Network:
    """Read the subnet of a segment, which hosts can have addresses in; raises InputError."""
    network = read_network(text)
    for special, why in _SPECIAL.items():
        reserved = ip_network(special)
        clash = (
            network.overlaps(reserved)
            if isinstance(network, IPv4Network) and isinstance(reserved, IPv4Network)
            else isinstance(network, IPv6Network) and isinstance(reserved, IPv6Network) and network.overlaps(reserved)
        )
        if clash:
            raise InputError(f"the subnet {network} overlaps {special}, which {why}; take one from 10.0.0.0/8")
    return network


def read_sysctl(name: str) -> str:
    """Bring the name of a kernel setting to its dotted form; raises InputError.

    Only names under net.: the others are the machine's, not the node's (ip-netns(8)).
    """
    dotted = name.replace("/", ".")
    if not _SYSCTL.match(dotted):
        raise InputError(
            f"{shown(name)} is no setting of a node; only names under net. are, such as net.ipv4.tcp_retries2"
        )
    return dotted
