"""Small builders of events and timelines.

Unless they are told otherwise they speak of `client -- fw -- server` and of one connection on it,
from client:41234 to server:60000. Times are in microseconds since the script began.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from netsim.model.event import Call, Event, Fault, Kernel, Packet, ProcessEnd
from netsim.model.firewall import parse_rule
from netsim.model.plan import Plan, make_plan
from netsim.model.scenario import Scenario
from netsim.model.step import parse_step
from netsim.model.timeline import StepResult, Timeline
from netsim.model.topology import Kind, Link, Node, Topology

CLIENT, SERVER = ("10.0.0.1", 41234), ("10.0.1.2", 60000)
"""The ends of the connection: address and port."""
CLIENT_ISN, SERVER_ISN = 1_000_000, 4_294_967_290
"""Initial sequence numbers; the server's wraps around after a few bytes."""

End = tuple[str, int]
Part = Event | Iterable["Part"]


def topology(*links: str, firewall: Mapping[str, list[str]] | None = None, **kinds: Kind) -> Topology:
    """Build one from links as `a -- b`; nodes are hosts, but those whose kind is given."""
    pairs = [tuple(link.split(" -- ")) for link in links]
    names = dict.fromkeys(name for pair in pairs for name in pair)
    rules = {name: tuple(map(parse_rule, texts)) for name, texts in (firewall or {}).items()}
    nodes = tuple(Node(name, kinds.get(name, "host"), rules.get(name, ())) for name in names)
    return Topology(nodes, tuple(Link(a, b) for a, b in pairs))


def plan(*links: str, firewall: Mapping[str, list[str]] | None = None, **kinds: Kind) -> Plan:
    return make_plan(topology(*links, firewall=firewall, **kinds))


REJECT = "reject tcp dport 60000 with tcp-reset"
THREE = plan("client -- fw", "fw -- server", fw="router", firewall={"fw": [REJECT]})
"""client -- fw -- server, whose fw rejects port 60000."""


def packet(
    at_us: float,
    hop: str,
    flags: str,
    src: End = CLIENT,
    dst: End = SERVER,
    *,
    seq: int = 0,
    ack: int = 0,
    length: int = 0,
    ttl: int = 64,
    ident: int = 0,
    protocol: str = "tcp",
    detail: str = "",
    arrives: bool = True,
    lost: bool = False,
) -> tuple[Packet, ...]:
    """One packet over one link, as `sender > receiver` says: seen going out, and coming in.

    `arrives` False: nobody saw it come in. `lost`: it came to the far tap of a cut cable.
    """
    sender, receiver = hop.split(" > ")
    link = next(
        (link for link in THREE.topology.links if {link.a, link.b} == {sender, receiver}), Link(sender, receiver)
    ).name
    time_ns = round(at_us * 1000)
    one = Packet(time_ns, sender, "eth0", link, "out", protocol, src[0], dst[0], ttl, ident, src[1], dst[1],
                 seq, ack, flags, length, 64240, detail)  # fmt: skip
    two = Packet(time_ns + 2000, receiver, "eth0", link, "in", protocol, src[0], dst[0], ttl, ident, src[1], dst[1],
                 seq, ack, flags, length, 64240, detail, lost)  # fmt: skip
    return (one, two) if arrives else (one,)


def syn(at_us: float, hop: str = "client > fw", **more: object) -> tuple[Packet, ...]:
    return packet(at_us, hop, "S", **{"seq": CLIENT_ISN, **more})  # type: ignore[arg-type]


def syn_ack(at_us: float, hop: str = "server > fw", **more: object) -> tuple[Packet, ...]:
    return packet(at_us, hop, "SA", SERVER, CLIENT, **{"seq": SERVER_ISN, "ack": CLIENT_ISN + 1, **more})  # type: ignore[arg-type]


def segment(
    at_us: float, hop: str, flags: str = "A", *, seq: int = 1, ack: int = 1, server: bool = False, **more: object
) -> tuple[Packet, ...]:
    """A segment of the connection, by relative sequence numbers; `server` says that it is the server's."""
    here, there = (SERVER_ISN, CLIENT_ISN) if server else (CLIENT_ISN, SERVER_ISN)
    ends = (SERVER, CLIENT) if server else (CLIENT, SERVER)
    numbers = {"seq": (here + seq) % 2**32, "ack": (there + ack) % 2**32 if "A" in flags else 0}
    return packet(at_us, hop, flags, *ends, **{**numbers, **more})  # type: ignore[arg-type]


def rst(at_us: float, hop: str = "fw > client", **more: object) -> tuple[Packet, ...]:
    """The answer to a SYN that nobody wants: RST ACK, in the server's name."""
    return packet(at_us, hop, "RA", SERVER, CLIENT, **{"ack": CLIENT_ISN + 1, **more})  # type: ignore[arg-type]


def handshake(at_us: float) -> tuple[Packet, ...]:
    """SYN, SYN ACK and ACK over both links of client -- fw -- server, 10 µs apart."""
    return (
        *syn(at_us),
        *syn(at_us + 10, "fw > server", ttl=63),
        *syn_ack(at_us + 20),
        *syn_ack(at_us + 30, "fw > client", ttl=63),
        *segment(at_us + 40, "client > fw"),
        *segment(at_us + 50, "fw > server", ttl=63),
    )


def call(
    at_us: float, process: str, text: str, result: str = "ok", *, took_us: float = 30, step: int | None = None
) -> Call:
    """A call as `connect(server:60000)`."""
    name, _, args = text.removesuffix(")").partition("(")
    time_ns = round(at_us * 1000)
    node = process.partition(".")[0]
    return Call(time_ns, node, process, name, args, result, time_ns + round(took_us * 1000), step)


def ended(at_us: float, process: str, outcome: str) -> ProcessEnd:
    return ProcessEnd(round(at_us * 1000), process.partition(".")[0], process, outcome)


def kernel(at_us: float, node: str, event: str, *, reason: str = "", state: str = "") -> Kernel:
    return Kernel(
        round(at_us * 1000), node, event, f"{SERVER[0]}:{SERVER[1]}", f"{CLIENT[0]}:{CLIENT[1]}", reason, state
    )


def fault(at_us: float, node: str, text: str, took_us: float = 50) -> Fault:
    time_ns = round(at_us * 1000)
    return Fault(time_ns, node, text.split(maxsplit=1)[0], text, time_ns + round(took_us * 1000))


def timeline(
    *parts: Part,
    script: tuple[tuple[str, str], ...] = (),
    results: tuple[StepResult, ...] = (),
    of: Plan = THREE,
) -> Timeline:
    """Events, or sequences of them, in any order."""
    steps = tuple(parse_step(i, who, text) for i, (who, text) in enumerate(script))
    scenario = Scenario("firewall-reset", "A firewall resets every connection", of.topology, script=steps)
    probes = ("packet", "call", "kernel")
    empty = Timeline(scenario, (), results, "host", "6.18.44", probes, lab_ns=20_000_000, wall_ns=310_000_000)
    return empty.sorted(_flat(parts))


def _flat(parts: Iterable[Part]) -> Iterator[Event]:
    for part in parts:
        if isinstance(part, Iterable):
            yield from _flat(part)
        else:
            yield part
