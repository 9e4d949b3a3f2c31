"""A sentence of an explanation, with what it is about; and templates that read sentences back into their parts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from netsim.model.endpoint import WILDCARDS, Endpoint
from netsim.model.event import Call, Event, Kernel, Packet, ProcessEnd, Tcp
from netsim.model.explanation import Evidence, Failure, Reset
from netsim.model.network import way_to
from tests.stories.facts import SLACK_NS, Facts, Journey, closes

_NODE = r"[\w-]+"
_PROC = rf"{_NODE}(?:\.{_NODE})?"
_LINK = rf"{_NODE} -- {_NODE}(?: \(\d+\))?"
_RULE = r"rule \d+ of its [A-Z]+ chain \([^)]*\)"
_HOST = r"[\w.:-]+"
PLACE = (
    rf"(?:on {_LINK}(?:, which was cut)?|at {_NODE}: {_RULE}|at {_NODE}, which had no power"
    rf"|at {_NODE}, which has no route to {_HOST}|at {_NODE}, which has a route of type [a-z]+ to {_HOST}"
    rf"|at {_NODE}, whose kernel dropped it with reason [A-Z0-9_]+"
    rf"|at {_NODE}, whose ARP requests for {_HOST} got no answer|at {_NODE}, where its TTL ended"
    rf"|at {_NODE}, which sent nothing on)"
)
LOST = rf"\d+ packets? to \S+:\d+ (?:vanished|did not get through) {PLACE}(?:, \d+ {PLACE})*"
KINDS = {
    "node": _NODE, "proc": _PROC, "link": _LINK, "links": rf"{_LINK}(?:, {_LINK})*", "end": r"\S+:\d+",
    "host": _HOST, "n": r"\d+", "s": "s?", "errno": r"[A-Z][A-Z0-9]+", "rule": _RULE, "lost": LOST,
    "time": r"-?[\d.e+]+ (?:ns|µs|ms|s|min)", "what": "the data|data|the SYN ACK|a FIN|a segment", "call": r"\w+",
    "ended": rf"{_PROC} (?:closed it|was killed by \S+|ended \([^)]*\)|lost its machine's power)",
    "many": r"the packet|\d+ packets", "text": r".+", "body": r"[^']+", "result": r".+?", "chain": "[A-Z]+",
    "value": r"\S+", "no_route": rf"has no route to {_HOST}|has a route of type [a-z]+ to {_HOST}",
    "limit": r"the script's limit|the program's own limit|the program's own SO_(?:RCV|SND)TIMEO of \S+",
}  # fmt: skip
"""What stands in the place of each `{kind}` of a template, or `{name:kind}`."""

_Kind = TypeVar("_Kind", bound=Event)
Check = Callable[..., Iterator[str]]
Form = tuple[str, Check]
"""A template, and what must hold of a sentence that fits it; the check gets the template's parts by name."""


def compiled(forms: tuple[Form, ...]) -> list[tuple[re.Pattern[str], Check]]:
    return [(re.compile(_regex(template)), check) for template, check in forms]


def _regex(template: str) -> str:
    parts = re.split(r"\{(\w+)(?::(\w+))?\}", template)
    found = re.escape(parts[0])
    for name, kind, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
        found += f"(?P<{name}>{KINDS[kind or name]})" + re.escape(rest)
    return found


def read(forms: list[tuple[re.Pattern[str], Check]], s: Sentence, text: str) -> Iterator[str]:
    """Hold a text against the first form that it has; one of no form is unchecked."""
    for pattern, check in forms:
        found = pattern.fullmatch(text)
        if found is not None:
            parts = found.groupdict()
            plural = parts.pop("s", None)
            if plural is not None and (parts["n"] == "1") == bool(plural):
                yield f"{parts['n']} and its noun do not agree"
            yield from check(s, **parts)
            return
    yield f"unchecked: no form reads {text!r}"


@dataclass(frozen=True)
class Sentence:
    """One sentence of one reset or failure, the events that it cites, and both timelines."""

    text: str
    full: Facts
    told: Facts
    """The timeline that was explained, which may hold less; events are numbered by it."""
    subject: Reset | Failure
    events: tuple[int, ...] = ()

    def cited(self, kind: type[_Kind]) -> list[_Kind]:
        return [event for event in map(self.event, self.events) if isinstance(event, kind)]

    @property
    def endings(self) -> list[Call | ProcessEnd]:
        """What is cited of what can end a socket."""
        events = map(self.event, self.events)
        return [e for e in events if isinstance(e, ProcessEnd) or (isinstance(e, Call) and closes(e))]

    def event(self, index: int) -> Event | None:
        return self.told.timeline.events[index] if 0 <= index < len(self.told.timeline.events) else None

    def evidence(self, *words: str) -> list[Evidence]:
        return [one for one in self.subject.evidence if any(word in one.text for word in words)]

    @cached_property
    def call(self) -> Call:
        assert isinstance(self.subject, Failure)
        call = self.event(self.subject.event)
        assert isinstance(call, Call), "a failure's event is a call"
        return call

    @cached_property
    def rst(self) -> Journey | None:
        """The RST that it is about, with all its sights."""
        assert isinstance(self.subject, Reset)
        for _, packet in self.told.of(Packet):
            is_it = isinstance(packet.segment, Tcp) and packet.segment.flags == self.subject.flags
            mine = (packet.time_ns, packet.src, packet.dst) == (
                self.subject.time_ns, self.subject.src, self.subject.dst,
            )  # fmt: skip
            if is_it and mine and "R" in self.subject.flags:
                return self.full.journey(packet)
        return None

    @property
    def node(self) -> str:
        """Who made the reset, or whose call failed."""
        return (self.subject.sent_by or "") if isinstance(self.subject, Reset) else self.call.node

    @property
    def until_ns(self) -> int:
        """When it was over: the reset made, the call returned."""
        if isinstance(self.subject, Reset):
            return self.rst.made_ns if self.rst else self.subject.time_ns
        return self.call.end_ns

    @cached_property
    def ends(self) -> tuple[Endpoint | None, Endpoint | None]:
        """The own end and the other end: of the reset's maker, or of the failed call's socket."""
        if isinstance(self.subject, Reset):
            return self.subject.src, self.subject.dst
        calls = self.full.by_socket.get(self.call.socket, [])
        remote = self.call.remote or next((c.remote for c in reversed(calls) if c.remote), None)
        told = [c.local for c in (self.call, *calls) if c.local and c.local.port and c.made in {"", self.call.socket}]
        if remote is not None and self.call.name == "connect" and (not told or self._syn(remote)):
            syn = self._syn(remote)
            return (syn.src if syn else next(iter(told), None)), remote
        own = next(iter(told), None)
        if own is not None and own.address in WILDCARDS and remote is not None:
            own = Endpoint(self._source_address(remote), own.port)
        return own, remote

    def _source_address(self, remote: Endpoint) -> str:
        """The address that a node gives what it sends to an end."""
        network, node = self.full.network, self.call.node
        link = way_to(network, node, remote.address).link
        ids = tuple(network.links)
        at = [i.address for i in network.interfaces(node) if i.address and ids[i.link] == link]
        return str(at[0]) if at else network.addresses.get(node, "")

    def _syn(self, remote: Endpoint) -> Journey | None:
        """The SYN of a connect(), by its time."""
        for journey in self.full.journeys:
            if isinstance(journey.segment, Tcp) and journey.segment.flags == "S" and journey.dst == remote:
                port = self.call.local.port if self.call.local else journey.src.port
                mine = journey.maker == self.call.node and port == journey.src.port
                if mine and self.call.time_ns - 5 * SLACK_NS <= journey.made_ns <= self.call.end_ns:
                    return journey
        return None

    def begun_ns(self) -> int:
        """When the connection was begun: its latest SYN with a number of its own before the end."""
        own, other = self.ends
        if own is None or other is None:
            return self.until_ns
        both = [*self.full.sent(own, other), *self.full.sent(other, own)]
        syns = [j for j in both if j.tcp.flags == "S" and j.made_ns <= self.until_ns]
        if not syns:
            return min((j.made_ns for j in both), default=0)
        latest = max(syns, key=lambda j: j.made_ns)
        return min(j.made_ns for j in syns if j.tcp.seq == latest.tcp.seq and j.src == latest.src)

    @cached_property
    def kernel_said(self) -> Kernel | None:
        """The whole timeline's tcp_send_reset about the RST, by its maker's kernel."""
        rst = self.rst
        if rst is None:
            return None
        about = [
            event
            for event in self.full.kernels
            if event.event == "tcp_send_reset"
            and (event.node, event.local, event.remote) == (rst.maker, rst.src, rst.dst)
            and abs(event.time_ns - rst.made_ns) < 50 * SLACK_NS
            and (event.answers is None or rst.tcp.seq in {event.answers.ack, 0})
        ]
        return min(about, key=lambda event: abs(event.time_ns - rst.made_ns), default=None)

    @property
    def told_all(self) -> bool:
        """Would the whole timeline have a tcp_send_reset, had a TCP sent it?"""
        release = tuple(int(n) for n in re.findall(r"\d+", self.full.timeline.kernel)[:2])
        on = {"tcp_send_reset", "reset reasons"} <= self.full.timeline.sources
        return on and release >= (6, 10) and not self.full.missed
