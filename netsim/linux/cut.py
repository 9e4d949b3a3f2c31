"""Cuts a cable without unplugging it: frames vanish, the carrier stays, no machine notices.

A netdev chain of nf_tables on ingress whose policy is to drop, at the end where frames arrive
(Linux 4.2); packet taps sit before it, so a capture at that end still shows the frame that was lost.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from itertools import chain

from netsim.errors import LabError
from netsim.linux.keeper_state import KeeperState
from netsim.linux.netlink import CREATE, Message, be32, nested, text
from netsim.model.plan import Interface

_SUBSYS_NFTABLES = 10
_BATCH_BEGIN, _BATCH_END = 16, 17
_NEWTABLE, _DELTABLE, _NEWCHAIN = (_SUBSYS_NFTABLES << 8 | kind for kind in (0, 2, 3))
_NETDEV = 5
_INGRESS = 0
_DROP = 0
_HOOKNUM, _PRIORITY, _DEV = 1, 2, 3
_AT_ONCE = 256
"""Interfaces in one batch, which must fit in the socket's buffer."""


def cut(state: KeeperState, link: int, arriving_at: str | None = None) -> None:
    """Drop what arrives over a link, at one end or (None) at both. When it returns, nothing passes any more."""
    for node, interface in _ends(state, link, arriving_at):
        _batch(state, node, *_drop(interface, _table(interface)))


def heal(state: KeeperState, link: int, arriving_at: str | None = None) -> None:
    """Undo exactly one cut."""
    for node, interface in _ends(state, link, arriving_at):
        table = _family(_NETDEV) + text(1, _table(interface))
        _batch(state, node, Message(_DELTABLE, 0, table, f"heal {interface.name}"))


def cut_off(state: KeeperState, node: str) -> None:
    """Drop what arrives at a node, over all its cables at once, where this kernel can."""
    interfaces = state.plan.node(node).interfaces
    with suppress(LabError):  # no CONFIG_NF_TABLES_NETDEV, of which `netsim doctor` tells
        for first in range(0, len(interfaces), _AT_ONCE):
            some = interfaces[first : first + _AT_ONCE]
            _batch(state, node, *chain.from_iterable(_drop(one, f"netsim-off-{one.name}") for one in some))


def _drop(interface: Interface, name: str) -> tuple[Message, Message]:
    table = text(1, name)
    base_chain = (
        table
        + text(3, "cut")
        + nested(4, be32(_HOOKNUM, _INGRESS), be32(_PRIORITY, 0), text(_DEV, interface.name))
        + be32(5, _DROP)
        + text(7, "filter")
    )
    return (
        Message(_NEWTABLE, CREATE, _family(_NETDEV) + table, "make an nf_tables netdev table"),
        Message(_NEWCHAIN, CREATE, _family(_NETDEV) + base_chain, f"cut {interface.name}"),
    )


def _ends(state: KeeperState, link: int, node: str | None) -> list[tuple[str, Interface]]:
    found = [(n.node.name, i) for n in state.plan.nodes for i in n.interfaces if i.link == link]
    return [(name, interface) for name, interface in found if node in (None, name)]


def _table(interface: Interface) -> str:
    return f"netsim-cut-{interface.name}"


def _family(family: int, resource: int = 0) -> bytes:
    return struct.pack("!BBH", family, 0, resource)  # struct nfgenmsg


def _batch(state: KeeperState, node: str, *messages: Message) -> None:
    begin = Message(_BATCH_BEGIN, 0, _family(0, _SUBSYS_NFTABLES), "begin")
    end = Message(_BATCH_END, 0, _family(0, _SUBSYS_NFTABLES), "end")
    state.netfilter(node).batch(begin, list(messages), end)
