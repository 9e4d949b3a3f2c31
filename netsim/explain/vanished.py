"""Packets that did not get through: where they ended, by what, and what that is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from netsim.explain.course import Kind, Stop
from netsim.explain.failing import Failing
from netsim.explain.words import plural
from netsim.model.endpoint import Endpoint
from netsim.model.explanation import Evidence

OR_BY_ARP = "ETIMEDOUT, or with EHOSTUNREACH if ARP had failed by then"
"""Where a neighbour cannot be reached its entry fails in the end, and whoever sends is told so."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Why nothing came back: the cause, a clause that ends `what was sent ...`, and what shows it."""

    cause: str
    clause: str
    """`3 packets to server:80 vanished on fw -- server, which was cut`."""
    proof: tuple[Evidence, ...] = ()
    ended_by_tcp: str = "ETIMEDOUT"
    """What the call would have come to by itself."""


_CAUSES: dict[Kind, str] = {
    "cut": "silent-drop",
    "off": "silent-drop",
    "lost": "silent-drop",
    "no-route": "router-route",
    "neighbour": "neighbour-silent",
}


def vanished(f: Failing, stops: Sequence[Stop]) -> Silence:
    causes = {cause_of(f, stop) for stop in stops}
    cause = causes.pop() if len(causes) == 1 else "unknown"
    return Silence(cause, lost_on(f, stops), proof_of(stops), ends_with(stops))


def ends_with(stops: Sequence[Stop]) -> str:
    """The errno that TCP gives in the end where packets stop so."""
    return "ETIMEDOUT" if all(stop.kind in {"dropped", "arrived"} for stop in stops) else OR_BY_ARP


def cause_of(f: Failing, stop: Stop) -> str:
    if stop.kind in {"dropped", "rejected"} and stop.rule is not None:
        return "firewall-reject" if stop.kind == "rejected" else dropped_at(f, stop.node, stop.path.dst)
    return _CAUSES.get(stop.kind, "unknown")


def dropped_at(f: Failing, node: str, target: Endpoint) -> str:
    """The cause of what a node's filter drops: one of the two ends, or somebody between them."""
    return "host-firewall-drop" if node in {f.call.node, f.a.network.owner(target.address)} else "silent-drop"


def lost_on(f: Failing, stops: Sequence[Stop]) -> str:
    """`3 packets to server:80 vanished on fw -- server, which was cut`, place by place."""
    by_place: dict[str, int] = {}
    for stop in stops:
        place = stop.place(f.words)
        by_place[place] = by_place.get(place, 0) + 1
    target = f.words.end(stops[0].path.dst)
    first, *rest = by_place.items()
    how = "did not get through" if any(stop.kind == "rejected" for stop in stops) else "vanished"
    said = f"{plural(first[1], 'packet')} to {target} {how} {first[0]}"
    return "".join([said, *(f", {count} {place}" for place, count in rest)])


def proof_of(stops: Sequence[Stop]) -> tuple[Evidence, ...]:
    sent = Evidence(
        f"{len(stops)} packets went out, and none of them came through"
        if len(stops) > 1
        else "the packet went out, and did not come through",
        tuple(stop.path.hops[0].index for stop in stops),
    )
    first: dict[tuple[str, str, str | None], Stop] = {}
    for stop in stops:
        if stop.events:
            first.setdefault((stop.kind, stop.node, stop.link), stop)
    faults = {stop.shown_by(): stop.events for stop in first.values()}
    return (*(Evidence(text, events) for text, events in faults.items()), sent)
