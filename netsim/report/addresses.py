"""Addresses under the names that a person knows: `server:60000`."""

from __future__ import annotations

import re
from collections.abc import Mapping

_ADDRESS = re.compile(r"\[?(?P<address>[0-9a-f]*[.:][0-9a-f.:]*[0-9a-f])\]?")


def host(owners: Mapping[str, str], address: str) -> str:
    """The node that has an address, else the address."""
    return owners.get(address, address)


def endpoint(owners: Mapping[str, str], address: str, port: int) -> str:
    """NODE:PORT, or what is known of it; ICMP has no port."""
    name = host(owners, address)
    if not port:
        return name
    return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"


def by_name(owners: Mapping[str, str], text: str) -> str:
    """Replace every address of the lab in a text by the name of its node."""

    def name(found: re.Match[str]) -> str:
        address = found["address"]
        if address in owners:
            return owners[address]
        head, _, port = address.rpartition(":")
        return f"{owners[head]}:{port}" if head in owners else found[0]

    return _ADDRESS.sub(name, text)
