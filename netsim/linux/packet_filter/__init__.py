"""Firewall rules on nodes. A backend is one file here; the lab speaks to it through a worker process.

Rules are put in place by a process of their own that enters one namespace after the other: what
python-iptables keeps per process never meets a second thread, and its slow import waits nowhere else.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from netsim.errors import NetsimError
from netsim.linux import channel, syscalls
from netsim.linux.channel import WithFiles
from netsim.linux.keeper_state import KeeperState
from netsim.model.firewall import Rule


@dataclass(frozen=True, slots=True)
class Placed:
    """A rule where it is: its chain by iptables' name, its number in the chain from 1, its packets so far."""

    chain: str
    number: int
    rule: Rule
    packets: int = 0


class PacketFilter(Protocol):
    """What a backend must do, in whatever network namespace the process is at the moment."""

    def place(self, rules: Sequence[tuple[str, Rule]]) -> list[Placed]:
        """Append rules to chains (INPUT, FORWARD, OUTPUT), all in one commit."""

    def remove(self, placed: Sequence[Placed]) -> list[Placed]:
        """Take rules away, by their place in their chain."""

    def packets(self, placed: Sequence[Placed]) -> list[Placed]:
        """Read how many packets each rule has matched so far."""


def backend() -> PacketFilter:
    """The backend of this host; raises HostError where it has none."""
    from netsim.linux.packet_filter.iptables import Iptables

    return Iptables()


Request = Literal["place", "remove", "packets"]


def work(sock: socket.socket) -> None:
    """The worker's life: for each request a namespace comes along, which it enters for as long as that takes."""
    answer: tuple[bool, object]
    home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        filters: PacketFilter = backend()
        channel.send(sock, (True, None))
    except NetsimError as error:
        channel.send(sock, (False, error))
        return
    while True:
        try:
            (request, argument), (namespace,) = channel.receive(sock)
        except channel.ChannelClosed:
            return
        syscalls.setns(namespace)
        os.close(namespace)
        try:
            answer = (True, getattr(filters, request)(argument))
        except NetsimError as error:
            answer = (False, error)
        syscalls.setns(home)  # a node that loses power takes with it whatever is in its namespace
        channel.send(sock, answer)


def ask(sock: socket.socket, request: Request, namespace: int, argument: object) -> list[Placed]:
    """Have the worker do something in a namespace, whose descriptor is closed here."""
    try:
        answer, _ = channel.exchange(sock, (request, argument), (namespace,))
    finally:
        os.close(namespace)
    placed: list[Placed] = _result(answer)
    return placed


def ready(sock: socket.socket) -> None:
    """Wait until the worker has loaded its library; its error is raised here."""
    _result(channel.receive(sock)[0])


def _result(answer: tuple[bool, Any]) -> Any:
    good, value = answer
    if not good:
        raise value
    return value


def open_namespace(state: KeeperState, node: str) -> WithFiles:
    """A descriptor of a node's namespace, for the worker. Runs in the keeper."""
    return WithFiles(None, (os.dup(state.namespaces[node]),))
