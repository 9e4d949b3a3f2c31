"""The messages that make links, addresses and routes (rtnetlink(7))."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address

from netsim.linux.netlink import CREATE, EXCL, Message, attribute, nested, text, u32
from netsim.model.plan import Interface, NodePlan, PlannedRoute

_NEWLINK, _SETLINK, _NEWADDR, _NEWROUTE = 16, 19, 20, 24
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MASTER, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 1, 3, 10, 18, 28
_IFLA_NUM_TX_QUEUES, _IFLA_NUM_RX_QUEUES, _IFLA_GSO_MAX_SEGS = 31, 32, 40
_INFO_KIND, _INFO_DATA, _VETH_INFO_PEER, _BR_MCAST_SNOOPING = 1, 2, 1, 23
_IFF_UP = 1
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


def move(index: int, namespace: int, name: str, at: int) -> Message:
    """Move an interface to another namespace under a name and an index of its own there."""
    body = _ifinfo.pack(0, 0, index, 0, 0) + u32(_IFLA_NET_NS_FD, namespace) + text(_IFLA_IFNAME, name)
    return Message(_SETLINK, 0, body + u32(_IFLA_NEW_IFINDEX, at), f"move {name}")


_IFLA_NEW_IFINDEX = 49


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


def furnish(plan: NodePlan, ready: frozenset[int] = frozenset()) -> list[Message]:
    """Everything that a node needs behind its cables; interfaces whose index is in `ready` are up already."""
    messages = [up(_LO, "lo")]
    messages += [up(i.index, i.name) for i in plan.interfaces if i.index not in ready]
    if plan.node.kind == "switch":
        messages += bridge(plan.interfaces[-1].index + 1 if plan.interfaces else 2, plan.interfaces)
    messages += [address(i) for i in plan.interfaces if i.address is not None]
    messages += [route(line) for line in plan.routes]
    return messages
