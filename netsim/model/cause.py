"""Why a connection died, in a word: the ids are stable, reports and scenarios use them."""

from __future__ import annotations

CAUSES: dict[str, str] = {
    "closed-port": "no socket listens on that port, and the kernel said so",
    "service-stopped": "the program that listened on that port has stopped",
    "firewall-reject": "a packet filter's REJECT answered in the place of the destination",
    "unread-data": "the program closed a socket with received data that it had not read",
    "linger-zero": "the program closed with SO_LINGER(1,0), which aborts instead of ending",
    "closed-socket": "data came for a connection that the program had already closed",
    "closed-listener": "the listener was closed before the program accepted the connection",
    "process-died": "the process that had the socket ended without closing it",
    "peer-forgot": "the peer no longer knows the connection: it rebooted, or its state expired",
    "half-open-expired": "the handshake was never finished on the peer's side, which has given it up",
    "abort-on-overflow": "the accept queue was full, and tcp_abort_on_overflow resets then",
    "keepalive-expired": "keepalive probes went unanswered, and the connection was given up with a reset",
    "user-timeout": "TCP_USER_TIMEOUT ended the connection before the retransmissions did",
    "silent-drop": "packets vanished on the way and nobody said so",
    "host-firewall-drop": "a packet filter of one of the two ends dropped the packets in silence",
    "answer-lost": "the packets arrived, and the answers vanished on their way back",
    "no-way-back": "the packets arrived, and the other side has no route for its answers",
    "neighbour-silent": "the next hop could not be reached on its link: no ARP reply came",
    "own-route": "the node's own routes refuse that destination",
    "router-route": "a router on the way has no route to that destination, or one that refuses it",
    "backlog-full": "the listener's accept queue is full, and the kernel drops new connections in silence",
    "zero-window": "the other side's receive buffer is full, as its program does not read",
    "own-shutdown": "the program had shut its own sending side down",
    "address-in-use": "another socket has that address and port",
    "ports-exhausted": "no local port is left for another connection",
    "echo": "the connection had died before, and a call had been told why",
    "given-up": "the script's or the program's own limit ended the call, not TCP",
    "unknown": "the evidence does not single out one cause",
}
"""Cause id: what it means, in half a sentence."""
