"""The ladder diagram: a lifeline per node, time running down, and every packet an arrow between two of them."""

from __future__ import annotations

from netsim.model.event import Packet
from netsim.model.plan import Plan
from netsim.model.timeline import Timeline
from netsim.report.addresses import host
from netsim.report.clock import clock
from netsim.report.details import columns
from netsim.report.layout import arrange
from netsim.report.lifelines import lifelines
from netsim.report.pen import Pen
from netsim.report.rows import Hop, Moment, Row, rows, shortened
from netsim.report.spans import Line, line

ROWS_MAX = 200


def ladder(timeline: Timeline, plan: Plan, width: int, limit: int = ROWS_MAX) -> list[Line]:
    """Draw a timeline at most `width` columns wide, and about `limit` rows long."""
    shown = shortened(rows(timeline, plan.owners), limit)
    if not shown:
        return [line(("Nothing was seen: no packet and no call.", "dim"))]
    hops = [row.transit for row in shown if isinstance(row, Hop)]
    talks = [(host(plan.owners, hop.packet.src), host(plan.owners, hop.packet.dst)) for hop in hops]
    order = lifelines(plan.topology, talks, [name for row in shown for name in _nodes(row) if name])
    times = clock(timeline)
    time_width = max(len(times.show(row.time_ns)) for row in shown)
    pen = Pen(arrange(order, hops, lambda ends: columns(hops, plan.owners, ends), time_width, width), times)
    drawn = [pen.header(), *(text for row in shown for text in pen.row(row))]
    arps = sum(isinstance(event, Packet) and event.protocol == "arp" for event in timeline.events)
    if arps:
        drawn.append(line((f"{arps} sightings of ARP frames are not drawn.", "dim")))
    return drawn


def _nodes(row: Row) -> list[str]:
    if isinstance(row, Hop):
        return [row.transit.sender, row.transit.receiver]
    return [row.node] if isinstance(row, Moment) else []
