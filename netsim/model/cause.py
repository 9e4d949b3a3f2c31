"""Why a connection died, in a word: the ids are stable, reports and scenarios use them."""

from __future__ import annotations

CAUSES: dict[str, str] = {
    "closed-port": "no socket listens on that port, and the kernel said so",
    "firewall-reject": "a packet filter's REJECT answered in the place of the destination",
    "unread-data": "the program closed a socket with received data that it had not read",
    "linger-zero": "the program closed with SO_LINGER(1,0), which aborts instead of ending",
    "closed-socket": "data came for a connection that the program had already closed",
    "closed-listener": "the listener was closed before the program accepted the connection",
    "peer-forgot": "the peer no longer knows the connection: it rebooted, or its state expired",
    "silent-drop": "packets vanished on the way and nobody said so",
    "unknown": "the evidence does not single out one cause",
}
"""Cause id: what it means, in half a sentence."""
