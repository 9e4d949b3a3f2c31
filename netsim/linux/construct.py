"""Builds a plan, all at once: namespaces, then cables, then what each node has behind its cables.

What it costs, and why in this order: one unshare per node, with a netlink socket while one is in
there; both ends of a cable made in place by one message, many in one send; one batch per node.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from netsim.linux import cut, links, syscalls
from netsim.linux.keeper_state import KeeperState, current_namespace
from netsim.linux.netlink import Message, Netlink
from netsim.linux.sysctl import Settings, baseline
from netsim.model.plan import Interface, NodePlan, Plan


def build(state: KeeperState) -> None:
    """Make every node and link of the lab's plan; raises LabError. Runs in the keeper."""
    plan = state.plan
    settings: Settings = {}
    try:
        for node in plan.nodes:
            state.namespaces[node.node.name], settings = _enter_new_namespace(state, node, settings)
    finally:
        syscalls.setns(state.own_netns)
    made, ready = cables(plan, state.namespaces)
    own = Netlink("the lab")
    own.transact(made)
    own.close()
    for node in plan.nodes:
        _configure(state, node, frozenset(ready[node.node.name]))
    for node in plan.nodes:
        # The end that came up second had its carrier then; but a bridge takes no port that is not on yet.
        switched = node.node.kind == "switch"
        waiting = [one for one in node.interfaces if switched or one.index in ready[node.node.name]]
        links.wait_until_up(state, node.node.name, waiting)


def _enter_new_namespace(state: KeeperState, plan: NodePlan, settings: Settings) -> tuple[int, Settings]:
    """Make a node's namespace, with a netlink socket and the sysctls that all nodes have; gives these, once known."""
    name = plan.node.name
    syscalls.unshare(syscalls.CLONE_NEWNET)
    namespace = current_namespace()
    state.route[name] = Netlink(name)
    settings = settings or baseline(state.sysctls, state.plan.uses_ipv6)
    for key, value in settings[plan.node.kind].items():
        state.sysctls.write(name, key, value)
    return namespace, settings


def cables(plan: Plan, namespaces: Mapping[str, int]) -> tuple[list[Message], dict[str, set[int]]]:
    """The requests for all cables of a plan, and which interfaces of each node come up with them."""
    ends: list[list[tuple[str, Interface]]] = [[] for _ in plan.topology.links]
    for node in plan.nodes:
        for interface in node.interfaces:
            ends[interface.link].append((node.node.name, interface))
    messages = []
    ready: dict[str, set[int]] = {node.node.name: set() for node in plan.nodes}
    for link, ((a, a_end), (b, b_end)) in zip(plan.topology.links, ends, strict=True):
        messages.append(links.cable(a_end, namespaces[a], b_end, namespaces[b], link.id))
        ready[a].add(a_end.index)
    return messages, ready


def _configure(state: KeeperState, plan: NodePlan, ready: frozenset[int] = frozenset()) -> None:
    name = plan.node.name
    state.route[name].transact(links.configuration(plan, ready))
    if plan.node.sysctls:
        with state.inside(name):
            for key, value in plan.node.sysctls.items():
                state.sysctls.write(name, key, value)


def power_off(state: KeeperState, node: str) -> None:
    """Take a node's interfaces away from it, alive and plugged in, so that not one more frame leaves it.

    They wait in the keeper's own namespace, where nothing has an address. The far ends keep theirs, their
    routes and neighbours: an interface that is moved loses its carrier, and has it again before the kernel
    can tell anybody (both under one hold of RTNL). The dead namespace stays until the node is switched on again.
    """
    plan = state.plan.node(node)
    cut.cut_off(state, node)  # or it would answer by one interface that the others are gone
    state.route[node].transact([links.move(i.index, state.own_netns, f"off{i.index}") for i in plan.interfaces])
    state.route.pop(node).close()
    if node in state.filter:
        state.filter.pop(node).close()


def power_on(state: KeeperState, node: str) -> None:
    """Make a node anew, behind the same cables."""
    plan = state.plan.node(node)
    try:
        namespace, _ = _enter_new_namespace(state, plan, {})
    finally:
        syscalls.setns(state.own_netns)
    os.dup2(namespace, state.namespaces[node], inheritable=False)  # the old one goes, its name stays
    os.close(namespace)
    own = Netlink(node)
    own.transact([links.move(i.index, state.namespaces[node], i.name) for i in plan.interfaces])
    own.close()
    _configure(state, plan, frozenset(i.index for i in plan.interfaces))
    links.wait_until_up(state, node, plan.interfaces)
    for interface in plan.interfaces:
        if interface.peer in state.route:
            links.wait_until_up(state, interface.peer, [_far_end(state.plan, node, interface)])


def _far_end(plan: Plan, node: str, interface: Interface) -> Interface:
    return next(i for i in plan.node(interface.peer).interfaces if i.link == interface.link and i.peer == node)
