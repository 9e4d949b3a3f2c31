"""A packet-filter rule as a person writes it: `reject tcp dport 60000 with tcp-reset`."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

from netsim.errors import InputError
from netsim.model.names import nearest, shown

Chain = Literal["input", "forward", "output"]

REJECT_WITH = (
    "tcp-reset", "icmp-port-unreachable", "icmp-host-unreachable", "icmp-net-unreachable",
    "icmp-proto-unreachable", "icmp-host-prohibited", "icmp-net-prohibited", "icmp-admin-prohibited",
)  # fmt: skip
"""Answers of the REJECT target, by iptables' own names (iptables-extensions(8))."""

USAGE = (
    "[input|forward|output] accept|drop|reject [tcp|udp|icmp] [from NODE|ADDRESS] [to NODE|ADDRESS] "
    "[sport PORT] [dport PORT] [with ANSWER]"
)

_RULE = re.compile(
    r"(?:(?P<chain>input|forward|output) )?(?P<action>accept|drop|reject)"
    r"(?: (?P<protocol>tcp|udp|icmp))?(?: from (?P<source>\S+))?(?: to (?P<destination>\S+))?"
    r"(?: sport (?P<sport>\d+))?(?: dport (?P<dport>\d+))?(?: with (?P<answer>\S+))?\Z",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a node's packet filter; what is None matches everything.

    `chain` None means where the node's kind makes it useful: forward on a router, input on a host.
    `source` and `destination` are node names or addresses.
    """

    action: Literal["accept", "drop", "reject"]
    chain: Chain | None = None
    protocol: Literal["tcp", "udp", "icmp"] | None = None
    source: str | None = None
    destination: str | None = None
    sport: int | None = None
    dport: int | None = None
    answer: str | None = None
    """What reject answers with; None is iptables' default, icmp-port-unreachable."""

    def __str__(self) -> str:
        """The rule as it is written, its chain included where it names one."""
        return f"{self.chain} {self.body}" if self.chain else self.body

    @property
    def body(self) -> str:
        """The rule without its chain."""
        parts = (
            (self.action, ""),
            (self.protocol, ""),
            (self.source, "from "),
            (self.destination, "to "),
            (self.sport, "sport "),
            (self.dport, "dport "),
            (self.answer, "with "),
        )
        return " ".join(f"{word}{value}" for value, word in parts if value is not None)

    @property
    def answers_with(self) -> str:
        """What a reject answers with, by iptables' name; '' for the other actions."""
        return (self.answer or "icmp-port-unreachable") if self.action == "reject" else ""

    def in_chain(self, chain: Chain) -> Rule:
        """The same rule, with its chain named."""
        return replace(self, chain=chain)

    def matches(self, protocol: str, source: str, destination: str, sport: int, dport: int) -> bool:
        """Tell whether a packet fits everything that the rule says; its hosts must be addresses by now."""
        return (
            self.protocol in {None, protocol}
            and self.source in {None, source}
            and self.destination in {None, destination}
            and self.sport in {None, sport}
            and self.dport in {None, dport}
        )


def usual_chain(kind: str) -> Chain:
    """The chain that a rule without one means, by the kind of its node."""
    return "forward" if kind == "router" else "input"


def port(text: str) -> int:
    """Read a TCP or UDP port number; raises InputError outside 1 to 65535."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not 1 <= number <= 65535:
        raise InputError(f"port {shown(text)} is none: a port is a number from 1 to 65535")
    return number


def parse_rule(text: str) -> Rule:
    """Read one rule; raises InputError that says what a rule looks like."""
    words = " ".join(text.split())
    found = _RULE.match(words)
    if found is None:
        odd = next((w for w in words.split() if not re.search(rf"(^|[^\w-]){re.escape(w)}($|[^\w-])", USAGE)), "")
        hint = nearest(odd, re.findall(r"[a-z]{2,}", USAGE)) if odd and not odd.isdigit() else ""
        raise InputError(f"firewall rule {shown(text)} does not read as {USAGE}{hint}")
    part: dict[str, Any] = found.groupdict()
    answer, action, protocol = part["answer"], part["action"], part["protocol"]
    if answer is not None:
        if action != "reject":
            raise InputError(f"'with {answer}' goes with reject, not with {action}")
        if answer not in REJECT_WITH:
            raise InputError(f"reject cannot answer {shown(answer)}; it can: {', '.join(REJECT_WITH)}")
        if answer == "tcp-reset" and protocol != "tcp":
            raise InputError(f"'with tcp-reset' needs tcp: write '{action} tcp ... with tcp-reset'")
    part |= {name: port(part[name]) for name in ("sport", "dport") if part[name]}
    if (part["sport"] or part["dport"]) and protocol not in {"tcp", "udp"}:
        raise InputError(f"a port needs tcp or udp before it, in {shown(text)}")
    return Rule(**part)
