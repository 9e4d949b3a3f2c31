"""A run is saved as JSON lines, and read back without anything but the file."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest

from netsim.errors import InputError
from netsim.files.recording import read, write
from netsim.files.scenario import parse_scenario
from netsim.model.event import EVENT_TYPES, Event, Packet
from netsim.model.timeline import StepResult, Timeline
from tests.unit.files.texts import GOOD

SCENARIO = parse_scenario(GOOD + "  - client: connect server:80\n", "example", "example.yaml")
PLACES: dict[str, list[str]] = {
    "node": ["client", "fw", "server", ""],
    "link": ["client -- fw", "fw -- server"],
}
TEXTS = ["", "ok", "ECONNRESET", "a \u00e4 \U0001f600 b", 'quo"te \\ / \u2028', "line\nbreak\ttab", "{}"]


def any_value(name: str, hint: Any, chance: random.Random) -> Any:
    """Some value that a field may have."""
    if get_origin(hint) is Literal:
        return chance.choice(get_args(hint))
    if get_origin(hint) is Mapping:
        return {word: chance.randrange(2**40) for word in chance.sample(["OutRsts", "TCPAbortOnClose", "InSegs"], 2)}
    if hint in {int, bool}:
        return chance.choice([0, 1, 2**32 - 1, 2**63 - 1, -1] if hint is int else [True, False])
    return chance.choice([None, 0, 1] if name == "step" else PLACES.get(name, TEXTS))


def any_event(time_ns: int, chance: random.Random) -> Event:
    kind = chance.choice(EVENT_TYPES)
    hints = get_type_hints(kind)
    values = {field.name: any_value(field.name, hints[field.name], chance) for field in fields(kind)}
    return kind(**{**values, "time_ns": time_ns})


def any_timeline(seed: int) -> Timeline:
    chance = random.Random(seed)
    times = sorted(chance.randrange(10**9) for _ in range(chance.randrange(30)))
    steps = tuple(StepResult(i, chance.choice(TEXTS), i, i + 1, ok=i == 0) for i in range(2))
    events = tuple(any_event(time_ns, chance) for time_ns in times)
    return Timeline(SCENARIO, events, steps, "host", "6.18.44", ("packet", "call"), 20_000_000, 310_000_000)


@pytest.mark.parametrize("seed", range(40))
def test_what_is_written_is_read(tmp_path: Path, seed: int) -> None:
    timeline = any_timeline(seed)
    write(timeline, tmp_path / "run.jsonl")
    assert read(tmp_path / "run.jsonl") == timeline


def test_the_lines(tmp_path: Path) -> None:
    packet = Packet(5, "fw", "eth0", "client -- fw", "out", "tcp", "10.0.1.2", "10.0.0.1", flags="RA")
    timeline = Timeline(SCENARIO, (packet,), (StepResult(0, "ok", 1, 2, ok=True),), kernel="6.18", probes=("packet",))
    write(timeline, tmp_path / "run.jsonl")
    header, event = map(json.loads, (tmp_path / "run.jsonl").read_text().splitlines())
    assert header == {
        "netsim": 1,
        "scenario": "example",
        "text": SCENARIO.text,
        "engine": "host",
        "kernel": "6.18",
        "lab_ns": 0,
        "wall_ns": 0,
        "events": 1,
        "probes": ["packet"],
        "steps": [{"index": 0, "observed": "ok", "start_ns": 1, "end_ns": 2, "ok": True}],
    }
    assert (event["index"], event["source"], event["node"], event["flags"]) == (0, "packet", "fw", "RA")


def test_a_scenario_made_in_python_is_written_as_text(tmp_path: Path) -> None:
    write(Timeline(replace(SCENARIO, text=""), ()), tmp_path / "run.jsonl")
    found = read(tmp_path / "run.jsonl").scenario
    assert found.topology == SCENARIO.topology
    assert [step.text for step in found.script] == ["listen 80", "connect server:80"]


def test_what_could_steer_a_terminal_is_not_written(tmp_path: Path) -> None:
    packet = Packet(5, "fw", "eth0", "client -- fw", "out", "arp", "", "", detail="\x1b[31mred\udc80")
    write(Timeline(SCENARIO, (packet,)), tmp_path / "run.jsonl")
    (found,) = read(tmp_path / "run.jsonl").events
    assert isinstance(found, Packet)
    assert found.detail == "\ufffd[31mred\ufffd"


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    """A recording of two events, as lines to be spoiled."""
    packet = Packet(5, "fw", "eth0", "client -- fw", "out", "tcp", "10.0.1.2", "10.0.0.1")
    write(Timeline(SCENARIO, (packet, packet), (StepResult(0, "ok", 1, 2, ok=True),)), tmp_path / "good.jsonl")
    return (tmp_path / "good.jsonl").read_text().splitlines(keepends=True)


def refusal(path: Path, content: str | bytes) -> str:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(InputError) as caught:
        read(path)
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert str(path) in sentence
    return sentence.replace(str(path), "FILE")


CUT = "the recording ends here, before all of it was there; it was cut short"
NO_JSON = "this line is no JSON; the file is damaged, or no recording"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", f"FILE:1: {CUT}"),
        ("\n", f"FILE:1: {NO_JSON}"),
        ("hello\n", f"FILE:1: {NO_JSON}"),
        (b"\xff\xfe\x00\n", f"FILE:1: {NO_JSON}"),
        (b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00", f"FILE:1: {NO_JSON}"),
        ("[" * 100_000 + "\n", f"FILE:1: {NO_JSON}"),
        ('{"netsim": ' + "9" * 5000 + "}\n", f"FILE:1: {NO_JSON}"),
        ("[1]\n", "FILE:1: this line is no JSON object; the file is damaged, or no recording"),
        ('{"a": 1}\n', "FILE:1: this is no recording; make one with 'netsim run NAME --record FILE'"),
        ('{"netsim": 2}\n', "FILE:1: this recording has version 2, and this netsim reads 1"),
        ('{"netsim": true}\n', "FILE:1: this recording has version True, and this netsim reads 1"),
        ('{"netsim": "1"}\n', "FILE:1: this recording has version '1', and this netsim reads 1"),
        ('{"netsim": 1}\n', "FILE:1: 'scenario' is missing"),
        ("x" * ((8 << 20) + 1), "FILE:1: this line has more than 8,388,608 bytes; it is none of netsim's"),
    ],
    ids=range(14),
)
def test_a_foreign_file(tmp_path: Path, content: str | bytes, sentence: str) -> None:
    assert refusal(tmp_path / "run.jsonl", content) == sentence


A_NAME = "a name is made of a-z, 0-9 and '-', starts with a letter and does not end with '-'"
A_STEP = {"index": 9, "observed": "", "start_ns": 0, "end_ns": 0, "ok": True}
THE_SOURCES = "the sources are packet, call, process, kernel, counters, rule, fault"


@pytest.mark.parametrize(
    ("line", "change", "sentence"),
    [
        (
            1,
            {"text": "a"},
            "in its scenario example.yaml:1:1: a scenario is the text 'a' here; write a mapping such as title: ...",
        ),
        (1, {"scenario": "../x"}, f"'../x' cannot be a scenario's name: {A_NAME}"),
        (1, {"kernel": 6}, "'kernel' is 6, and should be a text without control characters"),
        (1, {"kernel": "\x1b"}, r"'kernel' is '\x1b', and should be a text without control characters"),
        (1, {"engin": "host"}, "unknown field 'engin'; did you mean 'engine'?"),
        (1, {"events": -1}, "'events' is -1, and should be a number of lines"),
        (1, {"probes": "all"}, "'probes' should be a list of texts"),
        (1, {"steps": [1]}, "'steps' should be a list of objects"),
        (1, {"steps": [{}]}, "'index' is missing"),
        (1, {"steps": [A_STEP]}, "there is no step 9 in the recorded scenario"),
        (2, {"index": 1}, "'index' should be 0; lines are missing, or were moved"),
        (2, {"source": "gossip"}, f"unknown source 'gossip'; {THE_SOURCES}"),
        (2, {"source": None}, f"unknown source None; {THE_SOURCES}"),
        (2, {"source": "call"}, "'process' is missing"),
        (2, {"time_ns": 1.5}, "'time_ns' is 1.5, and should be a whole number"),
        (2, {"time_ns": True}, "'time_ns' is True, and should be a whole number"),
        (2, {"time_ns": 1 << 70}, "'time_ns' is 1180591620717411303424, and should be a whole number"),
        (2, {"direction": "up"}, "'direction' is 'up', and should be 'out' or 'in'"),
        (2, {"lost": 0}, "'lost' is 0, and should be true or false"),
        (2, {"node": "nas"}, "there is no node 'nas' in the recorded scenario"),
        (2, {"link": "a -- b"}, "there is no link 'a -- b' in the recorded scenario"),
        (2, {"colour": "red"}, "unknown field 'colour'"),
        (3, {"time_ns": 4}, "this event is older than the one before it; events are sorted by time"),
    ],
)
def test_a_damaged_line(tmp_path: Path, lines: list[str], line: int, change: dict[str, Any], sentence: str) -> None:
    changed = json.dumps(json.loads(lines[line - 1]) | change) + "\n"
    spoiled = [*lines[: line - 1], changed, *lines[line:]]
    assert refusal(tmp_path / "run.jsonl", "".join(spoiled)) == f"FILE:{line}: {sentence}"


def test_a_recording_that_was_cut_short(tmp_path: Path, lines: list[str]) -> None:
    path = tmp_path / "run.jsonl"
    assert refusal(path, "".join(lines[:2])) == f"FILE:3: {CUT}"
    assert refusal(path, "".join(lines)[:-20]) == f"FILE:3: {NO_JSON}"
    assert refusal(path, lines[0] + lines[2]) == "FILE:2: 'index' should be 0; lines are missing, or were moved"


def test_lines_behind_the_end(tmp_path: Path, lines: list[str]) -> None:
    sentence = "FILE:4: more lines follow than the 2 events announced"
    assert refusal(tmp_path / "run.jsonl", "".join([*lines, lines[2]])) == sentence


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_byte_never_ends_in_a_traceback(tmp_path: Path, lines: list[str], seed: int) -> None:
    chance = random.Random(seed)
    content = bytearray("".join(lines).encode())
    for _ in range(30):
        spoiled = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        (tmp_path / "run.jsonl").write_bytes(spoiled)
        try:
            read(tmp_path / "run.jsonl")
        except InputError as error:
            assert "\n" not in str(error)  # noqa: PT017  (a change of a letter in a text may do no harm)
