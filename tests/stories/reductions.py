"""Less of a run: the same events, as somebody would have recorded them who watched less, later or less exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Literal

from netsim.model.action import Run
from netsim.model.event import Call, Counters, Drop, Event, Kernel, Missed, Packet, ProcessEnd, RuleHit
from netsim.model.timeline import Tap, Timeline

Evidence = Literal["all", "counters", "neither", "6.1"]
EVIDENCE: tuple[Evidence, ...] = ("all", "counters", "neither", "6.1")
Taps = Literal["all", "client", "server"]
TAPS: tuple[Taps, ...] = ("all", "client", "server")

_TRACED = frozenset({
    "tcp_send_reset", "tcp_receive_reset", "tcp_retransmit_skb", "inet_sock_set_state", "inet_sk_error_report",
    "kfree_skb", "drop", "reset reasons",
})  # fmt: skip


def reduced(timeline: Timeline, taps: Taps, evidence: Evidence) -> Timeline:
    """The same run, watched at fewer places and with less evidence."""
    kept = timeline.taps if taps == "all" else frozenset(tap for tap in timeline.taps if tap.node == taps)
    return with_evidence(watched_at(timeline, kept), evidence)


def watched_at(timeline: Timeline, taps: frozenset[Tap]) -> Timeline:
    """Packets only of these taps."""
    seen = [e for e in timeline.events if not isinstance(e, Packet) or Tap(e.node, e.link) in taps]
    return replace(timeline, events=tuple(seen), taps=taps & timeline.taps)


def with_evidence(timeline: Timeline, evidence: Evidence) -> Timeline:
    """Without the kernel's words, without any counters besides, or with what Linux 6.1 says."""
    sources, kernel = timeline.sources, timeline.kernel
    dropped: tuple[type, ...] = ()
    if evidence in {"counters", "neither"}:
        sources, dropped = sources - _TRACED, (Kernel, Drop)
    if evidence == "neither":
        sources, dropped = sources - {"counters", "rule"}, (*dropped, Counters, RuleHit)
    events = [event for event in timeline.events if not isinstance(event, dropped)]
    if evidence == "6.1":
        sources, kernel = sources - {"reset reasons", "drop", "kfree_skb"}, "6.1.0-18-amd64"
        events = [_as_6_1(event) for event in events if not isinstance(event, Drop) and not _of_no_socket(event)]
    return replace(timeline, events=tuple(events), sources=sources, kernel=kernel)


def _of_no_socket(event: Event) -> bool:
    """Before Linux 6.10 tcp_send_reset told only of whole sockets' resets."""
    whole = {"TCP_ABORT_ON_DATA", "TCP_ABORT_ON_CLOSE", "TCP_STATE", "TCP_KEEPALIVE_TIMEOUT", "TCP_ABORT_ON_LINGER"}
    return isinstance(event, Kernel) and event.event == "tcp_send_reset" and event.reason not in whole


def _as_6_1(event: Event) -> Event:
    if isinstance(event, Kernel) and event.event == "tcp_send_reset":
        return replace(event, reason="")
    return event


# --- further ones ---------------------------------------


def without_strace(timeline: Timeline) -> Timeline:
    """No program could be traced: its calls are not known, nor which sockets its end closed."""
    programs = {(step.who, step.index) for step in timeline.script if isinstance(step.action, Run)}
    last = {(e.process, e.step): e for e in timeline.events if isinstance(e, ProcessEnd)}
    events: list[Event] = []
    for event in timeline.events:
        if isinstance(event, Call) and event.traced:
            continue
        if isinstance(event, ProcessEnd) and (event.process, event.step) in programs:
            if last[event.process, event.step] is not event:
                continue
            event = replace(event, closed=(), began_ns=None)  # noqa: PLW2901
        events.append(event)
    return replace(timeline, events=tuple(events), sources=timeline.sources - {"strace"})


def without_calls_of(timeline: Timeline, process: str) -> Timeline:
    """The calls of one process are missing, and it is said that some are."""
    kept = [e for e in timeline.events if not (isinstance(e, Call) and e.process == process)]
    missed = Missed(timeline.lab_ns, "", "call", len(timeline.events) - len(kept))
    return replace(timeline, sources=timeline.sources - {"strace"}).with_events([*kept, missed])


def with_loss(timeline: Timeline, rng: Random, share: float = 0.05) -> Timeline:
    """The capture let some packets go, and says how many."""
    kept = [e for e in timeline.events if not isinstance(e, Packet) or rng.random() >= share]
    count = len(timeline.events) - len(kept)
    missed = [Missed(timeline.lab_ns, "", "packet", count)] if count else []
    return timeline.with_events([*kept, *missed])


def jittered(timeline: Timeline, rng: Random, by_ns: int = 3000) -> Timeline:
    """Clocks that agree only to some microseconds: neighbouring events change places."""

    def shift(event: Event) -> Event:
        if not isinstance(event, Packet | Kernel | Drop):
            return event
        return replace(event, time_ns=event.time_ns + rng.randint(-by_ns, by_ns))

    return timeline.with_events(map(shift, timeline.events))


def begun_late(timeline: Timeline, rng: Random) -> Timeline:
    """Whoever captured came late: the first packets are missing, and nothing says so."""
    places = [i for i, event in enumerate(timeline.events) if isinstance(event, Packet)]
    first = rng.choice(places) if places else 0
    kept = [e for i, e in enumerate(timeline.events) if i >= first or not isinstance(e, Packet)]
    return replace(timeline, events=tuple(kept))


Reduction = tuple[str, Timeline]


def usual(timeline: Timeline) -> Iterator[Reduction]:
    """Everywhere, at one end, and with each kind of evidence."""
    for taps in TAPS:
        for evidence in EVIDENCE:
            yield f"{taps}, {evidence}", reduced(timeline, taps, evidence)


def elsewhere(timeline: Timeline) -> Iterator[Reduction]:
    """At other places, without the calls of some, and without the file."""
    for name, less in _elsewhere(timeline):
        yield name, less
        yield f"{name}, neither", with_evidence(less, "neither")
    yield "no strace", without_strace(timeline)
    for process in sorted({e.process for e in timeline.events if isinstance(e, Call)}):
        yield f"no calls of {process}", without_calls_of(timeline, process)
    yield "no kernel", replace(timeline, kernel="")
    yield "no scenario", replace(timeline, scenario=None, steps=())


def inexact(timeline: Timeline, rng: Random) -> Iterator[Reduction]:
    """What its own recording does not show in full: no number that is said of such a one can be held against it."""
    for i in range(2):
        yield f"lossy {i}", with_loss(timeline, rng)
        yield f"jittered {i}", jittered(timeline, rng)
        yield f"late {i}", begun_late(timeline, rng)


def _elsewhere(timeline: Timeline) -> Iterator[Reduction]:
    """At a router in the middle only, on one link only, at one end of one link only, and on no loopback."""
    network = timeline.network
    routers = [name for name in network.nodes if network.kind(name) == "router"]
    if routers:
        middle = routers[len(routers) // 2]
        yield f"at {middle}", watched_at(timeline, frozenset(t for t in timeline.taps if t.node == middle))
    for link, ends in network.links.items():
        taps = [Tap(node, link) for node in ends]
        yield f"on {link}", watched_at(timeline, frozenset(taps))
        for tap in taps:
            yield f"on {link} at {tap.node}", watched_at(timeline, frozenset({tap}))
    yield "no loopback", watched_at(timeline, frozenset(t for t in timeline.taps if t.link is not None))
