"""A lab: a live topology. It owns everything that it made, and gives it back when it is left."""

from __future__ import annotations

import json
import os
import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from netsim.errors import LabError
from netsim.linux import construct, cut, netns_names, packet_filter, processes
from netsim.linux.keeper import Keeper, start_keeper, stay
from netsim.linux.keeper_state import KeeperState
from netsim.linux.packet_filter import Placed
from netsim.model.firewall import Rule, usual_chain
from netsim.model.plan import Plan

HOSTS = "hosts"
"""The lab's /etc/hosts, in its directory: what nodes' names mean inside the nodes."""
RESOLVER = "resolv.conf"
"""The lab's /etc/resolv.conf: empty, since no name server of the host's can be reached from a node."""
ABOUT = "about.json"
"""What `netsim ps` shows of a lab, in its directory."""


@dataclass(slots=True)
class Child:
    """A process on a node, forked by the keeper: its pid, the socket to it, and a pidfd."""

    pid: int
    sock: socket.socket
    pidfd: int

    def close(self) -> None:
        """Hang up. What the process does then is its own affair."""
        self.sock.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


@dataclass(slots=True)
class Lab:
    """The main process's hold on a lab. Use it as a context manager."""

    name: str
    plan: Plan
    keeper: Keeper
    rules: dict[str, list[Placed]] = field(default_factory=dict)
    """The packet-filter rules of each node, as they were placed."""
    _filter: Child | None = None
    _filter_ready: bool = False

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def down(self) -> None:
        """End everything on the lab and give it back; returns when that is done."""
        try:
            if self._filter:
                self._filter.close()
                self._filter = None
        finally:
            self.keeper.close()

    def end_filter_worker(self) -> None:
        """End the packet-filter worker: no more rules will be placed."""
        if self._filter:
            self.wait(self._filter)
            self._filter = None
            self._filter_ready = False

    def build(self) -> None:
        """Make every node and link, all but the packet filters' rules."""
        self.keeper.ask(_build)

    def fork(self, node: str, target: processes.Target, *args: object) -> Child:
        """Fork a process into a node ('' beside them all); it runs `target(socket, *args)`."""
        pid, (sock, pidfd) = self.keeper.ask_files(processes.fork_into, node, target, *args)
        return Child(pid, socket.socket(fileno=sock), pidfd)

    def kill(self, child: Child, number: int) -> None:
        """Send a signal to a child; one that has ended is left in peace."""
        self.keeper.ask(processes.kill_child, child.pid, number)

    def read_sysctl(self, node: str, key: str) -> str | None:
        """The value of a node's sysctl; None where this kernel has no such sysctl."""
        return self.keeper.ask(_read_sysctl, node, key)

    def wait(self, child: Child) -> int:
        """Hang up, wait for a child's end, and give its status as waitpid(2) does."""
        child.sock.close()
        if child.pidfd >= 0:
            poll = select.poll()
            poll.register(child.pidfd, select.POLLIN)
            poll.poll()  # here and not in the keeper, which must hear it when we are gone
        child.close()
        return self.keeper.ask(processes.wait, child.pid)

    def cut(self, link: int, arriving_at: str | None = None) -> None:
        """Cut a cable, in both directions or towards one end."""
        self.keeper.ask(cut.cut, link, arriving_at)

    def heal(self, link: int, arriving_at: str | None = None) -> None:
        """Mend a cut."""
        self.keeper.ask(cut.heal, link, arriving_at)

    def sysctl(self, node: str, key: str, value: str) -> None:
        """Set a sysctl of a node."""
        self.keeper.ask(_sysctl, node, key, value)

    def power_off(self, node: str) -> None:
        """Cut a node's power: no process, no socket, no packet of it is left. Captures must be closed before."""
        self.keeper.ask(_power_off, node)
        self.rules.pop(node, None)

    def power_on(self, node: str) -> None:
        """Start a node that was switched off, with the rules and sysctls of its topology."""
        self.keeper.ask(_power_on, node)
        self.place(node, self.plan.node(node).node.firewall)

    def place(self, node: str, rules: Sequence[Rule]) -> None:
        """Put packet-filter rules in place, behind those that are there."""
        if not rules:
            return
        kind = self.plan.node(node).node.kind
        wanted = [((rule.chain or usual_chain(kind)).upper(), self._resolved(rule)) for rule in rules]
        placed = packet_filter.ask(self.filter_worker(), "place", self._namespace(node), wanted)
        as_written = [replace(one, rule=rule) for one, rule in zip(placed, rules, strict=True)]
        self.rules.setdefault(node, []).extend(as_written)

    def remove(self, node: str, rule: Rule) -> None:
        """Take the last rule like this one away again."""
        place = max(i for i, one in enumerate(self.rules[node]) if one.rule == rule)
        gone = self.rules[node][place]
        packet_filter.ask(self.filter_worker(), "remove", self._namespace(node), [gone])
        later = [replace(o, number=o.number - 1) if o.chain == gone.chain else o for o in self.rules[node][place + 1 :]]
        self.rules[node][place:] = later

    def raise_firewalls(self) -> None:
        """Put every node's own rules in place, the last part of building."""
        for node in self.plan.nodes:
            self.place(node.node.name, node.node.firewall)

    def rule_packets(self) -> dict[str, list[Placed]]:
        """How many packets each rule has matched so far, by node."""
        return {
            node: packet_filter.ask(self.filter_worker(), "packets", self._namespace(node), placed)
            for node, placed in self.rules.items()
        }

    def filter_worker(self) -> socket.socket:
        """The packet-filter worker's socket; it is started on first use, and then waited for."""
        if self._filter is None:
            self.begin_filter_worker()
        assert self._filter is not None
        if not self._filter_ready:
            packet_filter.ready(self._filter.sock)
            self._filter_ready = True
        return self._filter.sock

    def begin_filter_worker(self) -> None:
        """Start the packet-filter worker without waiting until it has loaded its library."""
        self._filter = self.fork("", packet_filter.work)

    def read(self, node: str, path: str) -> str:
        """The text of a file under a node's /proc/net."""
        return self.keeper.ask(_read, node, path)

    def _namespace(self, node: str) -> int:
        _, (fd,) = self.keeper.ask_files(packet_filter.open_namespace, node)
        return fd

    def _resolved(self, rule: Rule) -> Rule:
        source, destination = (str(self.plan.address(n)) if n else None for n in (rule.source, rule.destination))
        return replace(rule, source=source, destination=destination)


def up(plan: Plan, name: str, directory: Path) -> Lab:
    """Build a lab, its journal in `directory`; raises LabError, InputError or HostError, and leaves nothing then."""
    lab = start(plan, name, directory)
    try:
        lab.build()
        lab.raise_firewalls()
    except BaseException:
        lab.down()
        raise
    return lab


def start(plan: Plan, name: str, directory: Path) -> Lab:
    """Start the processes behind a lab, with nothing built; the packet filter's library is loading meanwhile."""
    lab = Lab(name, plan, start_keeper(name, plan, directory))
    try:
        if any(node.node.firewall for node in plan.nodes):
            lab.begin_filter_worker()
    except BaseException:
        lab.down()
        raise
    return lab


def leave_standing(lab: Lab, about: dict[str, Any]) -> None:
    """Let a lab outlive this process; `about` is what `netsim ps` shall say of it."""
    lab.end_filter_worker()
    lab.keeper.ask(_write, ABOUT, json.dumps(about))
    lab.keeper.ask(stay)


def _build(state: KeeperState) -> None:
    construct.build(state)
    netns_names.show_names(state)
    _write(state, HOSTS, hosts_text(state.plan))
    _write(state, RESOLVER, "")
    cookies = []
    for node in state.namespaces:
        with state.inside(node):
            cookies.append(processes.cookie())
    state.journal.note("namespaces", cookies=[number for number in cookies if number])


def hosts_text(plan: Plan) -> str:
    """The lab's /etc/hosts."""
    lines = ["127.0.0.1 localhost", "::1 localhost"]
    return "\n".join([*lines, *(f"{address} {name}" for name, address in plan.addresses.items())]) + "\n"


def _write(state: KeeperState, name: str, content: str) -> None:
    path = state.journal.directory / name
    path.write_text(content)
    path.chmod(0o644)


def _sysctl(state: KeeperState, node: str, key: str, value: str) -> None:
    with state.inside(node):
        state.sysctls.write(node, key, value)


def _read_sysctl(state: KeeperState, node: str, key: str) -> str | None:
    with state.inside(node):
        return state.sysctls.read(key)


def _read(state: KeeperState, node: str, path: str) -> str:
    with state.inside(node), open(f"/proc/self/net/{path}", encoding="ascii") as file:
        return file.read()


def _power_off(state: KeeperState, node: str) -> None:
    if node not in state.route:
        raise LabError("crash", node, 3, "it is switched off already")
    construct.power_off(state, node)
    processes.kill_all(state, node)


def _power_on(state: KeeperState, node: str) -> None:
    if node in state.route:
        raise LabError("boot", node, 114, "it is running")
    construct.power_on(state, node)
