"""Small builders of events, timelines and analyses.

Unless they are told otherwise they speak of `client -- fw -- server` and of one connection on it, from CLIENT to
SERVER: a call of `client` has the connection's client end, one of `server` its server end, and sockets are called
`PROCESS/SOCKET` (`client/connection`, `server/listener`). Times are in µs since the script began. Actions, results and
rules are written as in a scenario file, and parsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import pairwise
from typing import Any, Literal

from netsim.analysis import Analysis, analyse
from netsim.model.action import Accept, Action, Bind, Connect, Listen
from netsim.model.endpoint import Endpoint
from netsim.model.event import (
    Arp,
    Call,
    Counters,
    Drop,
    Event,
    Fault,
    Icmp,
    Kernel,
    Missed,
    Packet,
    ProcessEnd,
    RuleHit,
    Segment,
    Tcp,
)
from netsim.model.firewall import Rule, parse_rule
from netsim.model.network import Network, network_of
from netsim.model.plan import Plan, make_plan
from netsim.model.result import Exited, Result, Signalled, parse_result
from netsim.model.scenario import Expectation, Scenario
from netsim.model.step import parse_step
from netsim.model.timeline import StepResult, Tap, Timeline, all_taps
from netsim.model.topology import Kind, Link, Node, Route, Topology
from netsim.model.verbs import BY_NAME

Ends = tuple[Endpoint, Endpoint]
Part = Event | Iterable["Part"]

CLIENT, SERVER = Endpoint("10.0.0.1", 41234), Endpoint("10.0.1.2", 60000)
"""The ends of the connection."""
CONNECTION: Ends = (CLIENT, SERVER)
CLIENT_ISN, SERVER_ISN = 1_000_000, 4_294_967_290
"""Initial sequence numbers; the server's wraps around after a few bytes."""

REASONS = frozenset({
    "tcp_send_reset", "tcp_receive_reset", "tcp_retransmit_skb", "inet_sock_set_state", "inet_sk_error_report",
    "reset reasons", "drop",
})  # fmt: skip
"""What only a kernel that can be traced tells."""
UNTRACED = frozenset({"call", "strace", "process", "fault", "counters", "rule"})
TRACED = UNTRACED | REASONS

_LINK_NS = 2_000
"""From one end of a link to the other."""
_FORWARD_NS = 10_000
"""From one link's beginning to the next one's."""


# --- networks --------------------------------------------------------------------------------------------------------


def topology(
    *links: str,
    firewall: Mapping[str, Iterable[str]] | None = None,
    sysctls: Mapping[str, Mapping[str, str]] | None = None,
    routes: Mapping[str, Iterable[Route]] | None = None,
    **kinds: Kind,
) -> Topology:
    """Build one from links as `a -- b`; nodes are hosts, but those whose kind is given."""
    pairs = [tuple(link.split(" -- ")) for link in links]
    nodes = tuple(
        Node(
            name,
            kinds.get(name, "host"),
            tuple(map(parse_rule, (firewall or {}).get(name, ()))),
            (sysctls or {}).get(name, {}),
            tuple((routes or {}).get(name, ())),
        )
        for name in dict.fromkeys(name for pair in pairs for name in pair)
    )
    return Topology(nodes, tuple(Link(a, b) for a, b in pairs))


def plan(*links: str, **more: Any) -> Plan:
    """The plan of a `topology`."""
    return make_plan(topology(*links, **more))


def network(*links: str, **more: Any) -> Network:
    """The network of a `topology`."""
    return network_of(plan(*links, **more))


REJECT = "reject tcp dport 60000 with tcp-reset"
THREE = plan("client -- fw", "fw -- server", fw="router")
"""client -- fw -- server, with no rules."""
REJECTING = plan("client -- fw", "fw -- server", fw="router", firewall={"fw": [REJECT]})
"""The same, whose fw rejects port 60000."""


# --- packets ---------------------------------------------------------------------------------------------------------


def packet(
    at_us: float,
    way: str,
    what: str | Segment,
    src: Endpoint = CLIENT,
    dst: Endpoint = SERVER,
    *,
    seq: int = 0,
    ack: int = 0,
    length: int = 0,
    window: int = 64240,
    ttl: int = 64,
    ident: int = 0,
    leaves: bool = True,
    arrives: bool = True,
    lost: bool = False,
    overheard: bool = False,
) -> tuple[Packet, ...]:
    """One packet over one link or several, as `client > fw > server` says; `client` alone is its loopback.

    Each link's two ends see it 2 µs apart, and the next link 10 µs later; what has `sw` for the beginning of its name
    is a switch, all else takes one off the TTL. `what` is a segment, or TCP flags as `SA`. Of its last link: `leaves`
    False, nobody saw it go out; `arrives` False, nobody saw it come in; `lost`, it came to the far tap of a cut cable;
    `overheard`, to a machine that it is not addressed to.
    """
    segment = Tcp(what, seq, ack, length, window) if isinstance(what, str) else what
    time_ns = round(at_us * 1000)
    nodes = way.split(" > ")
    if len(set(nodes)) == 1:
        return (Packet(time_ns, nodes[0], "lo", None, "in", src, dst, segment, ttl, ident),)
    seen: list[Packet] = []
    for i, (sender, receiver) in enumerate(pairwise(nodes)):
        last = i == len(nodes) - 2
        if i and not sender.startswith("sw"):
            ttl -= 1
        here = Packet(time_ns, sender, "eth0", f"{sender} -- {receiver}", "out", src, dst, segment, ttl, ident)
        seen += [here] if leaves or not last else []
        there = replace(here, time_ns=time_ns + _LINK_NS, node=receiver, direction="in")
        seen += [replace(there, lost=lost and last, overheard=overheard and last)] if arrives or not last else []
        time_ns += _FORWARD_NS
    return tuple(seen)


def syn(at_us: float, way: str = "client > fw", between: Ends = CONNECTION, **more: Any) -> tuple[Packet, ...]:
    return packet(at_us, way, "S", *between, **{"seq": CLIENT_ISN, **more})


def syn_ack(at_us: float, way: str = "server > fw", between: Ends = CONNECTION, **more: Any) -> tuple[Packet, ...]:
    numbers = {"seq": SERVER_ISN, "ack": CLIENT_ISN + 1}
    return packet(at_us, way, "SA", between[1], between[0], **{**numbers, **more})


def segment(
    at_us: float,
    way: str,
    flags: str = "A",
    *,
    seq: int = 1,
    ack: int = 1,
    server: bool = False,
    between: Ends = CONNECTION,
    **more: Any,
) -> tuple[Packet, ...]:
    """A segment of the connection, by relative sequence numbers; `server` says that it bears the server's address."""
    own, other = (SERVER_ISN, CLIENT_ISN) if server else (CLIENT_ISN, SERVER_ISN)
    ends = between[::-1] if server else between
    numbers = {"seq": (own + seq) % 2**32, "ack": (other + ack) % 2**32 if "A" in flags else 0}
    return packet(at_us, way, flags, *ends, **{**numbers, **more})


def rst(at_us: float, way: str = "fw > client", between: Ends = CONNECTION, **more: Any) -> tuple[Packet, ...]:
    """The answer to a SYN that nobody wants: RST ACK with number 0, in the server's name.

    Any other one is a `segment` whose flags are R or RA.
    """
    return packet(at_us, way, "RA", between[1], between[0], **{"ack": CLIENT_ISN + 1, "window": 0, **more})


def handshake(at_us: float, way: str = "client > fw > server", between: Ends = CONNECTION) -> tuple[Packet, ...]:
    """SYN, SYN ACK and ACK all the way, 10 µs a link."""
    back = " > ".join(reversed(way.split(" > ")))
    step_us = way.count(">") * _FORWARD_NS / 1000
    return (
        *syn(at_us, way, between),
        *syn_ack(at_us + step_us, back, between),
        *segment(at_us + 2 * step_us, way, between=between),
    )


def icmp(
    at_us: float,
    way: str = "fw > client",
    kind: int = 3,
    code: int = 3,
    *,
    src: str = "10.0.0.2",
    dst: str = CLIENT.address,
    quotes: Ends | None = CONNECTION,
    protocol: str = "tcp",
    seq: int = CLIENT_ISN,
    length: int = 40,
    **more: Any,
) -> tuple[Packet, ...]:
    """An ICMP message, by default fw's `port unreachable` about the connection; `quotes` None: no error."""
    about = (protocol, *quotes, seq) if quotes else ("", None, None, 0)
    return packet(at_us, way, Icmp(kind, code, length, *about), Endpoint(src, 0), Endpoint(dst, 0), **more)


def arp(
    at_us: float,
    way: str = "client > fw",
    src: str = CLIENT.address,
    dst: str = "10.0.0.2",
    operation: Literal["request", "reply"] = "request",
    **more: Any,
) -> tuple[Packet, ...]:
    """A request, `who has DST? tell SRC`, or SRC's reply to DST."""
    return packet(at_us, way, Arp(operation), Endpoint(src, 0), Endpoint(dst, 0), **{"ttl": 0, **more})


# --- what programs and kernels did -----------------------------------------------------------------------------------


def call(
    at_us: float,
    process: str,
    text: str,
    result: str | Result | None = "ok",
    *,
    took_us: float = 30,
    local: Endpoint | None = None,
    remote: Endpoint | None = None,
    socket: str | None = None,
    made: str | None = None,
    **more: Any,
) -> Call:
    """A call as a script writes it, `connect server:60000`, or one that no script can make: `read(3)`.

    `result` None: it never returned. `more` are fields of Call: step, pid, traced, final.
    """
    time_ns = round(at_us * 1000)
    node, _, _ = process.partition(".")
    name, action, detail = _read(text)
    given = {"local": local, "remote": remote}
    ends = {key: end for key, end in given.items() if end is not None}
    sockets = _sockets(process, action)
    if socket is not None or made is not None:
        sockets = (socket or "", made or "")
    told = {**dict(zip(given, _ends(node, action, *sockets), strict=True)), **ends}
    return Call(time_ns, node, process, name, _result(result), time_ns + round(took_us * 1000), action, detail,
                *sockets, **{**told, **more})  # fmt: skip


def _read(text: str) -> tuple[str, Action | None, str]:
    """The call's name, its action, and its arguments where it has no action."""
    if "(" in text:
        name, _, detail = text.removesuffix(")").partition("(")
        return name, None, detail
    word, _, rest = text.partition(" ")
    action = BY_NAME[word].read(rest)
    assert action is not None, f"{text!r} is no {BY_NAME[word].usage!r}"
    return BY_NAME[word].call, action, ""


def _result(text: str | Result | None) -> Result | None:
    return parse_result(text) if isinstance(text, str) else text


def _sockets(process: str, action: Action | None) -> tuple[str, str]:
    """The socket that a call is made on, and the one that it makes."""
    if isinstance(action, Accept):
        return f"{process}/{action.listener}", f"{process}/{action.socket}"
    name = getattr(action, "socket", "")
    return f"{process}/{name}" if name else "", ""


def _ends(node: str, action: Action | None, socket: str, made: str) -> tuple[Endpoint | None, Endpoint | None]:
    """Both ends of a call's socket, as far as these builders' one connection tells."""
    hosts = {"client": CLIENT, "server": SERVER}
    match action:
        case Listen(port=port) | Bind(port=port):
            return Endpoint("0.0.0.0", port), None
        case Connect(host=host, port=port):
            return hosts.get(node), Endpoint(hosts[host].address if host in hosts else host, port)
    if node not in hosts or not (socket or made) or (socket.endswith("/listener") and not made):
        return None, None
    return (CLIENT, SERVER) if node == "client" else (SERVER, CLIENT)


def ended(at_us: float, process: str, outcome: str, *, began_us: float | None = None, **more: Any) -> ProcessEnd:
    """A process's end, as `exit 0` or `signal SIGPIPE`. `more` are fields of ProcessEnd."""
    how = parse_result(outcome)
    assert isinstance(how, Exited | Signalled)
    began_ns = None if began_us is None else round(began_us * 1000)
    return ProcessEnd(round(at_us * 1000), process.partition(".")[0], process, how, began_ns, **more)


def kernel(at_us: float, node: str, event: str, *, between: Ends | None = None, **more: Any) -> Kernel:
    """What a tracepoint said of a node's end of the connection; `between` are the two ends, its own first.

    `more` are fields of Kernel: reason, old, state, answers.
    """
    own, other = between or ((CLIENT, SERVER) if node == "client" else (SERVER, CLIENT))
    return Kernel(round(at_us * 1000), node, event, own, other, **more)


def drop(
    at_us: float, node: str, reason: str, what: str | Segment = "S", between: Ends = CONNECTION, **more: Any
) -> Drop:
    """A packet that a node's kernel dropped: by default the connection's SYN. `more`: ident, and numbers as in Tcp."""
    ident = more.pop("ident", 0)
    dropped = Tcp(what, **{"seq": CLIENT_ISN, "ack": 0, "window": 64240, **more}) if isinstance(what, str) else what
    return Drop(round(at_us * 1000), node, reason, *between, dropped, ident)


def fault(at_us: float, node: str, text: str, took_us: float = 50, step: int | None = None) -> Fault:
    """A fault as the script writes it, at a node or on a link: `fault(100, "client -- fw", "cut to fw")`."""
    time_ns = round(at_us * 1000)
    _, action, _ = _read(text)
    assert action is not None
    return Fault(time_ns, node, action, time_ns + round(took_us * 1000), step)


def hit(
    node: str,
    rule: str | Rule = REJECT,
    packets: int = 1,
    *,
    chain: str = "FORWARD",
    number: int = 1,
    at_us: float = 10_000,
) -> RuleHit:
    return RuleHit(
        round(at_us * 1000), node, chain, number, parse_rule(rule) if isinstance(rule, str) else rule, packets
    )


def counted(node: str, *, at_us: float = 10_000, **grew: int) -> Counters:
    return Counters(round(at_us * 1000), node, grew)


def missed(of: str, count: int, node: str = "", *, at_us: float = 10_000) -> Missed:
    return Missed(round(at_us * 1000), node, of, count)


# --- runs ------------------------------------------------------------------------------------------------------------


def result(
    index: int, observed: str | None, start_us: float = 0, took_us: float = 30, *, ok: bool = True
) -> StepResult:
    """What came of a step; `observed` None: it began a call."""
    start_ns = round(start_us * 1000)
    return StepResult(index, _result(observed), start_ns, start_ns + round(took_us * 1000), ok)


def timeline(
    *parts: Part,
    script: Iterable[tuple[str, str]] = (),
    results: Iterable[StepResult] = (),
    expect: Iterable[Expectation] = (),
    of: Plan = THREE,
    sources: Iterable[str] | None = None,
    taps: Iterable[Tap] | None = None,
    kernel: str = "6.18.44",
    lab_us: float | None = None,
    scenario: bool = True,
) -> Timeline:
    """Events, or sequences of them, in any order; links may be named from either end.

    `sources` None: a host without tracing, but for what these events tell of it. `taps` None: everywhere; packets are
    left out where there is none. `lab_us` None: the script went on for a while after the last event. `scenario`
    False: nobody wrote a script.
    """
    known = network_of(of)
    watched = all_taps(known) if taps is None else frozenset(taps)
    events = [_placed(event, known) for event in flat(parts)]
    events = [one for one in events if not isinstance(one, Packet) or Tap(one.node, one.link) in watched]
    events.sort(key=lambda event: event.time_ns)
    steps = tuple(parse_step(i, who, text) for i, (who, text) in enumerate(script))
    named = Scenario(
        "firewall-reset", "A firewall resets every connection", of.topology, script=steps, expect=tuple(expect)
    )
    last_ns = events[-1].time_ns + 10_000_000 if events else 0
    return Timeline(
        named if scenario else None, known, tuple(events), tuple(results),
        watched,
        _sources(events) if sources is None else frozenset(sources), "host", kernel,
        lab_ns=max(20_000_000, last_ns) if lab_us is None else round(lab_us * 1000), wall_ns=310_000_000,
    )  # fmt: skip


def analysis(*parts: Part, **more: Any) -> Analysis:
    """The analysis of a `timeline`."""
    return analyse(timeline(*parts, **more))


def flat(parts: Iterable[Part]) -> Iterator[Event]:
    for part in parts:
        if isinstance(part, Iterable):
            yield from flat(part)
        else:
            yield part


def _sources(events: Iterable[Event]) -> frozenset[str]:
    traced = {event.event for event in events if isinstance(event, Kernel)}
    traced |= {event.source for event in events if isinstance(event, Drop)}
    traced |= {"reset reasons" for event in events if isinstance(event, Kernel) and event.reason}
    return UNTRACED | traced


def _placed(event: Event, network: Network) -> Event:
    """Call links by their ids, and a packet's interface as the plan does."""
    if isinstance(event, Fault) and " -- " in event.node:
        return replace(event, node=_link(event.node, network))
    if not isinstance(event, Packet) or event.link is None:
        return event
    link = _link(event.link, network)
    ends = dict(zip(network.ends(event.node), network.interfaces(event.node), strict=True))
    return replace(event, link=link, interface=ends[link].name)


def _link(text: str, network: Network) -> str:
    if text in network.links:
        return text
    found = [link for link, ends in network.links.items() if set(ends) == set(text.split(" -- "))]
    assert found, f"there is no link {text!r} in this network"
    return found[0]
