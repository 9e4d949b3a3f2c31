"""A run is saved as JSON lines, and read back without anything but the file."""

from __future__ import annotations

import random
import typing
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest

from netsim.errors import InputError
from netsim.files.library import load
from netsim.files.recording import read, write
from netsim.model.action import Action, AddRule, Connect, Cut, Run, SetOption
from netsim.model.endpoint import Endpoint
from netsim.model.event import (
    EVENT_TYPES,
    Arp,
    Call,
    Counters,
    Drop,
    Event,
    Fault,
    Icmp,
    Kernel,
    Missed,
    Other,
    Packet,
    ProcessEnd,
    RuleHit,
    Segment,
    Tcp,
    Udp,
)
from netsim.model.firewall import Rule, parse_rule
from netsim.model.result import Count, Eof, Errno, Exited, Ok, Ready, Result, Signalled, TimedOut
from netsim.model.timeline import StepResult, Tap, Timeline
from tests.unit import builders as b
from tests.unit.files.anything import NETWORK, SCENARIO, any_event, any_timeline

A, B = Endpoint("10.0.0.1", 41234), Endpoint("10.0.1.2", 80)
LINK = "client -- fw"


def run_of(*events: Event) -> Timeline:
    return Timeline(SCENARIO, NETWORK, events)


def again(timeline: Timeline, path: Path) -> Timeline:
    write(timeline, path)
    return read(path)


@pytest.mark.parametrize("seed", range(60))
def test_what_is_written_is_read(tmp_path: Path, seed: int) -> None:
    timeline = any_timeline(seed)
    assert again(timeline, tmp_path / "run.jsonl") == timeline


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.source)
def test_every_field_of_an_event_comes_back(tmp_path: Path, kind: type[Event]) -> None:
    """And every optional one was tried with its default, and with something else."""
    chance = random.Random(kind.source)
    timeline = run_of(*(any_event(i, chance, kind) for i in range(300)))
    assert again(timeline, tmp_path / "run.jsonl") == timeline
    for field in fields(kind):
        tried = {str(getattr(event, field.name)) for event in timeline.events}
        assert len(tried) > 1, field.name
        optional = type(None) in typing.get_args(typing.get_type_hints(kind)[field.name])
        assert not optional or "None" in tried, field.name


EVERY_SEGMENT: list[Segment] = [
    Tcp("SA", 4294967295, 1, 0, 64240), Tcp("", 0, 0), Udp(12), Arp("reply"), Other("sctp", 20), Other("tcp"),
    Icmp(8, 0, 56), Icmp(3, 1, 36, "tcp", A, B, 7), Icmp(11, 0, 36, "17", Endpoint("10.0.0.1", 0), B),
]  # fmt: skip


def test_every_segment(tmp_path: Path) -> None:
    timeline = run_of(*(Packet(0, "fw", "eth0", LINK, "in", A, B, segment) for segment in EVERY_SEGMENT))
    assert again(timeline, tmp_path / "run.jsonl") == timeline
    assert {type(segment) for segment in EVERY_SEGMENT} == set(typing.get_args(Segment))


EVERY_RESULT: list[Result | None] = [
    None, Ok(), Eof(), TimedOut(), Count(0), Count(2**40), Exited(0), Exited(255), Signalled("SIGPIPE"),
    Signalled("SIGRTMIN+3"), Errno("ECONNRESET"), Errno("EDEADLOCK"), Errno("ERESTARTSYS"), Ready(("IN", "HUP")),
    Ready(("ERR",)), Ready(("RDHUP", "IN")), Ready(()),
]  # fmt: skip


def test_every_result(tmp_path: Path) -> None:
    """Also those of programs, which no script can expect."""
    timeline = run_of(*(Call(0, "fw", "fw", "x", result, 1) for result in EVERY_RESULT))
    steps = tuple(StepResult(0, result, 1, 2, ok=True) for result in EVERY_RESULT)
    timeline = replace(timeline, steps=steps)
    assert again(timeline, tmp_path / "run.jsonl") == timeline
    assert {type(result) for result in EVERY_RESULT} == {*typing.get_args(Result), type(None)}


@pytest.mark.parametrize(
    "action",
    [
        Connect("10.0.1.2", 80),
        Connect("fd00::1", 0, "7"),
        SetOption("tcp_nodelay", "1", ""),
        SetOption("so_linger", "{onoff=1, linger=0}", "client#4"),
        Run(("sh", "-c", "echo 'a  b' = c")),
        AddRule(Rule("accept", "output", "udp", "client", "10.0.1.2", 53)),
    ],
)
def test_actions_that_no_script_can_say(tmp_path: Path, action: Action) -> None:
    timeline = run_of(Call(0, "fw", "fw", "x", Ok(), 1, action), Fault(0, "fw", action, 1))
    assert again(timeline, tmp_path / "run.jsonl") == timeline


def builders_timelines() -> Iterator[Timeline]:
    yield b.timeline(
        b.call(0, "server", "listen 60000"),
        b.handshake(10),
        b.call(5, "client", "connect server:60000", took_us=60, step=1),
        b.call(80, "server", "accept as first"),
        b.call(90, "client", "read(3)", None, socket="client/7", traced=True, pid=7),
        b.segment(100, "client > fw > server", "PA", length=5),
        b.segment(200, "server > fw", "R", server=True, lost=True),
        b.arp(1),
        b.arp(2, "fw > client", operation="reply"),
        b.icmp(300),
        b.icmp(301, kind=8, code=0, quotes=None),
        b.kernel(210, "server", "tcp_send_reset", reason="NO_SOCKET", answers=Tcp("PA", 1, 2, 5)),
        b.kernel(220, "server", "inet_sock_set_state", old="TCP_ESTABLISHED", state="TCP_CLOSE"),
        b.drop(230, "fw", "NETFILTER_DROP"),
        b.fault(240, LINK, "cut to client", step=2),
        b.fault(250, "fw", "reject output tcp dport 5 with tcp-reset"),
        b.ended(260, "client.b", "signal SIGPIPE", began_us=255, closed=("client.b/connection",), output="line\n"),
        b.hit("fw"),
        b.counted("server", OutRsts=1),
        b.missed("packet", 3),
        script=[("server", "listen 60000 = ok"), ("client", "start connect server:60000"), (LINK, "cut to client")],
        results=[b.result(0, "ok"), b.result(1, None, 5), b.result(2, "ok", 240)],
        of=b.REJECTING,
    )
    yield b.timeline(b.syn(0), taps=[Tap("client", LINK)], sources=[], kernel="", lab_us=0)
    links = ("a -- sw", "sw -- r", "b -- r", "r -- b")
    yield b.timeline(
        b.fault(0, "r -- b (2)", "cut"), b.fault(1, "b -- r", "heal"), of=b.plan(*links, r="router", sw="switch")
    )
    yield b.timeline()


@pytest.mark.parametrize("timeline", [*builders_timelines()], ids=["all of it", "one tap", "two cables", "nothing"])
def test_the_builders_timelines(tmp_path: Path, timeline: Timeline) -> None:
    assert again(timeline, tmp_path / "run.jsonl") == timeline


EVERY_EVENT: list[Event] = [
    Packet(5, "fw", "eth0", LINK, "out", B, A, Tcp("RA", 0, 1000001), 64),
    Packet(6, "fw", "eth0", LINK, "out", Endpoint("10.0.0.2", 0), Endpoint("10.0.0.1", 0),
           Icmp(3, 1, 40, "tcp", A, B, 1000000), 64),
    Call(7, "client", "client", "connect", Errno("ECONNREFUSED"), 9, Connect("server", 80),
         socket="client/connection", local=A, remote=B, step=1, pid=30185),
    ProcessEnd(10, "client", "client.b", Signalled("SIGPIPE"), 8, closed=("client.b/connection",)),
    Kernel(11, "server", "tcp_send_reset", B, A, "NO_SOCKET", answers=Tcp("S", 1000000, 0)),
    Drop(12, "fw", "NETFILTER_DROP", A, B, Udp(5), 77),
    Fault(13, "fw -- client (2)", Cut("fw"), 14, 2),
    Fault(14, "fw", AddRule(parse_rule("output drop tcp dport 5")), 15),
    RuleHit(16, "fw", "FORWARD", 1, parse_rule("reject tcp dport 80 with tcp-reset"), 2),
    Counters(17, "server", {"OutRsts": 1}),
    Missed(18, "", "packet", 3),
]  # fmt: skip


def test_the_lines(tmp_path: Path) -> None:
    """The format, letter by letter, is in a file: whoever changes it counts the version up."""
    timeline = replace(
        run_of(*EVERY_EVENT),
        steps=(StepResult(0, Ok(), 1, 2, ok=True), StepResult(1, None, 3, 4, ok=True)),
        taps=frozenset({Tap("fw", LINK), Tap("fw", None)}),
        sources=frozenset({"strace", "call"}),
        kernel="6.18",
    )
    assert {type(event) for event in EVERY_EVENT} == set(EVENT_TYPES)
    write(timeline, tmp_path / "run.jsonl")
    golden = Path(__file__).with_name("every-event.jsonl")
    assert (tmp_path / "run.jsonl").read_text() == golden.read_text()
    assert read(golden) == timeline


def test_a_scenario_made_in_python_is_written_as_text(tmp_path: Path) -> None:
    steps = tuple(replace(step, line=0) for step in SCENARIO.script)
    timeline = replace(run_of(), scenario=replace(SCENARIO, text="", script=steps))
    assert again(timeline, tmp_path / "run.jsonl") == timeline


def test_a_file_with_the_newlines_of_another_system(tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_bytes(SCENARIO.text.replace("\n", "\r\n").encode())
    assert load(path) == SCENARIO


def test_what_building_took(tmp_path: Path) -> None:
    timeline = replace(run_of(), build_ns=5, down_ns=7)
    assert again(timeline, tmp_path / "run.jsonl") == timeline


def test_paths_may_be_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(run_of(), "run.jsonl")
    assert read("run.jsonl") == read(Path("run.jsonl")) == run_of()


def test_a_timeline_without_a_scenario(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        write(replace(run_of(), scenario=None), tmp_path / "run.jsonl")
    assert str(caught.value) == (
        "this timeline has no scenario, and only the run of one can be saved so far; save what 'netsim run' makes"
    )
    assert not list(tmp_path.iterdir())


def test_what_could_steer_a_terminal_is_not_written(tmp_path: Path) -> None:
    call = Call(5, "fw", "fw", "read", Ok(), 6, detail="\x1b[31mred\udc80")
    (found,) = again(run_of(call), tmp_path / "run.jsonl").events
    assert found == replace(call, detail="\ufffd[31mred\ufffd")
