"""A run as a whole, without a network: its processes meet on this machine's loopback, and a recorder is made up."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from netsim import runner
from netsim.errors import LabError
from netsim.linux.lab import Child
from netsim.linux.packet_filter import Placed
from netsim.linux.trace_program import TraceRecord
from netsim.model.event import Call, Counters, Fault, Kernel, Missed, Packet, ProcessEnd, RuleHit
from netsim.model.plan import Plan
from netsim.model.result import Count
from netsim.model.scenario import Scenario
from netsim.model.step import parse_step
from netsim.model.timeline import Tap, Timeline
from netsim.probes.frame import Frame
from netsim.probes.recorder import Recorded
from tests.unit.builders import THREE
from tests.unit.local_lab import LocalLab, free_port
from tests.unit.probes.test_packets import WHOLE

NODES = ("client", "fw", "server")


@dataclass(slots=True)
class RunLab(LocalLab):
    """A lab that can be built, and whose counters say how often they have been read."""

    reads: dict[str, int] = field(default_factory=dict)
    placed: dict[str, list[Placed]] = field(default_factory=dict)

    def __exit__(self, *what: object) -> None:
        self.done.append("down")
        LocalLab.__exit__(self, *what)

    def build(self) -> None:
        self.done.append("build")

    def raise_firewalls(self) -> None:
        self.done.append("raise firewalls")

    def read(self, node: str, path: str) -> str:
        """TcpOutRsts counts 10 at first, and 3 more each time; a machine that boots begins at 0."""
        if path == "netstat":
            return ""
        self.reads[node] = self.reads.get(node, 7) + 3
        return f"Tcp: OutRsts RtoMin\nTcp: {self.reads[node]} 200\n"

    def power_on(self, node: str) -> None:
        LocalLab.power_on(self, node)
        self.reads[node] = -1

    def rule_packets(self) -> dict[str, list[Placed]]:
        self.done.append("read the rules")
        return self.placed

    def wait(self, child: Child) -> int:
        self.done.append(f"a process of {self.children[child.pid]} is gone")
        return LocalLab.wait(self, child)


@dataclass(slots=True)
class Recorder:
    """A Session that has recorded what it is told to."""

    lab: RunLab
    recorded: Callable[[], Recorded]

    def __enter__(self) -> Recorder:
        self.lab.done.append("begin to record")
        return self

    def __exit__(self, *_: object) -> None:
        self.lab.done.append("end the recorder")

    def listen(self, nodes: tuple[str, ...]) -> None:
        self.lab.done.append(f"listen {' '.join(nodes)}")

    def leave(self, node: str) -> None:
        self.lab.done.append(f"stop listening {node}")

    def stop(self) -> Recorded:
        self.lab.done.append("stop recording")
        return replace(self.recorded(), end_ns=time.monotonic_ns())


@dataclass(slots=True)
class Run:
    """Plays scripts on client -- fw -- server."""

    monkeypatch: pytest.MonkeyPatch
    recorded: Callable[[], Recorded] = Recorded
    placed: dict[str, list[Placed]] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    said: list[str] = field(default_factory=list)
    labs: list[RunLab] = field(default_factory=list)

    @property
    def done(self) -> list[str]:
        return self.labs[-1].done

    def __call__(self, *script: str) -> Timeline:
        steps = [line.replace("PORT", str(self.port)).partition(": ") for line in script]
        parsed = tuple(parse_step(i, who, what) for i, (who, _, what) in enumerate(steps))
        self.monkeypatch.setattr(runner, "Session", lambda lab: Recorder(lab, self.recorded))
        self.said.clear()
        return runner.play(
            Scenario("test", "A test", THREE.topology, script=parsed),
            self.start,  # type: ignore[arg-type]
            self.said.append,
            lambda: self.done.append("meanwhile"),
        )

    def start(self, plan: Plan) -> RunLab:
        self.labs.append(RunLab(plan, placed=self.placed))
        return self.labs[-1]


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    run = Run(monkeypatch)
    yield run
    assert all(lab.children == {} for lab in run.labs)


CONNECT = ("server: listen PORT = ok", "client: connect server:PORT = ok")


def test_the_order_of_things(play: Run) -> None:
    """Nothing happens that is not recorded, and what can be done meanwhile is done while others are busy."""
    play(*CONNECT, "server: crash")
    assert play.done == [
        "begin to record", "build", "meanwhile", "raise firewalls", "listen client fw server", "stop listening server",
        "power_off server", "stop recording", "read the rules", "end the recorder", "down",
    ]  # fmt: skip
    assert play.said == [
        "building the network",
        f"step 1 of 3: server: listen {play.port}",
        f"step 2 of 3: client: connect server:{play.port}",
        "step 3 of 3: server: crash",
        "taking the network down",
    ]


def test_what_was_known_and_watched(play: Run) -> None:
    timeline = play(*CONNECT)
    assert timeline.scenario is not None
    assert timeline.scenario.name == "test"
    assert (timeline.engine, timeline.kernel) == ("host", os.uname().release)
    assert timeline.taps == {
        Tap("client", "client -- fw"), Tap("fw", "client -- fw"), Tap("fw", "fw -- server"),
        Tap("server", "fw -- server"), *(Tap(node, None) for node in NODES),
    }  # fmt: skip
    assert timeline.sources == {"call", "process", "fault", "counters", "rule", "strace"}


def test_what_the_kernel_told_is_among_the_sources(play: Run) -> None:
    play.recorded = lambda: Recorded(traced=("tcp_send_reset", "reset reasons"))
    assert {"tcp_send_reset", "reset reasons"} <= play(*CONNECT).sources


def test_calls_that_strace_did_not_see_are_no_source(play: Run) -> None:
    assert "strace" not in play("client: run true = ok").sources


def test_times_are_counted_from_the_beginning_of_the_script(play: Run) -> None:
    timeline = play(*CONNECT, "client -- fw: cut", "client: kill")
    lab_ns = timeline.lab_ns
    assert [event.time_ns for event in timeline.events] == sorted(event.time_ns for event in timeline.events)
    for event in timeline.events:
        assert 0 <= event.time_ns <= lab_ns + 1_000_000_000
        if isinstance(event, Call | Fault):
            assert event.time_ns <= event.end_ns <= lab_ns
        if isinstance(event, ProcessEnd):
            assert event.began_ns is not None
            assert 0 <= event.began_ns <= event.time_ns
    results = timeline.steps
    assert [result.index for result in results] == [0, 1, 2, 3]
    assert all(0 <= result.start_ns <= result.end_ns <= lab_ns for result in results)
    assert 0 < lab_ns < timeline.wall_ns
    assert timeline.build_ns + timeline.down_ns < timeline.wall_ns


@pytest.mark.parametrize(
    ("script", "grew"),
    [
        ((), {"client": [3], "fw": [3], "server": [3]}),
        (("server: crash",), {"client": [3], "fw": [3], "server": [3]}),
        (("server: crash", "server: boot"), {"client": [3], "fw": [3], "server": [3, 2]}),
    ],
    ids=["all the time", "until the power went", "from 0 after a boot"],
)
def test_by_how_much_the_counters_grew(play: Run, script: tuple[str, ...], grew: dict[str, list[int]]) -> None:
    events = [event for event in play(*script).events if isinstance(event, Counters)]
    assert {node: [event.grew["TcpOutRsts"] for event in events if event.node == node] for node in NODES} == grew
    assert all(set(event.grew) == {"TcpOutRsts"} for event in events)


def test_what_comes_of_the_end_is_not_counted(play: Run) -> None:
    """Programs that still run are killed, and what they send then nobody has recorded."""
    timeline = play("client: start run sleep 1000")
    assert {event.time_ns for event in timeline.events if isinstance(event, Counters)} == {timeline.lab_ns}
    assert play.done[-4:] == ["read the rules", "a process of client is gone", "end the recorder", "down"]
    (end,) = (event for event in timeline.events if isinstance(event, ProcessEnd))
    assert end.time_ns > timeline.lab_ns


CALLS = """\
import socket, sys, time
conn = "<TCP:[10.0.0.1:40000->10.0.0.2:80]>"
now = time.monotonic()
print(f"TRACE=2 {now:.6f} write(4{conn}, 'x', 1) = 1 <0.000001>")
print(f"2 {now + 0.0001:.6f} recvfrom(4{conn}, 'x', 9, 0, NULL, NULL) = 1 <1000.0>")
print(f"2 {now + 2000:.6f} close(4{conn}) = 0 <0.000001>", flush=True)
told = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
time.sleep(1000)
"""


def test_what_a_program_did_is_told_until_the_run_ended(play: Run, tmp_path: Path) -> None:
    """It is netsim that ends it then: what its calls come to after that is no part of the story."""
    (tmp_path / "program.py").write_text(CALLS)
    run = f"client: start run {sys.executable} {tmp_path / 'program.py'} PORT"
    timeline = play("server: listen PORT", run, "server: accept = ok within 1min")
    calls = [event for event in timeline.events if isinstance(event, Call) and event.traced]
    assert [(call.name, call.result) for call in calls] == [("write", Count(1)), ("recv", None)]
    assert calls[1].end_ns == timeline.lab_ns


def test_how_many_packets_a_rule_matched(play: Run) -> None:
    (rule,) = (step.action.rule for step in [parse_step(0, "fw", "drop tcp dport 80")])  # type: ignore[union-attr]
    play.placed = {"fw": [Placed("FORWARD", 1, rule, packets=4)]}
    timeline = play(*CONNECT)
    (hit,) = (event for event in timeline.events if isinstance(event, RuleHit))
    assert hit == RuleHit(timeline.lab_ns, "fw", "FORWARD", 1, rule, 4)


def test_packets_and_the_kernels_words(play: Run) -> None:
    """A frame that came to a cut end is lost; whose a record is, its namespace tells."""

    def recorded() -> Recorded:
        now = time.monotonic_ns()
        record = TraceRecord(now, 7, "tcp_receive_reset", ("10.0.0.1", 41234), ("10.0.1.2", 60000), 6, "SYN_SENT")
        frames = [
            Frame("client", now, "eth0", True, False, WHOLE["tcp"]),
            Frame("fw", now, "eth0", False, False, WHOLE["tcp"]),
        ]
        return Recorded(0, frames, [record, record], {7: "client"}, missed={"packet": 3})

    play.recorded = recorded
    timeline = play("client -- fw: cut to fw", "lab: wait 1ms")
    packets = [event for event in timeline.events if isinstance(event, Packet)]
    assert [(packet.node, packet.link, packet.lost) for packet in packets] == [
        ("client", "client -- fw", False), ("fw", "client -- fw", True),
    ]  # fmt: skip
    assert [event.node for event in timeline.events if isinstance(event, Kernel)] == ["client", "client"]
    assert [event for event in timeline.events if isinstance(event, Missed)] == [
        Missed(timeline.lab_ns, "", "packet", 3)
    ]


def test_a_step_that_the_lab_refuses_ends_the_run_and_leaves_nothing(play: Run) -> None:
    with pytest.raises(LabError, match="it is not cut"):
        play(*CONNECT, "client: start recv", "client -- fw: heal", "client: finish")
    assert play.done[-2:] == ["end the recorder", "down"]
    assert play.said[-1] == "step 4 of 5: client -- fw: heal"


def test_many_runs_leave_nothing_open(play: Run) -> None:
    play(*CONNECT)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        play(*CONNECT, "client: start recv", "server: crash")
    assert len(os.listdir("/proc/self/fd")) == before
