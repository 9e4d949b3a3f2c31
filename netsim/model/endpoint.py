"""One end of a connection, as everybody means it: an address and a port."""

from __future__ import annotations

from dataclasses import dataclass

WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, never bound to
"""Addresses that mean every address of a machine: what a listener is mostly bound to."""


@dataclass(frozen=True, slots=True, order=True)
class Endpoint:
    """An address by its text, and a port; port 0 where the protocol has none, or none is given out yet."""

    address: str
    port: int

    def __str__(self) -> str:
        """ADDRESS:PORT, an IPv6 address in brackets (RFC 3986)."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"

    def covers(self, other: Endpoint) -> bool:
        """Tell whether a socket that is bound to this one gets what comes for the other."""
        return self.port == other.port and self.address in {other.address, *WILDCARDS}


def parse_endpoint(text: str) -> Endpoint:
    """Read ADDRESS:PORT, as `str` writes it; raises ValueError."""
    address, colon, port = text.rpartition(":")
    if not colon or not (port.isascii() and port.isdigit()):
        raise ValueError(f"{text!r} is no ADDRESS:PORT")
    return Endpoint(address.strip("[]"), int(port))
