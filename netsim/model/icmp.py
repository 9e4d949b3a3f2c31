"""What ICMP messages are called, and what Linux makes of them for a program."""

from __future__ import annotations

_UNREACHABLE = (
    ("net unreachable", "ENETUNREACH"),
    ("host unreachable", "EHOSTUNREACH"),
    ("protocol unreachable", "ENOPROTOOPT"),
    ("port unreachable", "ECONNREFUSED"),
    ("fragmentation needed", "EMSGSIZE"),
    ("source route failed", "EOPNOTSUPP"),
    ("net unknown", "ENETUNREACH"),
    ("host unknown", "EHOSTDOWN"),
    ("host isolated", "ENONET"),
    ("net prohibited", "ENETUNREACH"),
    ("host prohibited", "EHOSTUNREACH"),
    ("net unreachable for TOS", "ENETUNREACH"),
    ("host unreachable for TOS", "EHOSTUNREACH"),
    ("admin prohibited", "EHOSTUNREACH"),
    ("host precedence violation", "EHOSTUNREACH"),
    ("precedence cutoff", "EHOSTUNREACH"),
)
"""Type 3 by code: RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1; the errno is icmp_err_convert's (net/ipv4/icmp.c)."""
_UNREACHABLE_V6 = (
    "no route",
    "admin prohibited",
    "beyond scope",
    "address unreachable",
    "port unreachable",
    "policy failed",
    "reject route",
)
"""Type 1 by code: RFC 4443, 3.1."""
_TYPES = {0: "echo reply", 5: "redirect", 8: "echo request", 11: "time exceeded", 12: "parameter problem"}
_TYPES_V6 = {
    2: "packet too big",
    3: "time exceeded",
    4: "parameter problem",
    128: "echo request",
    129: "echo reply",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbour solicitation",
    136: "neighbour advertisement",
    137: "redirect",
}
REJECT_CODES = {
    "icmp-net-unreachable": 0,
    "icmp-host-unreachable": 1,
    "icmp-proto-unreachable": 2,
    "icmp-port-unreachable": 3,
    "icmp-net-prohibited": 9,
    "icmp-host-prohibited": 10,
    "icmp-admin-prohibited": 13,
}
"""The codes of type 3 that REJECT answers with, by its own names for them (iptables-extensions(8))."""


def icmp_name(kind: int, code: int, *, over_ipv6: bool = False) -> str:
    """Name a message by its type and code: `host unreachable`, `echo request`."""
    named = _UNREACHABLE_V6 if over_ipv6 else [name for name, _ in _UNREACHABLE]
    if kind == (1 if over_ipv6 else 3):
        return named[code] if code < len(named) else f"unreachable, code {code}"
    return (_TYPES_V6 if over_ipv6 else _TYPES).get(kind, f"type {kind}")


def icmp_errno(kind: int, code: int) -> str | None:
    """Give the errno that ICMP over IPv4 means for the program whose packet it quotes; None where it is no error."""
    if kind == 3:
        return _UNREACHABLE[code][1] if code < len(_UNREACHABLE) else None
    return {11: "EHOSTUNREACH", 12: "EPROTO"}.get(kind)
