"""A recording: one run as JSON lines, a header and then one line per event.

It carries the text of its scenario, so that `netsim explain` needs nothing else, and no root.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from netsim.errors import InputError
from netsim.files.fields import decoder, encode, is_text
from netsim.files.render import render
from netsim.files.scenario import parse_scenario
from netsim.files.target import check_target, replaced
from netsim.files.text import label, open_regular
from netsim.model.event import EVENT_TYPES, Event, Fault, Packet
from netsim.model.names import name_fault, shown
from netsim.model.scenario import Scenario
from netsim.model.timeline import StepResult, Timeline

__all__ = ["check_target", "read", "write"]

VERSION = 1
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
    events: int


def write(timeline: Timeline, path: Path) -> None:
    """Save a run; raises InputError or HostError, and then leaves whatever was there untouched."""
    scenario = timeline.scenario
    header = _Header(
        VERSION,
        scenario.name,
        scenario.text or render(scenario),
        timeline.engine,
        timeline.kernel,
        timeline.lab_ns,
        timeline.wall_ns,
        len(timeline.events),
    )
    lists = {"probes": list(timeline.probes), "steps": [encode(step) for step in timeline.steps]}
    dump = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode
    with replaced(path) as file:
        file.write(dump(encode(header) | lists) + "\n")
        for index, event in enumerate(timeline.events):
            file.write(dump({"index": index, "source": event.source} | encode(event)) + "\n")


def read(path: Path) -> Timeline:
    """Read a recording; raises InputError with file and line where it is not as `write` left it."""
    name = label(path)
    with open_regular(path) as file:
        first = _object(file, f"{name}:1")
        with _placed(f"{name}:1"):
            header, timeline = _read_header(first)
        reader = _EventReader(timeline.scenario)
        events: list[Event] = []
        for index in range(header.events):
            place = f"{name}:{index + 2}"
            data = _object(file, place)
            with _placed(place):
                events.append(reader.read(index, data))
                if index and events[index].time_ns < events[index - 1].time_ns:
                    raise InputError("this event is older than the one before it; events are sorted by time")
        if file.read(1):
            raise InputError(f"{name}:{header.events + 2}: more lines follow than the {header.events} events announced")
    return replace(timeline, events=tuple(events))


@contextmanager
def _placed(place: str) -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def _object(file: BinaryIO, place: str) -> dict[str, Any]:
    """Read one line, which holds one JSON object."""
    try:
        line = file.readline(LINE_MAX + 1)
    except OSError as error:
        raise InputError(f"{place}: it cannot be read: {error.strerror}") from None
    if not line:
        raise InputError(f"{place}: the recording ends here, before all of it was there; it was cut short")
    if len(line) > LINE_MAX:
        raise InputError(f"{place}: this line has more than {LINE_MAX:,} bytes; it is none of netsim's")
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        # Not even its beginning is shown: what it holds may be anything, and long.
        raise InputError(f"{place}: this line is no JSON; the file is damaged, or no recording") from None
    if not isinstance(data, dict):
        raise InputError(f"{place}: this line is no JSON object; the file is damaged, or no recording")
    return data


def _read_header(data: dict[str, Any]) -> tuple[_Header, Timeline]:
    version = data.get("netsim")
    if version != VERSION or isinstance(version, bool):
        if version is None:
            raise InputError("this is no recording; make one with 'netsim run NAME --record FILE'")
        raise InputError(f"this recording has version {shown(version)}, and this netsim reads {VERSION}")
    probes, steps = data.pop("probes", None), data.pop("steps", None)
    header = decoder(_Header)(data)
    if not isinstance(probes, list) or not all(map(is_text, probes)):
        raise InputError("'probes' should be a list of texts")
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise InputError("'steps' should be a list of objects")
    if header.events < 0:
        raise InputError(f"'events' is {header.events}, and should be a number of lines")
    fault = name_fault(header.scenario)
    if fault is not None:
        raise InputError(f"{shown(header.scenario)} cannot be a scenario's name: {fault}")
    scenario = parse_scenario(header.text, header.scenario, f"in its scenario {header.scenario}.yaml")
    decode = decoder(StepResult)
    results = tuple(decode(step) for step in steps)
    for result in results:
        _check_step(result.index, scenario)
    timeline = Timeline(
        scenario, (), results, header.engine, header.kernel, tuple(probes), header.lab_ns, header.wall_ns
    )
    return header, timeline


def _check_step(index: int | None, scenario: Scenario) -> None:
    if index is not None and not 0 <= index < len(scenario.script):
        raise InputError(f"there is no step {index} in the recorded scenario")


class _EventReader:
    """Turns lines into events, and knows which nodes, links and steps there are."""

    def __init__(self, scenario: Scenario) -> None:
        self._decoders = {kind.source: decoder(kind) for kind in EVENT_TYPES}
        self._scenario = scenario
        self._nodes = {node.name for node in scenario.topology.nodes} | {""}
        self._links = {link.name for link in scenario.topology.links}

    def read(self, index: int, data: dict[str, Any]) -> Event:
        """Read one event; raises InputError."""
        if data.pop("index", None) != index:
            raise InputError(f"'index' should be {index}; lines are missing, or were moved")
        source = data.pop("source", None)
        if not isinstance(source, str) or source not in self._decoders:
            raise InputError(f"unknown source {shown(source)}; the sources are {', '.join(self._decoders)}")
        event: Event = self._decoders[source](data)
        if event.node not in self._nodes and not (isinstance(event, Fault) and event.node in self._links):
            raise InputError(f"there is no node {shown(event.node)} in the recorded scenario")
        if isinstance(event, Packet) and event.link not in self._links:
            raise InputError(f"there is no link {shown(event.link)} in the recorded scenario")
        _check_step(getattr(event, "step", None), self._scenario)
        return event
