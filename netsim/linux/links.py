"""Links, addresses and routes: the messages that make them (rtnetlink(7)), and the wait until a link can be used."""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address

from netsim.errors import LabError
from netsim.linux.keeper_state import KeeperState
from netsim.linux.netlink import (
    CREATE,
    EXCL,
    NETLINK_ROUTE,
    Message,
    Netlink,
    attribute,
    find_attribute,
    nested,
    text,
    u32,
)
from netsim.model.plan import Interface, NodePlan, PlannedRoute

LIMIT_S = 60.0
"""After so long without any news the kernel will not switch an interface on any more."""

_NEWLINK, _GETLINK, _SETLINK, _NEWADDR, _NEWROUTE = 16, 18, 19, 20, 24
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 10, 18, 28
_IFLA_NUM_TX_QUEUES, _IFLA_NUM_RX_QUEUES, _IFLA_GSO_MAX_SEGS = 31, 32, 40
_IFLA_OPERSTATE, _IFLA_EXT_MASK, _IFLA_NEW_IFINDEX = 16, 29, 49
_INFO_KIND, _INFO_DATA, _VETH_INFO_PEER, _BR_MCAST_SNOOPING = 1, 2, 1, 23
_RTMGRP_LINK = 1
_IFF_UP = 1
_IF_OPER_UP = 6
_WITHOUT_STATISTICS = u32(_IFLA_EXT_MASK, 1 << 3)
_IFA_F_NODAD = 2
_LO = 1
_ROUTE_KINDS = {"unicast": 1, "blackhole": 6, "unreachable": 7, "prohibit": 8, "throw": 9}

_ifinfo = struct.Struct("=BxHiII")
_ifaddr = struct.Struct("=BBBBI")
_rtmsg = struct.Struct("=BBBBBBBBI")

_ONE_QUEUE = (
    u32(_IFLA_NUM_TX_QUEUES, 1)
    + u32(_IFLA_NUM_RX_QUEUES, 1)
    + u32(_IFLA_GSO_MAX_SEGS, 1)  # so that a capture shows the segments of the wire, not 18 KB super-packets
)
_VETH = text(_INFO_KIND, "veth")


def _end(interface: Interface, namespace: int, end: int) -> bytes:
    # The address says which cable and which end: 02:00 is locally administered.
    mac = struct.pack("!HI", 0x0200, interface.link << 8 | end)
    return (
        text(_IFLA_IFNAME, interface.name)
        + attribute(_IFLA_ADDRESS, mac)
        + u32(_IFLA_NET_NS_FD, namespace)
        + _ONE_QUEUE
    )


def cable(a: Interface, a_namespace: int, b: Interface, b_namespace: int, what: str) -> Message:
    """A veth pair, each end made in its own namespace: neither is ever seen in this one. `a` comes up at once."""
    peer = attribute(_VETH_INFO_PEER, _ifinfo.pack(0, 0, b.index, 0, 0) + _end(b, b_namespace, 2))
    body = (
        _ifinfo.pack(0, 0, a.index, _IFF_UP, _IFF_UP)
        + _end(a, a_namespace, 1)
        + nested(_IFLA_LINKINFO, _VETH, nested(_INFO_DATA, peer))
    )
    return Message(_NEWLINK, CREATE | EXCL, body, f"make the cable {what}")


def up(index: int, name: str) -> Message:
    return Message(_SETLINK, 0, _ifinfo.pack(0, 0, index, _IFF_UP, _IFF_UP), "set", name, "up")


def move(index: int, namespace: int, name: str) -> Message:
    """Move an interface to another namespace under a name of its own there, and set it up again in the same breath."""
    body = _ifinfo.pack(0, 0, index, _IFF_UP, _IFF_UP) + u32(_IFLA_NET_NS_FD, namespace) + text(_IFLA_IFNAME, name)
    return Message(_SETLINK, 0, body + u32(_IFLA_NEW_IFINDEX, index), f"move {name}")


def bridge(index: int, ports: tuple[Interface, ...]) -> list[Message]:
    """A bridge over a switch's ports, forwarding at once: no spanning tree, no multicast snooping."""
    data = nested(_INFO_DATA, attribute(_BR_MCAST_SNOOPING, b"\0"))
    made = (
        _ifinfo.pack(0, 0, index, _IFF_UP, _IFF_UP)
        + text(_IFLA_IFNAME, "br0")
        + nested(_IFLA_LINKINFO, text(_INFO_KIND, "bridge"), data)
    )
    return [
        Message(_NEWLINK, CREATE | EXCL, made, "make br0"),
        *(
            Message(
                _SETLINK,
                0,
                _ifinfo.pack(0, 0, port.index, 0, 0) + u32(_IFLA_MASTER, index),
                f"plug {port.name} in",
            )
            for port in ports
        ),
    ]


def address(interface: Interface) -> Message:
    found = interface.address
    assert found is not None
    family, flags = (2, 0) if isinstance(found, IPv4Address) else (10, _IFA_F_NODAD)
    body = _ifaddr.pack(family, interface.prefixlen, flags, 0, interface.index)
    packed = found.packed
    both = attribute(2, packed) + attribute(1, packed)  # IFA_LOCAL, IFA_ADDRESS
    return Message(_NEWADDR, CREATE | EXCL, body + both, "give", interface.name, "the address", found)


def route(line: PlannedRoute) -> Message:
    destination = line.destination
    family = 2 if destination.version == 4 else 10
    body = _rtmsg.pack(family, destination.prefixlen, 0, 0, 254, 4, 0, _ROUTE_KINDS[line.kind], 0)
    body += attribute(1, destination.network_address.packed)  # RTA_DST; table main, protocol static
    if line.via is not None:
        body += attribute(5, line.via.packed)  # RTA_GATEWAY
    return Message(_NEWROUTE, CREATE | EXCL, body, "add the route to", destination)


def configuration(plan: NodePlan, ready: frozenset[int] = frozenset()) -> list[Message]:
    """Everything that a node needs behind its cables; interfaces whose index is in `ready` are up already."""
    messages = [up(_LO, "lo")]
    messages += [up(i.index, i.name) for i in plan.interfaces if i.index not in ready]
    if plan.node.kind == "switch":
        messages += bridge(plan.interfaces[-1].index + 1 if plan.interfaces else 2, plan.interfaces)
    messages += [address(i) for i in plan.interfaces if i.address is not None]
    messages += [route(line) for line in plan.routes]
    return messages


def wait_until_up(state: KeeperState, node: str, interfaces: Sequence[Interface]) -> None:
    """Wait until all of these interfaces of a node can send; raises LabError for one that never can.

    The kernel switches an interface on in the background after its carrier has come (net/core/link_watch.c).
    Until then it swallows what is sent, a SYN would come again only a second later, and a bridge's port is closed.

    To ask for an interface switches it on since Linux 6.8 (commit facd15dfd691); before, the news that
    it is on have to be waited for. News may be lost (ENOBUFS), so they only say when to ask again.
    """
    route = state.route[node]
    late = [one for one, up in zip(interfaces, are_up(route, interfaces), strict=True) if not up]
    if late:
        with state.inside(node), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_ROUTE) as news:
            news.bind((0, _RTMGRP_LINK))
            news.settimeout(LIMIT_S)
            for interface in late:
                _wait(route, news, interface)


def _wait(route: Netlink, news: socket.socket, interface: Interface) -> None:
    while not all(are_up(route, [interface])):
        try:
            news.recv(1 << 16)
        except TimeoutError:
            wanted = f"wait for the carrier of {interface.name}"
            said = f"nothing has come from {interface.peer} for {LIMIT_S:.0f} s"
            raise LabError(wanted, route.node, errno.ETIMEDOUT, said) from None
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise


def are_up(route: Netlink, interfaces: Sequence[Interface]) -> list[bool]:
    """Ask of each interface whether it can send: operational state UP (RFC 2863)."""
    asked = [
        Message(_GETLINK, 0, _ifinfo.pack(0, 0, one.index, 0, 0) + _WITHOUT_STATISTICS, "look at", one.name)
        for one in interfaces
    ]
    return [
        find_attribute(answer[_ifinfo.size :], _IFLA_OPERSTATE) == bytes([_IF_OPER_UP]) for answer in route.query(asked)
    ]
