"""A recording: one run as JSON lines, a header and then one line per event, its `source` saying of which kind.

It carries the text of its scenario, so that `netsim explain` needs nothing else, and no root; the network is worked
out from that anew. tests/unit/files/every-event.jsonl shows a line of each kind.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from netsim.errors import InputError
from netsim.files.atomic import check_target, replaced
from netsim.files.render import text_of
from netsim.files.scenario import parse_scenario
from netsim.files.text import label, open_regular
from netsim.files.values import Codecs
from netsim.model.action import Cut, Heal
from netsim.model.event import EVENT_TYPES, Event, Fault, Missed, Packet
from netsim.model.names import checked_name, shown
from netsim.model.network import Network, network_of
from netsim.model.plan import make_plan
from netsim.model.scenario import Scenario
from netsim.model.timeline import StepResult, Tap, Timeline

__all__ = ["check_target", "read", "write"]

VERSION = 2
LINE_MAX = 8 << 20
"""Bytes in a line: the first one holds a whole scenario, escaped."""


@dataclass(frozen=True, slots=True)
class _Header:
    netsim: int
    scenario: str
    text: str
    engine: str
    kernel: str
    lab_ns: int
    wall_ns: int
    sources: tuple[str, ...]
    taps: tuple[Tap, ...]
    steps: tuple[StepResult, ...]
    events: int
    rendered: bool = False
    """The scenario was built in Python, and had no text of its own."""
    build_ns: int = 0
    down_ns: int = 0


def write(timeline: Timeline, path: str | Path) -> None:
    """Save a run; raises InputError or HostError, and then leaves whatever was there untouched."""
    if timeline.scenario is None:
        raise InputError(
            "this timeline has no scenario, and only the run of one can be saved so far; save what 'netsim run' makes"
        )
    text = text_of(timeline.scenario)
    header = _Header(
        VERSION,
        timeline.scenario.name,
        text,
        timeline.engine,
        timeline.kernel,
        timeline.lab_ns,
        timeline.wall_ns,
        tuple(sorted(timeline.sources)),
        tuple(sorted(timeline.taps, key=lambda tap: (tap.node, tap.link or ""))),
        timeline.steps,
        len(timeline.events),
        text != timeline.scenario.text,
        timeline.build_ns,
        timeline.down_ns,
    )
    codecs = Codecs()
    encode = codecs.tagged("source", _KINDS).encode
    dump = json.JSONEncoder(ensure_ascii=False).encode
    with replaced(Path(path)) as file:
        file.write(dump(codecs.of(_Header).encode(header)) + "\n")
        for index, event in enumerate(timeline.events):
            file.write(dump({"index": index, **encode(event)}) + "\n")


def read(path: str | Path) -> Timeline:
    """Read a recording; raises InputError with file and line where it is not as `write` left it."""
    path = Path(path)
    codecs = Codecs()
    line = 1
    with open_regular(path) as file:
        try:
            header = _read_header(_object(file), codecs)
            timeline = _make_timeline(header)
            reader = _EventReader(timeline, codecs)
            events: list[Event] = []
            for index in range(header.events):
                line = index + 2
                events.append(reader.read(index, _object(file)))
            line = header.events + 2
            if file.read(1):
                raise InputError(f"more lines follow than the {header.events} events announced")
        except OSError as error:
            raise InputError(f"{label(path)}:{line}: it cannot be read: {error.strerror}") from None
        except InputError as error:
            raise InputError(f"{label(path)}:{line}: {error}") from None
    return replace(timeline, events=tuple(events))


_KINDS = {kind.source: kind for kind in EVENT_TYPES}


def _object(file: BinaryIO) -> dict[str, Any]:
    """Read one line, which holds one JSON object."""
    line = file.readline(LINE_MAX + 1)
    if not line:
        raise InputError("the recording ends here, before all of it was there; it was cut short")
    if len(line) > LINE_MAX:
        raise InputError(f"this line has more than {LINE_MAX:,} bytes; it is none of netsim's")
    try:
        data = json.loads(line.decode())
    except (ValueError, RecursionError):
        # Not even its beginning is shown: what it holds may be anything, and long.
        raise InputError("this line is no JSON; the file is damaged, or no recording") from None
    if not isinstance(data, dict):
        raise InputError("this line is no JSON object; the file is damaged, or no recording")
    return data


def _read_header(data: dict[str, Any], codecs: Codecs) -> _Header:
    version = data.get("netsim")
    if version is None:
        raise InputError("this is no recording; make one with 'netsim run NAME --record FILE'")
    if version != VERSION or isinstance(version, bool):
        raise InputError(
            f"this recording has version {shown(version)}, and this netsim reads {VERSION}; "
            "record it anew with 'netsim run NAME --record FILE'"
        )
    header: _Header = codecs.of(_Header).decode(data)
    if header.events < 0:
        raise InputError(f"'events' is {header.events}, and should be a number of lines")
    return header


def _make_timeline(header: _Header) -> Timeline:
    """The run without its events."""
    name = checked_name(header.scenario, "scenario")
    scenario = parse_scenario(header.text, name, f"in its scenario {name}.yaml")
    if header.rendered:
        scenario = replace(scenario, text="", script=tuple(replace(step, line=0) for step in scenario.script))
    network = network_of(make_plan(scenario.topology))
    for result in header.steps:
        _check_step(result.index, scenario)
    ends = _ends(network)
    for tap in header.taps:
        if (tap.node, tap.link) not in ends:
            raise InputError(
                f"there is no end of {shown(tap.link or 'lo')} at {shown(tap.node)} in the recorded scenario"
            )
    return Timeline(
        scenario,
        network,
        (),
        header.steps,
        frozenset(header.taps),
        frozenset(header.sources),
        header.engine,
        header.kernel,
        header.lab_ns,
        header.wall_ns,
        header.build_ns,
        header.down_ns,
    )


def _ends(network: Network) -> frozenset[tuple[str, str | None]]:
    """Where packets can be seen."""
    links = ((node, link) for link, pair in network.links.items() for node in pair)
    return frozenset([*links, *((node, None) for node in network.nodes)])


def _check_step(index: int, scenario: Scenario) -> None:
    if not 0 <= index < len(scenario.script):
        raise InputError(f"there is no step {index} in the recorded scenario")


class _EventReader:
    """Turns lines into events, and knows which nodes, ends of links and steps there are."""

    def __init__(self, timeline: Timeline, codecs: Codecs) -> None:
        assert timeline.scenario is not None
        self._decode = codecs.tagged("source", _KINDS).decode
        self._scenario, self._network = timeline.scenario, timeline.network
        self._ends = _ends(timeline.network)
        self._time_ns: int | None = None

    def read(self, index: int, data: dict[str, Any]) -> Event:
        """Read the next event; raises InputError."""
        if data.pop("index", None) != index:
            raise InputError(f"'index' should be {index}; lines are missing, or were moved")
        event: Event = self._decode(data)
        if self._time_ns is not None and event.time_ns < self._time_ns:
            raise InputError("this event is older than the one before it; events are sorted by time")
        self._time_ns = event.time_ns
        if not isinstance(event, Packet):
            self._check(event)
        elif (event.node, event.link) not in self._ends:
            where = "no node" if event.node not in self._network.nodes else f"no link {shown(event.link)} at"
            raise InputError(f"there is {where} {shown(event.node)} in the recorded scenario")
        return event

    def _check(self, event: Event) -> None:
        """See to it that what an event is about is there: who explains it looks it up."""
        match event:
            case Fault(action=Cut() | Heal()):
                ends = self._network.links.get(event.node)
                if ends is None:
                    raise InputError(f"there is no link {shown(event.node)} in the recorded scenario")
                to = event.action.to if isinstance(event.action, Cut) else None
                if to is not None and to not in ends:
                    raise InputError(f"{shown(to)} is no end of the link {event.node}")
            case Missed(node=""):
                pass
            case _ if event.node not in self._network.nodes:
                raise InputError(f"there is no node {shown(event.node)} in the recorded scenario")
        step = getattr(event, "step", None)
        if step is not None:
            _check_step(step, self._scenario)
