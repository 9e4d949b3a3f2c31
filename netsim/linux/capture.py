"""Packet sockets: every frame that a node sends or receives, on any interface (packet(7))."""

from __future__ import annotations

import ctypes
import os
import socket
import struct

from netsim.linux.channel import WithFiles
from netsim.linux.keeper_state import KeeperState

SNAP_BYTES = 160
"""Enough for Ethernet, IPv6, TCP with all its options, and what an ICMP error quotes."""

_ETH_P_ALL = 3
_SO_TIMESTAMPNS, _SO_ATTACH_FILTER, _SO_RCVBUFFORCE = 35, 26, 33
_BUFFER_BYTES = 16 << 20
_RETURN = 0x06


def open_captures(state: KeeperState, nodes: tuple[str, ...]) -> WithFiles:
    """Open a capture on each of these nodes, and give the inode numbers of their namespaces; both in their order.

    Runs in the keeper.
    """
    fds = []
    for node in nodes:
        with state.inside(node):
            fds.append(_open())
    return WithFiles(tuple(os.fstat(state.namespaces[node]).st_ino for node in nodes), tuple(fds))


def _open() -> int:
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(_ETH_P_ALL))
    program = ctypes.create_string_buffer(struct.pack("=HBBI", _RETURN, 0, 0, SNAP_BYTES))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", 1, ctypes.addressof(program)))
    try:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    except OSError:  # without root on the host: net.core.rmem_max is the most
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    return sock.detach()
