"""How things are called in sentences: ends by their node's name, counts with their nouns, rules with their place."""

from __future__ import annotations

from collections.abc import Sized
from dataclasses import dataclass

from netsim.analysis.filters import Placed
from netsim.analysis.sockets import Death
from netsim.model.endpoint import Endpoint
from netsim.model.network import Network


@dataclass(frozen=True, slots=True)
class Words:
    """Names of one network's things."""

    network: Network

    def end(self, end: Endpoint) -> str:
        """`server:60000`; the address itself where it is nobody's of the network."""
        owner = self.network.owner(end.address)
        return f"{owner}:{end.port}" if owner else str(end)

    def host(self, address: str) -> str:
        return self.network.owner(address) or address


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def rule_place(placed: Placed) -> str:
    """`rule 1 of its FORWARD chain (reject tcp dport 80 with tcp-reset)`, of a node that has been named."""
    return f"rule {placed.number} of its {placed.chain} chain ({placed.written.body})"


def no_route(kind: str, to: str) -> str:
    """`no route to server`, `a route of type blackhole to server`: what a machine has instead of a way."""
    return f"no route to {to}" if kind in {"none", "throw"} else f"a route of type {kind} to {to}"


def asked_in_vain(node: str, hop: str, requests: Sized) -> str:
    """What ARP requests show that nobody answered."""
    return f"{node} asked {plural(len(requests), 'time')} who has {hop}, and got no answer"


def closed_listener_by(death: Death) -> str:
    """`server closed its listener`."""
    return f"{death.process} {'shut its listener down' if death.call == 'shutdown' else 'closed its listener'}"


def ended(death: Death) -> str:
    """How a program let go of a socket: `server closed it`, `server was killed by SIGKILL`."""
    if death.how == "closed":
        return f"{death.process} closed it"
    if death.how == "power":
        return f"{death.process} lost its machine's power"
    if death.outcome.startswith("signal "):
        return f"{death.process} was killed by {death.outcome.removeprefix('signal ')}"
    return f"{death.process} ended ({death.outcome})"
