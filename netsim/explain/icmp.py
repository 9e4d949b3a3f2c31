"""Calls that failed because a machine on the way, or the last one, answered with an ICMP error (RFC 792; ip(7))."""

from __future__ import annotations

from netsim.analysis.filters import Placed
from netsim.analysis.paths import PacketPath
from netsim.explain.course import outstanding, stop_of
from netsim.explain.failing import Failing, failure
from netsim.explain.words import asked_in_vain, no_route, rule_place
from netsim.model.endpoint import Endpoint
from netsim.model.event import Icmp, Packet, Tcp
from netsim.model.explanation import Evidence, Failure
from netsim.model.icmp import REJECT_CODES, icmp_errno, icmp_name


def icmp_answer(f: Failing) -> Failure | None:
    """The errno of an ICMP error that came for a packet of this call's socket: REJECT makes one, so does a router."""
    found = told(f)
    if found is None:
        return None
    index, path, icmp = found
    said = icmp_name(icmp.kind, icmp.code)
    maker = path.maker
    if maker is None and not f.a.index.may_forge():
        maker = f.a.network.owner(path.src.address)
    about = f"{said}, came to {f.call.node} and quotes a packet of this socket"
    if maker is None:
        bears = f"that bears {f.words.host(path.src.address)}'s address"
        because = f"{f.said()} failed: an ICMP error {bears} came, {said}."
        return failure(f, "unknown", because, Evidence(f"an ICMP error {bears}, {about}", (index,)))
    came = Evidence(f"an ICMP error of {maker}, {about}", (index,))
    packet = path.packet
    unsure = failure(f, "unknown", f"{f.said()} failed: {maker} answered with an ICMP error, {said}.", came)
    if not _ends_it(f, maker):
        return unsure
    rule = _rule(f, maker, packet, icmp)
    if rule is not None:
        because = (
            f"{f.said()} was refused by {maker}'s packet filter: {rule_place(rule)} answered with an ICMP error, "
            f"{said}."
        )
        return failure(f, "firewall-reject", because, came, f.matched(rule))
    if maker == f.call.node:
        return None  # its own route, or neighbour: what it tells itself is no news to anybody else
    route = _route(f, maker, icmp)
    if route is not None:
        because = f"{f.said()} failed: {maker} {route}, and answered with an ICMP error, {said}."
        return failure(f, "router-route", because, came)
    silent = f.silent_neighbour(maker, icmp)
    if silent is not None:
        hop, asked = silent
        because = (
            f"{f.said()} failed: {maker} has to send it to {f.words.host(hop)}, its ARP requests for which got no "
            f"answer, and {maker} answered with an ICMP error, {said}."
        )
        requests = Evidence(asked_in_vain(maker, hop, asked), asked)
        return failure(f, "neighbour-silent", because, came, requests)
    return unsure


def _ends_it(f: Failing, maker: str) -> bool:
    """Is what an ICMP error told the reason for the end? Of a connection that stands it only names the errno.

    TCP goes on until its time is over (tcp_v4_err()): everything that it sent meanwhile must have ended at its maker.
    """
    connection = f.connection
    if connection is None or f.is_soft() or not connection.established(f.call.time_ns):
        return True
    told_at_once, limit = (
        f.socket.option(name, f.call.end_ns) if f.socket else None for name in ("recverr", "user_timeout")
    )
    if told_at_once is not None and told_at_once[1] not in {"0", "off"}:
        return True
    if limit is not None:
        return False
    stops = [stop_of(f, path) for path in outstanding(f, connection, f.end, f.call.end_ns).paths]
    return all(stop.node == maker and stop.kind in {"rejected", "no-route", "neighbour", "unsure"} for stop in stops)


def told(f: Failing) -> tuple[int, PacketPath, Icmp] | None:
    """The last ICMP error that had come for a packet of this socket, and that means this errno."""
    ends = _ends(f)
    if not f.errno or ends is None:
        return None
    since_ns = f.connection.begin_ns if f.connection else f.call.time_ns
    for path in reversed(f.a.icmp):
        icmp, hop = path.packet.segment, path.arrival(f.call.node)
        assert isinstance(icmp, Icmp)
        about = icmp.quoted_protocol == "tcp" and _quotes(icmp, ends)
        in_time = hop is not None and since_ns <= hop.time_ns <= f.call.end_ns
        if hop is not None and about and in_time and icmp_errno(icmp.kind, icmp.code) == f.errno:
            return hop.index if hop.came is None else hop.came, path, icmp
    return None


def _quotes(icmp: Icmp, ends: tuple[Endpoint, Endpoint]) -> bool:
    own, other = ends
    return icmp.quoted_src is not None and own.covers(icmp.quoted_src) and icmp.quoted_dst == other


def _ends(f: Failing) -> tuple[Endpoint, Endpoint] | None:
    """The socket's own end and the other, where any packet of it could be: OUTPUT may have let none onto a link."""
    if f.connection is not None:
        return f.end, f.connection.other(f.end)
    own, other = f.call.local, f.target
    return (own, other) if own is not None and own.port and other is not None else None


def _quoted(packet: Packet, icmp: Icmp) -> Packet:
    """The packet that an ICMP error is about, as far as it quotes it."""
    assert icmp.quoted_src is not None
    assert icmp.quoted_dst is not None
    return Packet(
        packet.time_ns, packet.node, "", None, "in", icmp.quoted_src, icmp.quoted_dst, Tcp("", icmp.quoted_seq, 0), 64
    )


def _rule(f: Failing, maker: str, packet: Packet, icmp: Icmp) -> Placed | None:
    """The REJECT rule at the ICMP error's maker that surely made it."""
    if maker not in f.a.network.nodes:
        return None
    quoted = _quoted(packet, icmp)
    if maker == f.call.node:
        outcome = f.a.forwarder.from_node(maker, quoted, packet.time_ns)
    else:
        outcome = f.a.forwarder.arriving(maker, quoted, packet.time_ns)
    rule = outcome.rule
    if outcome.node != maker or outcome.end != "rejected" or rule is None:
        return None
    return rule if REJECT_CODES.get(rule.rule.answers_with) == icmp.code and icmp.kind == 3 else None


def _route(f: Failing, maker: str, icmp: Icmp) -> str | None:
    """What a router's routes say of the destination, where they refuse it."""
    if maker not in f.a.network.nodes or f.target is None:
        return None
    kind = f.way(maker).kind
    destination = f.words.host(f.target.address)
    expected = {"none": 0, "throw": 0, "unreachable": 1, "prohibit": 13}
    if expected.get(kind) != icmp.code:
        return None
    return f"has {no_route(kind, destination)}"
