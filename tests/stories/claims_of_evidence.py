"""What each evidence text says, and what must be so, and be cited, where it says it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netsim.model.action import Crash, Cut, Shutdown
from netsim.model.duration import show_duration
from netsim.model.endpoint import Endpoint
from netsim.model.event import Arp, Call, Counters, Drop, Fault, Icmp, Kernel, Packet, ProcessEnd, RuleHit, Tcp
from netsim.model.explanation import Failure, Reset
from netsim.model.network import way_to
from netsim.model.result import Signalled
from tests.stories.facts import SLACK_NS, Journey, closes, is_probe, same
from tests.stories.sentence import Check, Sentence, compiled, read


def of_evidence(s: Sentence) -> Iterator[str]:
    for index in s.events:
        if s.event(index) is None:
            yield f"event {index} does not exist"
            return
    yield from read(_FORMS, s, s.text)


# --- what is cited ---------------------------------------


def packets(s: Sentence, count: int | None = None) -> Iterator[str]:
    """Only packets are cited, each once, and as many as are spoken of."""
    if len(s.cited(Packet)) != len(s.events):
        yield "not all that is cited are packets"
    if count is not None and len(set(s.events)) != count:
        yield f"it speaks of {count}, and cites {len(set(s.events))}"


def journeys(s: Sentence) -> list[Journey]:
    """The whole journeys of the packets that are cited."""
    found = [s.full.journey(packet) for packet in s.cited(Packet)]
    return [one for one in found if one is not None]


def only(s: Sentence, kind: type) -> Iterator[str]:
    if not s.events or any(not isinstance(s.event(i), kind) for i in s.events):
        yield f"what is cited is no {kind.__name__}: {[type(s.event(i)).__name__ for i in s.events]}"


def on_own_socket(s: Sentence) -> Iterator[str]:
    """The calls that are cited are made on the socket that it is about, or on the listener that it came from."""
    own, other = s.ends
    if own is None or other is None:
        return
    if isinstance(s.subject, Failure):
        names = {s.call.socket}
    else:
        names = set(s.full.sockets(s.node, own, other, s.until_ns)[:1])
    for name in list(names):
        names |= {call.socket for call in s.full.by_socket.get(name, []) if call.made == name}
    for call in s.cited(Call):
        if call.socket not in names:
            yield f"{call.name}() of {call.process} is on another socket, {call.socket}, not on {sorted(names)}"


def ended(s: Sentence, text: str) -> Iterator[str]:
    """`server closed it`, `server was killed by SIGKILL`: it did, it had the socket, and it is what is cited."""
    proc, _, how = text.partition(" ")
    own, other = s.ends
    names = s.full.sockets(s.node, own, other, s.until_ns)[:1] if own and other else []
    names += [name for name, _, _ in s.full.listeners(s.node, own.port if own else 0, s.until_ns + SLACK_NS)]
    ends = [s.full.death(name) for name in names]
    fitting = [death for death in ends if death is not None and death[2].process == proc and _is_so(death[2], how)]
    if not fitting:
        yield f"no such end: {text}; the ends were {[d[2] for d in ends if d]}"
        return
    if min(death[0] for death in fitting) > s.until_ns + SLACK_NS:
        yield f"{text} only later"
    death = s.full.death(names[0]) if names else None
    if own and other and death is not None and death in fitting:
        yield from lived_on(s, own, other, death[1])
    wrong = [one for one in s.endings if one.process != proc or not _is_so(one, how)]
    if wrong:
        yield f"it cites {wrong[0]} for {text}"


def all_endings(s: Sentence) -> Iterator[str]:
    if not s.events or len(s.endings) != len(s.events):
        yield f"what is cited ends no socket: {[type(s.event(i)).__name__ for i in s.events]}"


def lived_on(s: Sentence, own: Endpoint, other: Endpoint, end_ns: int) -> Iterator[str]:
    """The kernel's own account: a socket that ended can be neither ESTABLISHED nor CLOSE_WAIT afterwards."""
    for event in s.full.kernels:
        mine = (event.node, event.event, event.local, event.remote) == (s.node, "inet_sock_set_state", own, other)
        later = end_ns + 20 * SLACK_NS < event.time_ns <= s.until_ns + SLACK_NS
        if mine and later and event.old in {"ESTABLISHED", "CLOSE_WAIT"}:
            yield f"the socket was {event.old} for {show_duration(event.time_ns - end_ns)} more"


def _is_so(event: Call | ProcessEnd, how: str) -> bool:
    if how == "closed it":
        return isinstance(event, Call) and closes(event)
    if not isinstance(event, ProcessEnd):
        return False
    if found := re.fullmatch(r"was killed by (\S+)", how):
        return event.outcome == Signalled(found[1])
    return how == f"ended ({event.outcome})" and not isinstance(event.outcome, Signalled)


# --- where a packet was ---------------------------------------


def on_loopback(s: Sentence, node: str) -> Iterator[str]:
    yield from _first_seen(s)
    if any((p.node, p.link) != (node, None) for p in s.cited(Packet)):
        yield "it was not seen on that loopback"


def coming(s: Sentence, node: str, link: str) -> Iterator[str]:
    yield from _first_seen(s)
    if any((p.node, p.link, p.direction) != (node, link, "in") for p in s.cited(Packet)):
        yield "the packet that is cited is another one, or elsewhere"


def leaving(s: Sentence, node: str, link: str) -> Iterator[str]:
    yield from _first_seen(s)
    if any((p.node, p.link, p.direction) != (node, link, "out") for p in s.cited(Packet)):
        yield "the packet that is cited is another one, or elsewhere"


def _first_seen(s: Sentence) -> Iterator[str]:
    """What is cited is the RST, and nothing of it was seen before, by those who watched."""
    yield from packets(s, 1)
    yield from seen_first(s)
    if any(s.full.journey(packet) is not s.rst for packet in s.cited(Packet)):
        yield "it cites another packet"


def _is(one: Packet, other: Packet) -> bool:
    """The same sight, though one clock may differ by a little."""
    return same(one, other) and abs(one.time_ns - other.time_ns) < SLACK_NS // 20


def never_on(s: Sentence, node: str, link: str, links: str) -> Iterator[str]:
    yield from leaving(s, node, link)
    for other in links.split(", "):
        for packet in s.cited(Packet):
            alike = [
                p
                for _, p in s.full.of(Packet)
                if (p.link, p.src, p.dst, p.segment) == (other, packet.src, packet.dst, packet.segment)
            ]
            if alike:
                yield f"a packet just like it was seen on {other}"


def ttl_shown(s: Sentence, n: str, link: str, node: str, own: str) -> Iterator[str]:
    yield from packets(s, 2)
    mine, genuine = (*s.cited(Packet), None, None)[:2]
    if mine is None or genuine is None:
        return
    yield from _ttl_is(s, mine, link, n)
    journey = s.full.journey(genuine)
    if journey is None or journey.maker != node or s.full.owner(genuine.src) != node:
        yield f"the packet that it is held against is not {node}'s own"
    if (genuine.link, genuine.ttl) != (link, int(own)):
        yield f"that packet shows {genuine.ttl} on {genuine.link}"
    others = {p.ttl for j in s.full.sent(genuine.src, genuine.dst) if j.maker == node for _, p in j.sights
              if (p.link, p.node) == (link, genuine.node)}  # fmt: skip
    if others != {int(own)}:
        yield f"{node}'s own packets show {sorted(others)}"


def ttl_would(s: Sentence, n: str, link: str, node: str, own: str) -> Iterator[str]:
    yield from packets(s, 1)
    if node != s.full.owner(s.subject.src):  # type: ignore[union-attr]
        yield "it bears another's address"
    for packet in s.cited(Packet):
        yield from _ttl_is(s, packet, link, n)
        expected = _ttl_of(s, node, packet)
        if expected is not None and expected != int(own):
            yield f"a packet of {node}'s would show {expected}"


def _ttl_is(s: Sentence, packet: Packet, link: str, n: str) -> Iterator[str]:
    if s.full.journey(packet) is not s.rst:
        yield "the packet that is cited is another one"
    if (packet.link, packet.ttl) != (link, int(n)):
        yield f"its TTL is {packet.ttl} on {packet.link}"


def _ttl_of(s: Sentence, node: str, at: Packet) -> int | None:
    """The TTL that packets of a node show at a tap, walked along its routes."""
    ttl = int(s.full.sysctl(node, "net.ipv4.ip_default_ttl", at.time_ns) or 64)
    target = at.dst.address
    assert at.link is not None
    sender = at.node if at.direction == "out" else s.full.network.other_end(at.link, at.node)
    here = node
    for _ in range(64):
        if here == sender or at.link in s.full.network.ends(here):
            return ttl
        way = way_to(s.full.network, here, target)
        following = s.full.network.owner(way.next_hop or "")
        if following is None or following == here:
            return None
        if s.full.network.kind(sender) == "switch" and at.link in s.full.network.ends(following):
            return ttl
        here, ttl = following, ttl - 1
    return None


def arrived(s: Sentence, what: str, node: str, n: str | None = None) -> Iterator[str]:
    """`data of 5 bytes arrived at server`: the segment that the RST answers."""
    yield from packets(s, 1)
    yield from at_the_door(s, node)
    if isinstance(s.subject, Reset) and node != s.node:
        yield f"{s.node} made the reset"
    for journey in journeys(s):
        yield from is_what(journey.tcp, what)
        if n is not None and journey.tcp.length != int(n):
            yield f"it has {journey.tcp.length} bytes"
        came = journey.came_to(node)
        if came is None or came > s.until_ns + SLACK_NS:
            yield f"it had not come to {node}"
        if (journey.src, journey.dst) != (s.ends[1], s.ends[0]):
            yield "it is of another connection, or of the other direction"


def at_the_door(s: Sentence, node: str) -> Iterator[str]:
    """Each packet is cited where it came to a node: at an end of its last link, if anybody watched there."""
    watched = {tap.link for tap in s.told.timeline.taps}
    for packet in s.cited(Packet):
        journey = s.full.journey(packet)
        came = [p.link for _, p in (journey.sights if journey else ()) if (p.node, p.direction) == (node, "in")]
        if packet.link not in came and watched & set(came) and not s.told.missed:
            yield f"it is cited elsewhere, on {packet.link}"


def seen_first(s: Sentence) -> Iterator[str]:
    """Each packet is cited where it was first seen, by those who watched."""
    told = [other for _, other in s.told.of(Packet)]
    for packet in s.cited(Packet):
        journey = s.full.journey(packet)
        seen = [p for _, p in (journey.sights if journey else ()) if any(_is(p, other) for other in told)]
        if seen and not same(seen[0], packet):
            yield f"it was seen before, {seen[0].direction} at {seen[0].node}"


def the_syn_arrived(s: Sentence, node: str) -> Iterator[str]:
    yield from arrived(s, "the SYN", node)


def is_what(tcp: Tcp, what: str) -> Iterator[str]:
    what = what.removeprefix("the ").removeprefix("a ")
    real = (
        "SYN" if tcp.flags == "S" else "data" if tcp.length else "SYN ACK" if "S" in tcp.flags
        else "FIN" if "F" in tcp.flags else "segment"
    )  # fmt: skip
    if real != what:
        yield f"it is {real}, not {what}"


def rst_had_come(s: Sentence, node: str) -> Iterator[str]:
    yield from packets(s, 1)
    yield from at_the_door(s, node)
    for journey in journeys(s):
        came = journey.came_to(node)
        if "R" not in journey.tcp.flags or (journey.src, journey.dst) != (s.ends[1], s.ends[0]):
            yield "what is cited is no RST of this connection that came to it"
        if came is None or came > s.until_ns:
            yield f"it had not come to {node}"
        if came is not None and came < s.begun_ns() - SLACK_NS:
            yield "it belongs to an earlier connection"


def kernel_says_reset_before(s: Sentence, node: str, there: str) -> Iterator[str]:
    told = s.cited(Kernel)
    own, other = s.ends
    if len(told) != 1 or any(
        (one.node, one.event, one.local, one.remote) != (node, "tcp_receive_reset", own, other) for one in told
    ):
        yield f"it cites {told}"
    if any(not s.begun_ns() - SLACK_NS <= one.time_ns <= s.until_ns for one in told):
        yield "it is of another time"


# --- the kernel's own words, and counters ---------------------------------------


def kernel_says(s: Sentence, node: str, value: str = "") -> Iterator[str]:
    yield from only(s, Kernel)
    for event in s.cited(Kernel):
        if (event.node, event.event, event.reason) != (node, "tcp_send_reset", value):
            yield f"it cites {event}"
        if (event.local, event.remote) != s.ends:
            yield "it is about another connection"
        if s.rst is not None and abs(event.time_ns - s.rst.made_ns) > 50 * SLACK_NS:
            yield f"it is {show_duration(event.time_ns - s.rst.made_ns)} away from the RST"


def says_drop(s: Sentence, node: str, value: str) -> Iterator[str]:
    yield from only(s, Drop)
    for drop in s.cited(Drop):
        if (drop.node, drop.reason) != (node, value) or {drop.src, drop.dst} != set(s.ends):
            yield f"it cites {drop}"


def no_event(s: Sentence, node: str) -> Iterator[str]:
    about = [e for e in s.full.kernels if (e.node, e.event) == (node, "tcp_send_reset")]
    mine = [e for e in about if (e.local, e.remote) == s.ends and e.time_ns >= s.begun_ns() - SLACK_NS]
    if mine:
        yield f"there is one, {mine[0]}"
    if not s.told_all:
        yield "the kernel that was traced does not tell every reset"


def no_event_and_unchanged(s: Sentence, node: str) -> Iterator[str]:
    yield from no_event(s, node)
    yield from unchanged(s, node)


def unchanged(s: Sentence, node: str) -> Iterator[str]:
    yield from _counters(s, node)
    if s.full.grew(node, "TcpOutRsts") != 0:
        yield f"it grew by {s.full.grew(node, 'TcpOutRsts')}"


def by_netfilter(check: Check) -> Check:
    """The same, `: netfilter made it, not TCP`."""

    def both(s: Sentence, **parts: str) -> Iterator[str]:
        yield from check(s, **parts)
        if s.told_all and s.kernel_said is not None:
            yield f"TCP made it: {s.kernel_said}"

    return both


def grew(s: Sentence, value: str, node: str, n: str) -> Iterator[str]:
    yield from _counters(s, node)
    full = {"OutRsts": "TcpOutRsts"}.get(value, f"TcpExt{value}")
    if s.full.grew(node, full) != int(n):
        yield f"it grew by {s.full.grew(node, full)}"


def _counters(s: Sentence, node: str) -> Iterator[str]:
    yield from only(s, Counters)
    if any(counters.node != node for counters in s.cited(Counters)):
        yield "it cites another node's counters"


def matched(s: Sentence, n: str, node: str = "", number: str = "", chain: str = "", body: str = "") -> Iterator[str]:
    yield from only(s, RuleHit)
    for hit in s.cited(RuleHit):
        if hit.packets != int(n):
            yield f"it matched {hit.packets}"
        if node and (hit.node, str(hit.number), hit.chain) != (node, number, chain):
            yield f"it cites rule {hit.number} of {hit.node}'s {hit.chain} chain"
        if body and hit.rule.body != body:
            yield f"that rule is {hit.rule.body}"


def reported(s: Sentence, node: str, errno: str) -> Iterator[str]:
    yield from only(s, Kernel)
    for event in s.cited(Kernel):
        if (event.node, event.event, event.reason) != (node, "inet_sk_error_report", errno):
            yield f"it cites {event}"
        if (event.local, event.remote) != s.ends:
            yield "it is about another connection"
        if not s.begun_ns() - SLACK_NS <= event.time_ns <= s.until_ns + 50 * SLACK_NS:
            yield "it is of another time"


def keepalive_reason(s: Sentence) -> Iterator[str]:
    yield from only(s, Kernel)
    for event in s.cited(Kernel):
        if event.reason != "TCP_KEEPALIVE_TIMEOUT" or (event.local, event.remote) != s.ends:
            yield f"it cites {event}"


# --- what programs did ---------------------------------------


def lingers(s: Sentence, proc: str, ended_: str) -> Iterator[str]:
    calls = [c for c in s.cited(Call) if c.name == "setsockopt"]
    if not any(call.process == proc and str(call.action).split()[:2] == ["linger", "0"] for call in calls):
        yield f"it cites {calls} for SO_LINGER"
    yield from on_own_socket(s)
    yield from ended(s, ended_)


def closing_listener(s: Sentence, call: str) -> Iterator[str]:
    yield from only(s, Call)
    own, _ = s.ends
    names = [name for name, _, _ in s.full.listeners(s.node, own.port if own else 0, s.until_ns)]
    for cited in s.cited(Call):
        if cited.name != call or cited.socket not in names or not cited.final:
            yield f"it cites {cited}"
        if not cited.time_ns - SLACK_NS <= s.until_ns <= cited.end_ns + SLACK_NS:
            yield "it was not going on then"


def switched_on(s: Sentence, proc: str) -> Iterator[str]:
    yield from only(s, Call)
    yield from on_own_socket(s)
    for call in s.cited(Call):
        if call.name != "setsockopt" or "keepalive on" not in str(call.action) or call.process != proc:
            yield f"it cites {call}"


def probes_unanswered(s: Sentence, n: str) -> Iterator[str]:
    yield from packets(s, int(n))
    yield from seen_first(s)
    yield from count_probes(s, int(n))


def count_probes(s: Sentence, n: int) -> Iterator[str]:
    """As many keepalive probes had been sent since the peer was heard last."""
    own, other = s.ends
    if own is None or other is None:
        return
    heard = [came for j in s.full.sent(other, own) if (came := j.came_to(s.node)) is not None and came < s.until_ns]
    since = max(heard, default=0)
    sent = [j for j in s.full.sent(own, other) if since < j.made_ns <= s.until_ns and "R" not in j.tcp.flags]
    last = [j for j in s.full.sent(own, other) if j.made_ns <= since + SLACK_NS and "R" not in j.tcp.flags]
    if not last:
        return
    zero = last[0].tcp.seq
    end = (zero + max((j.tcp.end - zero) % (1 << 32) for j in last if (j.tcp.end - zero) % (1 << 32) < 1 << 31)) % (
        1 << 32
    )
    real = [j for j in sent if is_probe(j.tcp, end)]
    if len(real) != n:
        yield f"{len(real)} keepalive probes had gone unanswered"


def bytes_arrived(s: Sentence, n: str, read_: str) -> Iterator[str]:
    yield from all_endings(s)
    own, other = s.ends
    if own is None or other is None:
        return
    came = s.full.received(other, own, s.node, s.until_ns)
    if came is not None and came != int(n):
        yield f"{came} bytes had arrived"
    socket = s.full.socket(s.node, own, other, s.until_ns)
    if socket is not None and s.full.bytes_read(socket, s.until_ns) != int(read_):
        yield f"{s.full.bytes_read(socket, s.until_ns)} were read"


def had_listened(s: Sentence, proc: str, n: str) -> Iterator[str]:
    yield from only(s, Call)
    known = [call for _, call, _ in s.full.listeners(s.node, int(n), s.until_ns)]
    if not any(call.process == proc for call in known):
        yield "it had not listened there"
    sockets = {call.socket for call in known}
    if any(call.socket not in sockets or call.name != "listen" for call in s.cited(Call)):
        yield f"it cites {s.cited(Call)}"


def before_the_syn(s: Sentence, ended: str = "", proc: str = "") -> Iterator[str]:
    yield from all_endings(s)
    yield from _ended(s, ended or f"{proc} closed it")
    syn = s.full.answered_by(s.rst) if s.rst else None
    came = syn.came_to(s.node) if syn else None
    starts = [e.time_ns if isinstance(e, Call) else e.began_ns or e.time_ns for e in s.endings]
    if came is not None and starts and min(starts) > came:
        yield "the SYN had come before"


_ended = ended


def kernel_saw_listener(s: Sentence, node: str, n: str) -> Iterator[str]:
    told = s.cited(Kernel)
    if not told or any((one.node, one.local.port) != (node, int(n)) or one.time_ns > s.until_ns for one in told):
        yield f"it cites {told}"
    if [one.state for one in sorted(told, key=lambda one: one.time_ns)][-1:] == ["LISTEN"]:
        yield "it listens yet"


def nobody_listened(s: Sentence, node: str, n: str) -> Iterator[str]:
    if (node, int(n)) != (s.node, s.ends[0].port if s.ends[0] else 0):
        yield f"it is about {s.node}, {s.ends[0]}"
    for call in s.full.calls:
        port = call.local.port if call.local else getattr(call.action, "port", 0)
        if (call.node, call.name, port) == (node, "listen", int(n)) and call.time_ns <= s.until_ns and not call.failed:
            yield f"{call.process} had called it: {call}"


def backlog(s: Sentence, proc: str, n: str) -> Iterator[str]:
    yield from only(s, Call)
    if any(call.name != "listen" for call in s.cited(Call)):
        yield f"it cites {s.cited(Call)}"
    own, _ = s.ends
    listening = s.full.listens(s.node, own, s.until_ns) if own else []
    fitting = [call for call in listening if call.process == proc]
    if not fitting:
        yield "it does not listen there"
    for call in fitting:
        latest = [c for c in s.full.by_socket[call.socket] if c.name == "listen" and c.time_ns <= s.until_ns][-1]
        most = int(s.full.sysctl(s.node, "net.core.somaxconn", s.until_ns) or 4096)
        if min(getattr(latest.action, "backlog", -1), most) != int(n):
            yield f"its backlog is {latest.action}"


def listens(s: Sentence, proc: str) -> Iterator[str]:
    yield from only(s, Call)
    _own, other = s.ends
    nodes = {s.full.owner(other)} if other else set()
    for call in s.cited(Call):
        if call.process != proc or call.node not in nodes or call.name != "listen":
            yield f"it cites {call}"
    if other is not None and not any(
        c.process == proc for n in nodes if n for c in s.full.listens(n, other, s.until_ns)
    ):
        yield "it does not listen there"


def lost_power_after(s: Sentence, node: str) -> Iterator[str]:
    yield from only(s, Fault)
    for fault in s.cited(Fault):
        if fault.node != node or not isinstance(fault.action, Crash):
            yield f"it cites {fault}"
        if not s.begun_ns() <= fault.time_ns <= s.until_ns:
            yield "the connection was begun after that"


def called_close(s: Sentence, proc: str, call: str, time: str = "", what: str = "") -> Iterator[str]:
    if any(isinstance(one, Call) and one.name != call for one in s.endings):
        yield f"it cites {s.endings}"
    yield from ended_before(s, f"{proc} closed it", time, what)


def ended_before(s: Sentence, ended: str, time: str = "", what: str = "") -> Iterator[str]:
    yield from all_endings(s)
    yield from _ended(s, ended)
    if not time or s.rst is None:
        return
    segment = s.full.answered_by(s.rst)
    if segment is None:
        yield "no segment is known that came"
        return
    yield from is_what(segment.tcp, what)
    let_go = [e.end_ns if isinstance(e, Call) else e.time_ns for e in s.endings]
    if let_go and not _about(time, segment.made_ns - let_go[0]):
        yield f"it was {show_duration(segment.made_ns - let_go[0])}"


def _about(text: str, time_ns: int) -> bool:
    number, unit = text.split()
    shown = float(number) * {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9, "min": 6e10}[unit]
    return abs(shown - time_ns) <= max(abs(time_ns) * 0.006, 1000)


def ended_with(s: Sentence, errno: str, node: str) -> Iterator[str]:
    for event in map(s.event, s.events):
        reason = event.reason if isinstance(event, Kernel) else str(event.result) if isinstance(event, Call) else ""
        if reason != errno:
            yield f"it cites {event}"
        elif isinstance(event, Kernel) and ((event.local, event.remote) != s.ends or event.node != node):
            yield "it is about another connection"
    yield from on_own_socket(s)


def syn_acks(s: Sentence, node: str, n: str) -> Iterator[str]:
    yield from packets(s, int(n))
    yield from seen_first(s)
    if node != s.node:
        yield f"{s.node} made the reset"
    yield from count_syn_acks(s, int(n))
    own, other = s.ends
    trigger = s.full.answered_by(s.rst) if s.rst else None
    for journey in s.full.sent(other, own) if own and other else ():
        came = journey.came_to(node)
        before = came is not None and s.begun_ns() <= came < s.until_ns and journey is not trigger
        alike = trigger is not None and journey.tcp == trigger.tcp
        if before and "A" in journey.tcp.flags and not alike:
            yield f"an ACK had come: {journey.packet}"


def count_syn_acks(s: Sentence, n: int) -> Iterator[str]:
    own, other = s.ends
    if own is None or other is None:
        return
    real = [j for j in s.full.sent(own, other) if "S" in j.tcp.flags and s.begun_ns() <= j.made_ns <= s.until_ns]
    if len(real) != n:
        yield f"{len(real)} SYN ACKs were sent"


def called_shutdown(s: Sentence, proc: str) -> Iterator[str]:
    yield from only(s, Call)
    yield from on_own_socket(s)
    for call in s.cited(Call):
        if call.process != proc or not isinstance(call.action, Shutdown) or call.failed:
            yield f"it cites {call}"
        if call.time_ns > s.until_ns:
            yield "it came later"


def call_gave(s: Sentence, call: str, result: str) -> Iterator[str]:
    yield from only(s, Call)
    yield from on_own_socket(s)
    for one in s.cited(Call):
        if (one.name, str(one.result)) != (call, result) or one.time_ns >= s.call.time_ns:
            yield f"it cites {one}"


def has_port(s: Sentence, proc: str, n: str) -> Iterator[str]:
    yield from only(s, Call)
    for call in s.cited(Call):
        locals_ = {c.local.port for c in s.full.by_socket.get(call.socket, []) if c.local}
        if call.process != proc or int(n) not in locals_ or call.node != s.node or call.name == "socket":
            yield f"it cites {call}"


def only_ended(s: Sentence, ended: str) -> Iterator[str]:
    if isinstance(s.subject, Failure):  # of another socket of that port
        yield from all_endings(s)
        for event in s.endings:
            proc, _, how = ended.partition(" ")
            if event.process != proc or not _is_so(event, how):
                yield f"it cites {event}"
    else:
        yield from all_endings(s)
        yield from _ended(s, ended)


def ports_used(s: Sentence, n: str) -> Iterator[str]:
    low, high = _range(s)
    target = s.ends[1]
    used = {
        j.src.port
        for j in s.full.journeys
        if isinstance(j.segment, Tcp) and j.dst == target and j.maker == s.node and j.made_ns <= s.until_ns
    }
    real = [port for port in used if low <= port <= high]
    if len(real) != int(n):
        yield f"{len(real)} had been used"


def _range(s: Sentence) -> tuple[int, int]:
    words = (s.full.sysctl(s.node, "net.ipv4.ip_local_port_range", s.call.time_ns) or "32768 60999").split()
    return int(words[0]), int(words[1])


def user_timeout_set(s: Sentence, value: str) -> Iterator[str]:
    yield from only(s, Call)
    yield from on_own_socket(s)
    for call in s.cited(Call):
        if str(call.action).partition(" on ")[0] != f"user_timeout {value}" or call.failed or call.time_ns > s.until_ns:
            yield f"it cites {call}"


def window_zero(s: Sentence, node: str) -> Iterator[str]:
    yield from packets(s)
    own, other = s.ends
    for packet in s.cited(Packet):
        assert isinstance(packet.segment, Tcp)
        if packet.segment.window or (packet.src, packet.dst) != (other, own) or s.full.owner(packet.src) != node:
            yield f"it cites {packet}"


# --- silence ---------------------------------------


def went_out(s: Sentence, n: str = "1") -> Iterator[str]:
    yield from packets(s, int(n))
    yield from seen_first(s)
    found = journeys(s)
    if len({id(one) for one in found}) != int(n):
        yield f"these are {len({id(one) for one in found})} packets"
    for one in found:
        if s.full.delivered(one):
            yield f"one came through: {one.packet}"
        if set(s.ends) != {one.src, one.dst}:
            yield f"one is of another connection: {one.src} > {one.dst}"


def came(s: Sentence, node: str, many: str = "the packet") -> Iterator[str]:
    count = 1 if many == "the packet" else int(many.split(maxsplit=1)[0])
    yield from packets(s, count)
    yield from at_the_door(s, node)
    found = journeys(s)
    if len({id(one) for one in found}) != count:
        yield f"these are {len({id(one) for one in found})} packets"
    for one in found:
        came_ns = one.came_to(node)
        if came_ns is None or came_ns > s.until_ns:
            yield f"one had not come to {node}: {one.packet}"
        if set(s.ends) != {one.src, one.dst}:
            yield f"one is of another connection: {one.src} > {one.dst}"


def answers_came(s: Sentence, node: str) -> Iterator[str]:
    yield from packets(s)
    yield from at_the_door(s, node)
    for one in journeys(s):
        if one.came_to(node) is None:
            yield f"one did not come to {node}"


def was_cut(s: Sentence, link: str) -> Iterator[str]:
    yield from only(s, Fault)
    for fault in s.cited(Fault):
        if fault.node != link or not isinstance(fault.action, Cut) or fault.time_ns > s.until_ns:
            yield f"it cites {fault}"


def had_lost_power(s: Sentence, node: str) -> Iterator[str]:
    yield from only(s, Fault)
    for fault in s.cited(Fault):
        if fault.node != node or not isinstance(fault.action, Crash) or fault.time_ns > s.until_ns:
            yield f"it cites {fault}"


def asked(s: Sentence, node: str, n: str, host: str) -> Iterator[str]:
    """ARP: so many requests of a node for an address, and no reply from there until the call's end."""
    yield from packets(s, int(n))
    cited = s.cited(Packet)
    for packet in cited:
        is_request = isinstance(packet.segment, Arp) and packet.segment.operation == "request"
        if not is_request or (packet.node, packet.direction, packet.dst.address) != (node, "out", host):
            yield f"it cites {packet}"
    if not cited:
        return
    since = (s.call.time_ns if s.call.name == "connect" else s.begun_ns()) - SLACK_NS
    seen = [
        p
        for _, p in s.full.of(Packet)
        if isinstance(p.segment, Arp) and p.node == node and since <= p.time_ns <= s.until_ns
    ]
    asks = [p for p in seen if p.direction == "out" and p.segment == Arp("request") and p.dst.address == host]
    came = [p for p in seen if p.direction == "in" and p.src.address == host and not p.lost and not p.overheard]
    last = [p for p in asks if not came or p.time_ns > came[-1].time_ns]
    if len(last) < int(n) or cited[-1] != last[-1]:
        yield f"it asked {len(last)} times since the last answer"


def icmp_bears(s: Sentence, host: str, text: str, node: str) -> Iterator[str]:
    yield from icmp_came(s, host, text, node, borne=True)


def icmp_came(s: Sentence, host: str, text: str, node: str, borne: bool = False) -> Iterator[str]:
    yield from packets(s, 1)
    own, other = s.ends
    for packet in s.cited(Packet):
        icmp = packet.segment
        journey = s.full.journey(packet)
        if not isinstance(icmp, Icmp) or journey is None:
            yield f"it cites {packet}"
            continue
        if (packet.node, packet.direction) != (node, "in") or journey.came_to(node) is None:
            yield f"it did not come to {node}"
        bears = s.full.name(Endpoint(packet.src.address, 0)).removesuffix(":0")
        if (bears if borne else journey.maker) != host:
            yield f"it bears {bears}'s address, and {journey.maker} made it"
        if (icmp.quoted_src, icmp.quoted_dst) != (own, other):
            yield "it quotes a packet of another connection"
        yield from icmp_text(icmp, text)


_UNREACHABLE = (
    "net unreachable", "host unreachable", "protocol unreachable", "port unreachable", "fragmentation needed",
    "source route failed", "net unknown", "host unknown", "host isolated", "net prohibited", "host prohibited",
    "net unreachable for TOS", "host unreachable for TOS", "admin prohibited", "host precedence violation",
    "precedence cutoff",
)  # fmt: skip


def icmp_text(icmp: Icmp, text: str) -> Iterator[str]:
    known = _UNREACHABLE[icmp.code] if icmp.kind == 3 and icmp.code < len(_UNREACHABLE) else ""
    known = "time exceeded" if icmp.kind == 11 else known
    if text not in {known, f"unreachable, code {icmp.code}"}:
        yield f"its type and code are {icmp.kind} and {icmp.code}, not {text}"


def the_probes(s: Sentence, text: str) -> Iterator[str]:
    from tests.stories.claims_of_failures import clause

    yield from packets(s)
    yield from clause(s, text)


_FORMS = compiled((
    ("the packet was seen on the loopback of {node}", on_loopback),
    ("the packet was first seen coming to {node} over {link}", coming),
    ("the packet was first seen leaving {node}, on {link}", leaving),
    ("the packet was seen leaving {node} on {link}, and never on {links}", never_on),
    ("its TTL is {n} on {link}, where {node}'s own packets show {own:n}", ttl_shown),
    ("its TTL is {n} on {link}, where a packet of {node}'s own would show {own:n}", ttl_would),
    *((f"no tcp_send_reset event at {{node}}{about}{more}", check)
      for about in (" is about it", "")
      for more, check in (
          (" and its OutRsts is unchanged: netfilter made it, not TCP", by_netfilter(no_event_and_unchanged)),
          (" and its OutRsts is unchanged", no_event_and_unchanged),
          (": netfilter made it, not TCP", by_netfilter(no_event)),
          ("", no_event),
      )),
    ("the OutRsts of {node} is unchanged: netfilter made it, not TCP", by_netfilter(unchanged)),
    ("the OutRsts of {node} is unchanged", unchanged),
    ("rule {number:n} of {node}'s {chain} chain, '{body}', matched {n} packet{s}", matched),
    ("rule {number:n} of {node}'s {chain} chain matched {n} packet{s}", matched),
    ("that rule matched {n} packet{s}", matched),
    ("the kernel of {node} says tcp_send_reset, reason {value}", kernel_says),
    ("the kernel of {node} says tcp_send_reset", kernel_says),
    ("{value:call} of {node} grew by {n}", grew),
    ("{proc} had set SO_LINGER(1,0) on the socket; then {ended_:ended}", lingers),
    ("{proc} had set SO_LINGER(1,0) on its listener, from which the socket had it; then {ended_:ended}", lingers),
    ("{call}() of the listener was going on", closing_listener),
    ("{proc} had switched SO_KEEPALIVE on", switched_on),
    ("{n} keepalive probe{s} had gone unanswered", probes_unanswered),
    ("{n} byte{s} had arrived, {read_:n} were read before", bytes_arrived),
    ("{proc} had listened on port {n}", had_listened),
    ("{ended} before the SYN came", before_the_syn),
    ("{proc} closed its listener before the SYN came", before_the_syn),
    ("{proc} shut its listener down before the SYN came", before_the_syn),
    ("the SYN arrived at {node}", the_syn_arrived),
    ("no program on {node} had listened on port {n}", nobody_listened),
    ("the kernel of {node} says that somebody had listened on port {n}", kernel_saw_listener),
    ("{proc} listens with a backlog of {n}", backlog),
    ("{proc} listens", listens),
    ("{node} lost power after the connection was begun", lost_power_after),
    ("{proc} had called {call}() {time} before {what} was sent", called_close),
    ("{proc} had called shutdown()", called_shutdown),
    ("{proc} had called {call}()", called_close),
    ("{ended} {time} before {what} was sent", ended_before),
    ("{ended}", only_ended),
    ("{what} of {n} byte{s} arrived at {node}", arrived),
    ("{what} arrived at {node}", arrived),
    ("a RST had come to {node} before", rst_had_come),
    ("the kernel of {node} says that a RST had come to {there:node} before", kernel_says_reset_before),
    ("the connection had ended with {errno} at {node}", ended_with),
    ("{node} had sent its SYN ACK {n} time{s}, and no ACK had come to it", syn_acks),
    ("{proc} called shutdown()", called_shutdown),
    ("{call}() = {result}", call_gave),
    ("{proc} has port {n}", has_port),
    ("{n} port{s} of these had been used for it", ports_used),
    ("TCP_USER_TIMEOUT was set to {value}", user_timeout_set),
    ("{node} announced a window of 0", window_zero),
    ("{n} packets went out, and none of them came through", went_out),
    ("the packet went out, and did not come through", went_out),
    ("{many} came to {node}", came),
    ("answers came to {node}", answers_came),
    ("the cable {link} was cut", was_cut),
    ("{node} had lost its power", had_lost_power),
    ("{node} asked {n} time{s} who has {host}, and got no answer", asked),
    ("an ICMP error of {host}, {text}, came to {node} and quotes a packet of this socket", icmp_came),
    ("an ICMP error that bears {host}'s address, {text}, came to {node} and quotes a packet of this socket",
     icmp_bears),
    ("the kernel of {node} reported {errno} to the socket", reported),
    ("the kernel of {node} says kfree_skb, reason {value}", says_drop),
    ("the kernel says so: reason TCP_KEEPALIVE_TIMEOUT", keepalive_reason),
    ("the probes: {text}", the_probes),
))  # fmt: skip
"""Every evidence text, the narrower before the wider."""
