"""Builds a plan, all at once: namespaces, then cables, then what each node has behind its cables.

What it costs, and why in this order: one unshare per node, with a netlink socket while one is in
there; both ends of a cable made in place by one message, many in one send; one batch per node.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from netsim.linux import links, syscalls
from netsim.linux.keeper_state import KeeperState, current_namespace
from netsim.linux.netlink import LinkWatch, Message, Netlink
from netsim.linux.sysctl import baseline
from netsim.model.plan import Interface, NodePlan, Plan


def build(state: KeeperState) -> None:
    """Make every node and link of the lab's plan; raises LabError. Runs in the keeper."""
    plan = state.plan
    settings = None
    try:
        for node in plan.nodes:
            syscalls.unshare(syscalls.CLONE_NEWNET)
            name = node.node.name
            state.namespaces[name] = current_namespace()
            state.route[name] = Netlink(name)
            settings = settings or baseline(state.sysctls, plan.uses_ipv6)
            for key, value in settings[node.node.kind].items():
                state.sysctls.write(name, key, value)
    finally:
        syscalls.setns(state.home)
    made, ready = cables(plan, state.namespaces)
    workshop = Netlink("the lab")
    workshop.transact(made)
    workshop.close()
    with _activated(state, _last_to_come_up(plan, ready)):
        for node in plan.nodes:
            _furnish(state, node, frozenset(ready[node.node.name]))


def _last_to_come_up(plan: Plan, ready: dict[str, set[int]]) -> list[tuple[str, int]]:
    """The end whose carrier comes last: it was up first, and its far end is furnished after all others.

    The kernel lets interfaces send in the order in which their carriers came, so one is enough.
    """
    for node in reversed(plan.nodes):
        for interface in reversed(node.interfaces):
            if interface.index not in ready[node.node.name]:
                return [(interface.peer, _far_end(plan, node.node.name, interface).index)]
    return []


def _far_end(plan: Plan, node: str, interface: Interface) -> Interface:
    return next(i for i in plan.node(interface.peer).interfaces if i.link == interface.link and i.peer == node)


@contextmanager
def _activated(state: KeeperState, ends: list[tuple[str, int]]) -> Iterator[None]:
    """Bring carriers up within; it is left when these ends can send.

    The kernel switches an interface on in the background after its carrier has come (linkwatch);
    until then it swallows what is sent, and a SYN would come again only a second later.
    """
    watches = []
    for node, index in ends:
        with state.inside(node):
            watches.append((LinkWatch(), index))
    try:
        yield
        for watch, index in watches:
            watch.wait_until_running(index)
    finally:
        for watch, _ in watches:
            watch.close()


def cables(plan: Plan, namespaces: Mapping[str, int]) -> tuple[list[Message], dict[str, set[int]]]:
    """The requests for all cables of a plan, and which interfaces of each node come up with them."""
    ends: list[list[tuple[str, Interface]]] = [[] for _ in plan.topology.links]
    for node in plan.nodes:
        for interface in node.interfaces:
            ends[interface.link].append((node.node.name, interface))
    messages = []
    ready: dict[str, set[int]] = {node.node.name: set() for node in plan.nodes}
    for link, ((a, a_end), (b, b_end)) in zip(plan.topology.links, ends, strict=True):
        messages.append(links.cable(a_end, namespaces[a], b_end, namespaces[b], link.name))
        ready[a].add(a_end.index)
    return messages, ready


def _furnish(state: KeeperState, plan: NodePlan, ready: frozenset[int] = frozenset()) -> None:
    name = plan.node.name
    state.route[name].transact(links.furnish(plan, ready))
    if plan.node.sysctls:
        with state.inside(name):
            for key, value in plan.node.sysctls.items():
                state.sysctls.write(name, key, value)


def power_off(state: KeeperState, node: str) -> None:
    """Take a node's cables away from it, alive and plugged in, so that not one more packet leaves it.

    The far ends keep their addresses and routes, and have their carrier again at once: they notice
    nothing. The dead namespace stays, empty and unplugged, until the node is switched on again.
    """
    plan = state.plan.node(node)
    with _activated(state, _peers(state, plan)):
        parked = Netlink(node)
        for interface in plan.interfaces:
            name, index = f"p{interface.link}-{interface.index}", _parked_index(state, interface)
            state.route[node].transact([links.move(interface.index, state.home, name, index)])
            parked.transact([links.up(index, name)])
        parked.close()
    state.route.pop(node).close()
    if node in state.filter:
        state.filter.pop(node).close()


def power_on(state: KeeperState, node: str) -> None:
    """Make a node anew, behind the same cables."""
    plan = state.plan.node(node)
    syscalls.unshare(syscalls.CLONE_NEWNET)
    try:
        namespace = current_namespace()
        state.route[node] = Netlink(node)
        for key, value in baseline(state.sysctls, state.plan.uses_ipv6)[plan.node.kind].items():
            state.sysctls.write(node, key, value)
    finally:
        syscalls.setns(state.home)
    os.dup2(namespace, state.namespaces[node], inheritable=False)  # the old one goes, its name stays
    os.close(namespace)
    with _activated(state, _peers(state, plan)):
        parked = Netlink(node)
        parked.transact(
            [links.move(_parked_index(state, i), state.namespaces[node], i.name, i.index) for i in plan.interfaces]
        )
        parked.close()
        _furnish(state, plan)


def _peers(state: KeeperState, plan: NodePlan) -> list[tuple[str, int]]:
    """The far ends of a node's cables, where there is a machine switched on."""
    found = [(i.peer, _far_end(state.plan, plan.node.name, i).index) for i in plan.interfaces]
    return [(peer, index) for peer, index in found if peer in state.route]


def _parked_index(state: KeeperState, interface: Interface) -> int:
    """A free index in the keeper's own namespace, which has nothing but lo and parked interfaces."""
    end = state.plan.topology.links[interface.link]
    far = interface.peer == end.a
    return 10 + 2 * interface.link + far
