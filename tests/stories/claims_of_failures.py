"""What the sentence of a failed call says, and what must be so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netsim.model.action import Boot, Heal
from netsim.model.duration import show_duration
from netsim.model.endpoint import Endpoint
from netsim.model.event import Arp, Drop, Icmp, Packet, Tcp
from netsim.model.explanation import Failure
from netsim.model.network import way_to
from tests.stories.claims_of_evidence import count_probes, journeys
from tests.stories.claims_of_resets import rule_decides
from tests.stories.facts import SLACK_NS, Journey, is_probe
from tests.stories.sentence import PLACE, Sentence, compiled, read


def of_failure(s: Sentence) -> Iterator[str]:
    """The sentence, and whose call it is."""
    assert isinstance(s.subject, Failure)
    said = (s.subject.who, s.subject.call, s.subject.errno)
    if said != (s.call.process, s.call.name, s.call.result):
        yield f"its event is {s.call}"
    start = f"{s.call.name}() of {s.call.process} "
    if not s.text.startswith(start):
        yield f"it is about {start}"
    yield from read(_FORMS, s, s.text.removeprefix(start))


def clause(s: Sentence, text: str) -> Iterator[str]:
    """A clause that says where the packets, or their answers, ended."""
    yield from read(_CLAUSES, s, text)


def gave(s: Sentence, result: str) -> Iterator[str]:
    if str(s.call.result) != result:
        yield f"it gave {s.call.result}"


# --- at home ---------------------------------------


def own_shutdown(s: Sentence, proc: str) -> Iterator[str]:
    shut = [c for c in s.full.by_socket.get(s.call.socket, []) if c.name == "shutdown" and c.time_ns <= s.call.time_ns]
    if not any(getattr(c.action, "how", "") in {"wr", "rdwr"} and not c.failed and c.process == proc for c in shut):
        yield f"it had not: {shut}"


def told_before(s: Sentence, call: str, proc: str, result: str) -> Iterator[str]:
    calls = s.full.by_socket.get(s.call.socket, [])
    fitting = [
        c for c in calls if (c.name, c.process, str(c.result)) == (call, proc, result) and c.time_ns < s.call.time_ns
    ]
    if not fitting:
        yield "no such call on this socket came before"
    elif any(c.name == "connect" and not c.failed and fitting[-1].time_ns < c.time_ns < s.call.time_ns for c in calls):
        yield "it was another connection of the socket"
    elif result in {"EAGAIN", "EINPROGRESS", "EINTR"}:
        yield "that is no death"


def port_taken(s: Sentence, proc: str, n: str, node: str, listens: bool) -> Iterator[str]:
    if node != s.call.node:
        yield "it is another node"
    for name, calls in s.full.by_socket.items():
        mine = [c for c in calls if c.process == proc and c.node == node and c.time_ns <= s.call.time_ns]
        death = s.full.death(name)
        bound = any(c.local and c.local.port == int(n) and c.made in {"", name} for c in mine)
        alive = death is None or death[1] > s.call.time_ns
        if bound and alive and name != s.call.socket and (not listens or any(c.name == "listen" for c in mine)):
            return
    yield f"{proc} does not {'listen on' if listens else 'have'} it"


def has_port(s: Sentence, proc: str, n: str, node: str) -> Iterator[str]:
    yield from port_taken(s, proc, n, node, False)


def listens_on(s: Sentence, proc: str, n: str, node: str) -> Iterator[str]:
    yield from port_taken(s, proc, n, node, True)


def left_behind(s: Sentence, node: str, n: str, state: str = "") -> Iterator[str]:
    before = s.call.time_ns
    ends = {
        (j.src, j.dst)
        for j in s.full.journeys
        if isinstance(j.segment, Tcp) and j.src.port == int(n) and j.maker == node
    }
    states = {_fins(s, own, other, node, before) for own, other in ends}
    if (state and state not in states) or not any(states):
        yield f"the connections of that port are in {states}"
    reuse = s.full.option(s.call.socket, "reuseaddr", s.call.time_ns)
    others = [
        n_
        for n_, calls in s.full.by_socket.items()
        if any(c.local and c.local.port == int(n) and c.node == node for c in calls)
    ]
    if reuse == "on" and all(s.full.option(o, "reuseaddr", s.call.time_ns) == "on" for o in others):
        yield "both had set SO_REUSEADDR"


def _fins(s: Sentence, own: Endpoint, other: Endpoint, node: str, before: int) -> str:
    """The state that the FINs of both sides leave a closed connection's end in."""
    sent = any("F" in j.tcp.flags and j.made_ns <= before for j in s.full.sent(own, other))
    ends = [j.tcp.end for j in s.full.sent(own, other) if "F" in j.tcp.flags and j.made_ns <= before]
    arrived = [j.tcp for j in s.full.sent(other, own) if (j.came_to(node) or before) < before]
    came = any("F" in tcp.flags for tcp in arrived)
    acked = any("A" in tcp.flags and tcp.ack == end for tcp in arrived for end in ends)
    if not sent:
        return ""
    return ("TIME_WAIT" if acked else "CLOSING") if came else ("FIN_WAIT2" if acked else "FIN_WAIT1")


def in_use(s: Sentence, node: str) -> Iterator[str]:
    if str(s.call.result) != "EADDRINUSE" or node != s.call.node:
        yield f"it is {s.call.result} on {s.call.node}"


def no_port(s: Sentence, node: str, low: str, high: str, end: str = "") -> Iterator[str]:
    words, kept = (
        (s.full.sysctl(node, f"net.ipv4.ip_local_{name}", s.call.time_ns) or "").split()
        for name in ("port_range", "reserved_ports")
    )
    if words != [low, high]:
        yield f"net.ipv4.ip_local_port_range is {words}"
    target = s.ends[1]
    if end and (target is None or s.full.name(target) != end):
        yield f"it is to {target}"
    used = {
        j.src.port
        for j in s.full.journeys
        if isinstance(j.segment, Tcp) and j.dst == target and j.maker == node and j.made_ns <= s.until_ns
    }
    used |= {c.local.port for c in s.full.calls if c.node == node and c.local and c.time_ns <= s.until_ns}
    free = [port for port in range(int(low), int(high) + 1) if port not in used]
    odd = len(range(int(low), int(high) + 1)) % 2  # a search tries an even number of them
    untold = sum(c.node == s.node and c.name == "bind" and str(c.action).startswith("0") for c in s.full.calls)
    if len(free) > odd + untold and not kept:
        yield f"{free} had never been used"


def at_once(s: Sentence, node: str, no_route: str) -> Iterator[str]:
    yield from route_is(s, node, no_route)
    target = s.ends[1]
    for journey in s.full.journeys:
        if journey.maker == node and journey.dst == target and s.call.time_ns <= journey.made_ns <= s.call.end_ns:
            yield f"a packet was sent: {journey.packet}"
    if s.call.end_ns - s.call.time_ns > 500 * SLACK_NS:
        yield f"it took {show_duration(s.call.end_ns - s.call.time_ns)}"


def route_is(s: Sentence, node: str, text: str, to: Endpoint | None = None) -> Iterator[str]:
    target = to or s.ends[1]
    if target is None:
        return
    kind = way_to(s.full.network, node, target.address).kind
    name = s.full.name(Endpoint(target.address, 0)).removesuffix(":0")
    said = f"a route of type {kind} to {name}" if kind != "none" else f"no route to {name}"
    fits = text.removeprefix("has ") == said or (kind == "throw" and text.removeprefix("has ") == f"no route to {name}")
    if not fits:
        yield f"{node} has {said}"


# --- an ICMP error ---------------------------------------


def by_icmp_rule(s: Sentence, node: str, rule: str, text: str) -> Iterator[str]:
    packet = _provoking(s)
    if packet is not None:
        yield from rule_decides(s, node, rule, packet, "reject", s.until_ns)
    yield from answered_with(s, node, text)


def _provoking(s: Sentence) -> Packet | None:
    """A packet of the failed call's socket, as a filter sees it."""
    own, other = s.ends
    if own is None or other is None:
        return None
    return Packet(s.until_ns, "", "", None, "out", own, other, Tcp("S", 0, 0))


def answered_with(s: Sentence, node: str, text: str) -> Iterator[str]:
    """That machine really made an ICMP error that means this, about this socket, and it came."""
    from tests.stories.claims_of_evidence import icmp_text

    own, other = s.ends
    for journey in s.full.icmps:
        icmp = journey.segment
        assert isinstance(icmp, Icmp)
        about = (icmp.quoted_src, icmp.quoted_dst) == (
            own,
            other,
        ) and s.begun_ns() - SLACK_NS <= journey.made_ns <= s.until_ns
        if about and journey.maker == node and journey.came_to(s.node) is not None and not list(icmp_text(icmp, text)):
            return
    yield f"no such ICMP error of {node}'s came"


def by_icmp_route(s: Sentence, node: str, no_route: str, text: str) -> Iterator[str]:
    yield from route_is(s, node, no_route)
    yield from answered_with(s, node, text)


def by_icmp_arp(s: Sentence, node: str, host: str, other: str, text: str) -> Iterator[str]:
    if node != other:
        yield "it names two machines"
    yield from silent_hop(s, node, host)
    yield from answered_with(s, node, text)


def icmp_came(s: Sentence, host: str, text: str) -> Iterator[str]:
    own, other = s.ends
    about = [j for j in s.full.icmps if (j.segment.quoted_src, j.segment.quoted_dst) == (own, other)]  # type: ignore[union-attr]
    if not any(s.full.name(Endpoint(j.packet.src.address, 0)).removesuffix(":0") == host for j in about):
        yield f"none of {host}'s came"


def by_icmp(s: Sentence, node: str, text: str) -> Iterator[str]:
    yield from answered_with(s, node, text)


def silent_hop(s: Sentence, node: str, host: str) -> Iterator[str]:
    """A node asked for a next hop by ARP, and was not answered until the end."""
    addresses = {a for a, owner in s.full.network.owners.items() if owner == host} | {host}
    since = min(s.begun_ns(), s.call.time_ns) - 5 * SLACK_NS
    arps = [p for _, p in s.full.of(Packet) if isinstance(p.segment, Arp) and p.node == node]
    asked = [
        p.time_ns
        for p in arps
        if p.segment == Arp("request") and p.direction == "out" and p.dst.address in addresses
        and since <= p.time_ns <= s.until_ns
    ]  # fmt: skip
    came = [p for p in arps if p.direction == "in" and p.src.address in addresses and not (p.lost or p.overheard)]
    answered = max((p.time_ns for p in came if p.time_ns <= s.until_ns), default=since)
    if not asked or answered > asked[-1]:
        yield f"{node} did not ask for {host}, or it answered"


# --- limits ---------------------------------------


def keepalive(s: Sentence, n: str | None = None) -> Iterator[str]:
    if n is not None:
        yield from count_probes(s, int(n))
    if s.full.option(s.call.socket, "keepalive", s.until_ns) != "on":
        yield "keepalive was not on"
    if str(s.call.result) != "ETIMEDOUT":
        yield f"it gave {s.call.result}"


def user_timeout(s: Sentence, value: str, text: str) -> Iterator[str]:
    if s.full.option(s.call.socket, "user_timeout", s.until_ns) != value:
        yield f"it was {s.full.option(s.call.socket, 'user_timeout', s.until_ns)}"
    yield from clause(s, text)


def zero_window(s: Sentence, end: str) -> Iterator[str]:
    own, other = s.ends
    if own is None or other is None or s.full.name(other) != end:
        yield f"the other end is {other}"
        return
    came = [
        j for j in s.full.sent(other, own) if (j.came_to(s.node) or 1 << 62) <= s.until_ns and "R" not in j.tcp.flags
    ]
    if not came or came[-1].tcp.window:
        yield f"its last window is {came[-1].tcp.window if came else None}"
        return


def refused_unseen(s: Sentence, node: str, rule: str) -> Iterator[str]:
    packet = _provoking(s)
    if packet is not None:
        yield from rule_decides(s, node, rule, packet, "reject", s.until_ns)


def gave_up(s: Sentence, text: str) -> Iterator[str]:
    for end, check in ((", and no reset or ICMP error came back", True), (", and no reset came back", False)):
        if text.endswith(end):
            yield from nothing_came(s, check)
            text = text.removesuffix(end)
            break
    yield from clause(s, text)


def nothing_came(s: Sentence, icmp_too: bool) -> Iterator[str]:
    own, other = s.ends
    if own is None or other is None:
        return
    since = s.begun_ns() - SLACK_NS
    for journey in s.full.sent(other, own):
        came = journey.came_to(s.node)
        if "R" in journey.tcp.flags and came is not None and since <= came <= s.until_ns:
            yield f"a reset came: {journey.packet}"
    for journey in s.full.icmps if icmp_too else ():
        icmp = journey.segment
        assert isinstance(icmp, Icmp)
        came = journey.came_to(s.node)
        if (icmp.quoted_src, icmp.quoted_dst) == (own, other) and came is not None and since <= came <= s.until_ns:
            yield f"an ICMP error came: {journey.packet}"


def given_up(s: Sentence, time: str, limit: str, text: str) -> Iterator[str]:
    if show_duration(s.call.end_ns - s.call.time_ns) != time:
        yield f"it took {show_duration(s.call.end_ns - s.call.time_ns)}"
    if found := re.fullmatch(r"the program's own SO_(RCV|SND)TIMEO of (\S+)", limit):
        if s.full.option(s.call.socket, f"{found[1].lower()}timeo", s.call.time_ns) != found[2]:
            yield f"it was {s.full.option(s.call.socket, found[1].lower() + 'timeo', s.call.time_ns)}"
        yield from waited(s, found[2])
    elif (limit == "the program's own limit") != s.call.traced:
        yield "whose limit?"
    yield from read(_DOING, s, text)


def waited(s: Sentence, limit: str) -> Iterator[str]:
    """The call lasted as long as its limit."""
    found = re.fullmatch(r"([\d.]+)(us|ms|s|min|h)", limit)
    if found is None:
        yield f"{limit} is no duration"
        return
    limit_ns = float(found[1]) * {"us": 1e3, "ms": 1e6, "s": 1e9, "min": 6e10, "h": 3.6e12}[found[2]]
    if s.call.end_ns - s.call.time_ns < 0.8 * limit_ns:
        yield "it did not last that long"


def would_have(s: Sentence, text: str, errno: str = "") -> Iterator[str]:
    yield from clause(s, text)
    if errno not in {"", "ETIMEDOUT", "EHOSTUNREACH"}:
        yield f"TCP ends nothing with {errno}"
    if errno == "ETIMEDOUT" and ("was cut" in text or "had no power" in text or "ARP" in text):
        yield "its neighbours cannot be reached, and ARP may fail first"
    for fault in s.full.faults:
        if isinstance(fault.action, Heal | Boot) and fault.time_ns > s.until_ns:
            yield f"what stopped it was mended later: {fault}"


def no_syn(s: Sentence, n: str, address: str = "") -> Iterator[str]:
    for journey in s.full.journeys:
        came = journey.came_to(s.node)
        syn = isinstance(journey.segment, Tcp) and journey.segment.flags == "S" and journey.dst.port == int(n)
        mine = journey.dst.address == address if address else s.full.owner(journey.dst) in {s.node, None}
        if syn and mine and came is not None and came <= s.until_ns:
            yield f"one came: {journey.packet}"


def none_ready(s: Sentence, n: str | None = None, address: str = "") -> Iterator[str]:
    own = next((c.local for c in s.full.by_socket.get(s.call.socket, []) if c.local), None)
    for address_, owner in s.full.network.owners.items() if own else ():
        if (
            owner == s.node
            and address in {"", address_}
            and own
            and s.full.waiting(s.node, Endpoint(address_, own.port), s.call.end_ns - SLACK_NS)
        ):
            yield "one waited"


def stood(s: Sentence, end: str | None = None) -> Iterator[str]:
    """No RST had come, and what the peer sent had come."""
    yield from nothing_came(s, False)
    own, other = s.ends
    if end is None or own is None or other is None:
        return
    if s.full.name(other) != end:
        yield f"the other end is {other}"
    if old := [j for j in waiting(s, own, other) if j.made_ns < s.until_ns - 300 * SLACK_NS]:
        yield f"what it sent was not acknowledged: {old[0].packet}"
    sent = [j for j in s.full.sent(other, own) if s.begun_ns() <= j.made_ns <= s.until_ns - SLACK_NS]
    lost = [j for j in sent if (j.tcp.length or "F" in j.tcp.flags) and j.came_to(s.node) is None]
    reached = {j.tcp.end for j in sent if j.came_to(s.node) is not None}
    if any(j.tcp.end not in reached for j in lost):
        yield f"this was on its way: {lost[0].packet}"


def waited_on(s: Sentence, end: str) -> Iterator[str]:
    """Nothing was set that ends a wait, and nothing stood between the two."""
    yield from stood(s, end)
    if s.full.option(s.call.socket, "keepalive", s.until_ns) not in {None, "off"}:
        yield "keepalive was on"
    own, other = s.ends
    for here, there in ((own, other), (other, own)):
        node = s.full.owner(here) if here else None
        if node is None or there is None:
            continue
        if s.full.off(node, s.until_ns):
            yield f"{node} had no power"
        link = way_to(s.full.network, node, there.address).link
        if link and any(s.full.cut(link, one, s.until_ns) for one in s.full.network.links[link]):
            yield f"{link} was cut"


def peer_was_off(s: Sentence, node: str, end: str | None = None) -> Iterator[str]:
    if s.ends[1] is None or s.full.owner(s.ends[1]) != node or (end and s.full.name(s.ends[1]) != end):
        yield f"the other end is {s.ends[1]}"
    if not s.full.crashes(node, s.begun_ns(), s.until_ns):
        yield f"{node} had lost no power since"


def came_and_dropped(s: Sentence, end: str, node: str, rule: str) -> Iterator[str]:
    own, other = s.ends
    if own is None or other is None or s.full.name(other) != end:
        yield f"the other end is {other}"
        return
    came = [j for j in s.full.sent(other, own) if j.came_to(node) is not None and j.made_ns <= s.until_ns]
    if not came:
        yield "nothing came"
        return
    yield from rule_decides(s, node, rule, came[-1].packet, "drop", came[-1].came_to(node) or s.until_ns)


def did_not_come(s: Sentence, end: str, text: str) -> Iterator[str]:
    if s.ends[1] is None or s.full.name(s.ends[1]) != end:
        yield f"the other end is {s.ends[1]}"
    yield from clause(s, text)


# --- where packets ended ---------------------------------------

_COUNTED = re.compile(rf"(\d+) (?:packets? to \S+ (?:vanished|did not get through) )?({PLACE})")


def lost(s: Sentence, lost: str, there: bool = True) -> Iterator[str]:
    """`3 packets to server:80 vanished on fw -- server, 1 at fw: rule ...`: so many really ended there, and no more."""
    target = re.match(r"(\d+) packets? to (\S+) (?:vanished|did not get through)", lost)
    assert target is not None
    if (target[1] == "1") != lost.startswith("1 packet to"):
        yield "a number and its noun do not agree"
    cited = [j for j in _of_evidence(s) if s.full.name(j.dst) == target[2]] or _answers(s, target[2])
    if not cited:
        yield f"no packet to {target[2]} is known"
        return
    alike = {(j.tcp.seq, j.tcp.length, "S" in j.tcp.flags, "F" in j.tcp.flags) for j in cited}
    gone = [
        j
        for j in s.full.sent(cited[0].src, cited[0].dst)
        if (j.tcp.seq, j.tcp.length, "S" in j.tcp.flags, "F" in j.tcp.flags) in alike
        and min(c.made_ns for c in cited) <= j.made_ns <= s.until_ns
        and not s.full.delivered(j)
        and (there or j.came_to(s.full.owner(j.dst) or "") is None)
    ]
    said = [(int(count), place) for count, place in _COUNTED.findall(lost)]
    if sum(count for count, _ in said) != len(gone):
        yield f"{len(gone)} such packets vanished"
    for count, place in said:
        here = [j for j in gone if not list(ended_at(s, j, place))]
        if len(here) != count:
            why = [list(ended_at(s, j, place)) for j in gone]
            yield f"{len(here)} vanished {place}: {why[:1]}"


def _answers(s: Sentence, end: str) -> list[Journey]:
    """What the peer sent after the first of the probes, where these are all that is cited."""
    own, other = s.ends
    if own is None or other is None or s.full.name(own) != end:
        return []
    since = min((j.made_ns for j in _of_evidence(s)), default=s.until_ns)
    return [j for j in s.full.sent(other, own) if since <= j.made_ns <= s.until_ns and "R" not in j.tcp.flags]


def _of_evidence(s: Sentence) -> list[Journey]:
    found: list[Journey] = []
    for one in s.evidence("went out", "the probes:"):
        found += journeys(Sentence(one.text, s.full, s.told, s.subject, one.events))
    return found


def ended_at(s: Sentence, journey: Journey, place: str) -> Iterator[str]:
    """Did a packet end at that place? Yields why not."""
    last = journey.seen_last
    if place.startswith("on "):
        link, cut, _ = place.removeprefix("on ").partition(", which was cut")
        over = last.direction == "out" or last.lost
        if last.link != link or not over:
            yield f"it was seen last at {last.node} on {last.link}, {last.direction}"
        elif cut and last.link is not None:
            towards = last.node if last.direction == "in" else s.full.network.other_end(last.link, last.node)
            if not s.full.cut(link, towards, last.time_ns):
                yield "that link was not cut"
        return
    node, _, what = re.sub(r"^at ", "", place).partition(
        ", which " if ", which" in place else ", " if ", " in place else ": "
    )
    node = re.match(r"[\w-]+", node)[0]  # type: ignore[index]
    if what == "had no power":
        yield from _had_no_power(s, last, node)
        return
    if (last.node, last.direction) != (node, "in") or last.lost:
        yield f"it was seen last at {last.node}, {last.direction}"
        return
    if what.startswith("rule"):
        action = "reject" if "(reject" in what else "drop"
        yield from rule_decides(s, node, what, journey.packet, action, last.time_ns)
    elif what.startswith("has "):
        yield from route_is(s, node, what, journey.dst)
    elif what.startswith("whose kernel"):
        yield from _dropped_by_kernel(s, journey, node, what.split()[-1])
    elif what.startswith("whose ARP"):
        yield from silent_hop(s, node, what.split()[4])
    elif what == "where its TTL ended" and last.ttl > 1:
        yield f"its TTL is {last.ttl}"


def _had_no_power(s: Sentence, last: Packet, node: str) -> Iterator[str]:
    if not s.full.off(node, last.time_ns):
        yield f"{node} had power"
    if last.node != node and last.link in s.full.network.links and node not in s.full.network.links[last.link or ""]:
        yield f"it was seen last at {last.node}"


def _dropped_by_kernel(s: Sentence, journey: Journey, node: str, reason: str) -> Iterator[str]:
    about = [e for _, e in s.full.of(Drop) if (e.node, e.src, e.dst) == (node, journey.src, journey.dst)]
    if not any(event.reason == reason and event.ident == journey.packet.ident for event in about):
        yield f"the kernel of {node} says {about}"


def lost_and(s: Sentence, lost_: str, text: str) -> Iterator[str]:
    """Some did not get there; of those that did, the clause tells."""
    yield from lost(s, lost_, there=False)
    yield from clause(s, text)


def never_left(s: Sentence, end: str, node: str, rule: str) -> Iterator[str]:
    target = s.ends[1]
    if target is None or s.full.name(target) != end:
        yield f"it is for {target}"
        return
    for journey in s.full.journeys:
        sent = journey.maker == node and journey.dst == target and isinstance(journey.segment, Tcp)
        mine = s.ends[0] is None or journey.src == s.ends[0]
        if sent and mine and s.call.time_ns <= journey.made_ns <= s.call.end_ns:
            yield f"this left: {journey.packet}"
            return
    packet = _provoking(s) or Packet(
        s.until_ns, node, "", None, "out", Endpoint(s.full.network.addresses.get(node, ""), 0), target, Tcp("S", 0, 0)
    )
    yield from rule_decides(s, node, rule, packet, "drop", s.until_ns)


def hop_silent(s: Sentence, host: str, node: str, link: str = "") -> Iterator[str]:
    yield from silent_hop(s, node, host)
    if link and not any(s.full.cut(link, end, s.until_ns) for end in s.full.network.links.get(link, ())):
        yield f"{link} was not cut"


def unreachable(s: Sentence, node: str, link: str) -> Iterator[str]:
    if not any(s.full.cut(link, end, s.until_ns) for end in s.full.network.links.get(link, ())) and not s.full.off(
        node, s.until_ns
    ):
        yield "it could be reached"


def would_vanish(s: Sentence, end: str, link: str) -> Iterator[str]:
    yield from _predicted(s, end, f"on {link}, which was cut")


def would_go(s: Sentence, end: str, node: str) -> Iterator[str]:
    yield from _predicted(s, end, f"at {node}, which had no power")


def would_drop(s: Sentence, end: str, node: str, rule: str) -> Iterator[str]:
    yield from _predicted(s, end, f"at {node}: {rule}")


def would_lack(s: Sentence, node: str, no_route: str) -> Iterator[str]:
    target = s.ends[1]
    yield from _predicted(s, s.full.name(target) if target else "", "")
    yield from route_is(s, node, no_route)


def _predicted(s: Sentence, end: str, place: str) -> Iterator[str]:
    """What nobody watched is said of what was sent: all of it went there."""
    own, other = s.ends
    if own is None or other is None or s.full.name(other) != end:
        yield f"it is for {other}"
        return
    sent = waiting(s, own, other)
    if not sent:
        yield "nothing was sent"
    for journey in sent if place else ():
        if problems := list(ended_at(s, journey, place)):
            yield f"one did not end there: {problems}"
            return


def answers_lost(s: Sentence, many: str, node: str, lost_: str) -> Iterator[str]:
    yield from count_came(s, many, node)
    yield from lost(s, lost_)


def count_came(s: Sentence, many: str, node: str) -> Iterator[str]:
    """So many of the packets that wait for an answer had come to a node."""
    own, other = s.ends
    if own is None or other is None:
        return
    sender, target = (other, own) if s.full.owner(own) == node and s.full.owner(other) != node else (own, other)
    count = 1 if many == "the packet" else int(many.split(maxsplit=1)[0])
    real = [j for j in waiting(s, sender, target) if (j.came_to(node) or 1 << 62) <= s.until_ns]
    if len(real) != count:
        yield f"{len(real)} came to {node}"


def waiting(s: Sentence, own: Endpoint, other: Endpoint) -> list[Journey]:
    """What an end had sent and nobody had acknowledged, as far as it could know, when the call ended."""
    since = s.begun_ns()
    sent = [j for j in s.full.sent(own, other) if since <= j.made_ns <= s.until_ns and "R" not in j.tcp.flags]
    if not sent:
        return []
    zero = sent[0].tcp.seq
    node = s.full.owner(own) or ""
    acked, heard_ns = -1, since
    for journey in s.full.sent(other, own):
        came = journey.came_to(node)
        usable = (
            came is not None
            and since <= came <= s.until_ns
            and "A" in journey.tcp.flags
            and "R" not in journey.tcp.flags
        )
        if not usable or not s.full.delivered(journey):
            continue
        reach = (journey.tcp.ack - zero + (1 << 31)) % (1 << 32) - (1 << 31)
        acked, heard_ns = max(acked, reach), journey.made_ns
    found = []
    for journey in sent:
        tcp = journey.tcp
        reach = (tcp.end - zero + (1 << 31)) % (1 << 32) - (1 << 31)
        carries = tcp.length or "S" in tcp.flags or "F" in tcp.flags
        probe = journey.made_ns > heard_ns and acked >= 0 and is_probe(tcp, (zero + acked) % (1 << 32))
        if (carries and reach > acked) or (probe and not (carries and reach > acked)):
            found.append(journey)
    return found


def rejected_at_home(s: Sentence, node: str, rule: str) -> Iterator[str]:
    yield from dropped_at_home(s, node, rule, "reject")


def dropped_at_home(s: Sentence, node: str, rule: str, action: str = "drop") -> Iterator[str]:
    own, other = s.ends
    if own is None or other is None:
        return
    came = [j for j in s.full.sent(other, own) if (j.came_to(node) or 1 << 62) <= s.until_ns]
    if not came:
        yield f"no answer came to {node}"
    for journey in came[-1:]:
        yield from rule_decides(s, node, rule, journey.packet, action, journey.made_ns)
    since = min((j.made_ns for j in waiting(s, own, other)), default=s.until_ns)
    lost_ = [j for j in s.full.sent(other, own) if since <= j.made_ns <= s.until_ns and j.came_to(node) is None]
    if any("R" not in j.tcp.flags for j in lost_):
        yield f"not all came back: {lost_[0].packet}"


def dropped_there(s: Sentence, many: str, end: str, node: str, rule: str) -> Iterator[str]:
    if (many == "the packet") != (" was dropped" in s.text):
        yield "a number and its verb do not agree"
    yield from count_came(s, many, node)
    own, other = s.ends
    if own is None or other is None:
        return
    src, dst = (own, other) if s.full.name(other) == end else (other, own)
    packet = Packet(s.until_ns, node, "", None, "in", src, dst, Tcp("A", 0, 0))
    yield from rule_decides(s, node, rule, packet, "drop", s.until_ns)


def zero_until_then(s: Sentence, end: str) -> Iterator[str]:
    own, other = s.ends
    said = [j.tcp for j in s.full.sent(other, own) if j.made_ns <= s.until_ns] if own and other else []
    if other is None or s.full.name(other) != end or not said or said[-1].window:
        yield f"its last word was {said[-1:]}"


def kernel_dropped(s: Sentence, many: str, end: str, node: str, value: str) -> Iterator[str]:
    if (many == "the packet") != (" dropped it " in s.text):
        yield "a number and its pronoun do not agree"
    yield from count_came(s, many, node)
    told = [event for _, event in s.full.of(Drop) if event.node == node and s.full.name(event.dst) == end]
    if sum(event.reason == value for event in told) < (1 if many == "the packet" else int(many.split(maxsplit=1)[0])):
        yield f"the kernel of {node} says {told}"


def got_it(s: Sentence, node: str) -> Iterator[str]:
    own, other = s.ends
    both = [(own, other), (other, own)] if own and other else []
    if not any(j.came_to(node) for a, b in both for j in s.full.sent(a, b) if s.full.owner(b) == node):
        yield f"{node} got nothing"


def back_arp(s: Sentence, node: str, host: str) -> Iterator[str]:
    yield from got_it(s, node)
    yield from silent_hop(s, node, host)


def back_route(s: Sentence, node: str, host: str, kind: str = "none") -> Iterator[str]:
    yield from got_it(s, node)
    if host not in {s.full.name(end).rpartition(":")[0] for end in s.ends if end}:
        yield f"it is about {s.ends}"
    address = s.full.network.addresses.get(host, host)
    if way_to(s.full.network, node, address).kind != kind:
        yield f"its route is {way_to(s.full.network, node, address).kind}"


def back_reject(s: Sentence, node: str, rule: str) -> Iterator[str]:
    yield from back_rule(s, node, rule, "reject")


def back_rule(s: Sentence, node: str, rule: str, action: str = "drop") -> Iterator[str]:
    yield from got_it(s, node)
    packet = _provoking(s)
    if packet is not None:
        answer = Packet(s.until_ns, node, "", None, "out", packet.dst, packet.src, packet.segment)
        yield from rule_decides(s, node, rule, answer, action, s.until_ns)


def queue_full(s: Sentence, node: str, proc: str, backlog: str, n: str = "") -> Iterator[str]:
    own, other = s.ends
    if own is None or other is None:
        return
    came = [j for j in s.full.sent(own, other) if j.tcp.flags == "S" and (j.came_to(node) or 1 << 62) <= s.until_ns]
    listening = [c for c in s.full.listens(node, other, s.until_ns) if c.process == proc]
    if not came or not listening:
        yield f"no SYN came, or {proc} does not listen"
        return
    latest = [c for c in s.full.by_socket[listening[0].socket] if c.name == "listen" and c.time_ns <= s.until_ns][-1]
    most = int(s.full.sysctl(node, "net.core.somaxconn", latest.time_ns) or 4096)
    if min(getattr(latest.action, "backlog", -1), most) != int(backlog):
        yield f"its backlog is {latest.action}"
    waited = s.full.waiting(node, other, came[-1].made_ns)
    if n and waited != int(n):
        yield f"{waited} waited"
    if waited <= int(backlog):
        yield "the queue was not full"
    if not s.full.grew(node, "TcpExtListenOverflows"):
        yield "ListenOverflows did not grow"


_FORMS = compiled((
    ("gave {result}; what was seen does not explain it.", gave),
    ("failed: {proc} had shut down its own sending side before.", own_shutdown),
    ("failed because the connection had died before: {call}() of {proc} had been told {result}.", told_before),
    ("failed because the socket had failed before: {call}() of {proc} had been told {result}.", told_before),
    ("failed because it could not be connected before: {call}() of {proc} had been told {result}.", told_before),
    ("failed: {proc} listens on port {n} of {node} already.", listens_on),
    ("failed: {proc} has port {n} of {node} already.", has_port),
    (("failed: a connection that {node} closed is still in {state:call} on port {n}, and not both sockets had set "
     "SO_REUSEADDR."), left_behind),
    (("failed: a connection that {node} closed has not come to its end yet on port {n}, and not both sockets had set "
     "SO_REUSEADDR."), left_behind),
    ("failed: the address is in use on {node}.", in_use),
    (("failed: {node} takes a port from {low:n} to {high:n} where a program names none (net.ipv4.ip_local_port_range), "
      "and it found none free."), no_port),
    (("failed: {node} takes a port from {low:n} to {high:n} where a program names none (net.ipv4.ip_local_port_range), "
      "and it found none free for another connection to {end}."), no_port),
    ("was refused by {node}'s packet filter: {rule} answered with an ICMP error, {text}.", by_icmp_rule),
    ("was refused by {node}'s packet filter: {rule} answers what it sent.", refused_unseen),
    ("failed at once: {node} itself {no_route}, and no packet was sent.", at_once),
    ("failed: {node} {no_route}, and answered with an ICMP error, {text}.", by_icmp_route),
    (("failed: {node} has to send it to {host}, its ARP requests for which got no answer, and {other:node} answered "
     "with an ICMP error, {text}."), by_icmp_arp),
    ("failed: {node} answered with an ICMP error, {text}.", by_icmp),
    ("failed: an ICMP error that bears {host}'s address came, {text}.", icmp_came),
    ("failed: {n} keepalive probe{s} went unanswered, and its TCP gave the connection up.", keepalive),
    ("failed: its keepalive probes went unanswered, and its TCP gave the connection up.", keepalive),
    ("failed: TCP_USER_TIMEOUT was {value}, and {text}.", user_timeout),
    (("did not finish: {end} announces a window of 0, as its receive buffer is full, and TCP may send nothing until "
     "that changes."), zero_window),
    ("was given up after {time}, by {limit}: {text}.", given_up),
    ("gave up: {text}.", gave_up),
))  # fmt: skip
"""What follows `CALL() of PROCESS`."""

_DOING = compiled((
    ("no connection was ready for it", none_ready),
    ("no SYN for port {n} was seen until then", no_syn),
    ("no SYN for port {n} of {address:host} was seen until then", no_syn),
    ("no connection to port {n} was ready for it", none_ready),
    ("no connection to port {n} of {address:host} was ready for it", none_ready),
    ("what was seen does not say what it waited for", lambda s: iter(())),
    ("the connection stood, {end} had nothing on its way to it, and it would have waited on", waited_on),
    ("{node} had lost its power, and {end} had nothing on its way to it", peer_was_off),
    ("{node} had lost its power, and what was seen does not say what it waited for", peer_was_off),
    ("the connection stood, and {end} had nothing on its way to it", stood),
    ("the connection stood, and what was seen does not say what it waited for", stood),
    ("what {end} sent did not come: {text}", did_not_come),
    ("what {end} sent came to {node} and was dropped there: {rule}", came_and_dropped),
    (("{text}; its TCP was still trying, and would have ended with ETIMEDOUT, or with EHOSTUNREACH if ARP had failed "
      "by then"), would_have),
    ("{text}; its TCP was still trying, and would have ended with {errno}", would_have),
    ("{text}; its TCP was still trying", clause),
    ("{text}", clause),
))  # fmt: skip

_CLAUSES = compiled((
    ("{lost}", lost),
    ("{many} came to {node}, which answered, and the answers were lost: {lost_:lost}", answers_lost),
    ("{many} for {end} came to {node} and was dropped there: {rule}", dropped_there),
    ("{many} for {end} came to {node} and were dropped there: {rule}", dropped_there),
    ("{many} for {end} came to {node}, whose kernel dropped it with reason {value}", kernel_dropped),
    ("{many} for {end} came to {node}, whose kernel dropped them with reason {value}", kernel_dropped),
    ("nothing for {end} left {node}: {rule} dropped it", never_left),
    ("{node}'s ARP requests for {host}, its next hop, got no answer: {link} was cut", hop_silent),
    ("{node}'s ARP requests for {host}, its next hop, got no answer", hop_silent),
    ("{node} could not be reached over {link}, and so ARP requests for it got no answer", unreachable),
    ("what was for {end} vanished on {link}, which was cut", would_vanish),
    ("what was for {end} went to {node}, which had no power", would_go),
    ("what was for {end} was dropped at {node}: {rule}", would_drop),
    ("{node} {no_route}", would_lack),
    ("the answers came back to {node} and were dropped there: {rule}", dropped_at_home),
    ("the answers came back to {node} and were rejected there: {rule}", rejected_at_home),
    ("{node} got it, and its ARP requests for {host}, its next hop on the way back, got no answer", back_arp),
    ("{end} announced a window of 0 until then", zero_until_then),
    ("{node} got it, and has no route back to {host}", back_route),
    ("{node} got it, and has a route of type {kind:value} back to {host}", back_route),
    ("{node} got it, and its own filter dropped the answer: {rule}", back_rule),
    ("{node} got it, and its own filter rejected the answer: {rule}", back_reject),
    (("the SYN came to {node}, where {proc} listens with a backlog of {backlog:n}, and {n} connection{s} waited to be "
     "accepted: the kernel drops further ones"), queue_full),
    (("the SYN came to {node}, where {proc} listens with a backlog of {backlog:n}, and more connections than that "
      "waited to be accepted: the kernel drops further ones"), queue_full),
    ("{lost_:lost}, and {text}", lost_and),
))  # fmt: skip
