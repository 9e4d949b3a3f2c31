"""Every shipped scenario, as a person runs it: the network, the firewall and the sockets are real.

What must come of each is what the kernel does, measured by hand on Linux 6.18 and nothing that only that
version does; a kernel that tells no reasons, or no longer than now, is asked for what it has.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from netsim.files.recording import read
from netsim.model.action import Boot
from netsim.model.event import Call, Counters, Fault, Icmp, Kernel, Packet, ProcessEnd, RuleHit, Tcp
from netsim.model.result import Signalled
from netsim.model.timeline import Timeline
from tests.kernel.conftest import Need
from tests.kernel.machine import AS_NOBODY, NETSIM, ROOT, Completed, Machine, Process, finish

SHIPPED = sorted(path.stem for path in (ROOT / "topologies").glob("*.yaml"))
RECORDINGS = Path("/run/recordings")


@dataclass(frozen=True, slots=True)
class Facts:
    """What must come of one scenario."""

    resets: tuple[dict[str, Any], ...] = ()
    failures: tuple[dict[str, Any], ...] = ()
    felt: tuple[str, ...] = ()
    """The results of the steps that each reset's `felt_by` points at."""
    sent_reset: tuple[str, frozenset[str]] = ("server", frozenset())
    """Whose kernel says tcp_send_reset, and with which reasons; none says it where there are none."""
    counters: dict[str, dict[str, int]] = field(default_factory=dict)
    """By node: what must have grown by how much. 0: what must not have."""
    ttl: int | None = None
    """Of the RST, as it comes to the client."""


def _reset(cause: str, flags: str, port: int = 60000, sent_by: str = "server") -> dict[str, Any]:
    return {"from": f"server:{port}", "flags": flags, "sent_by": sent_by, "cause": cause}


def _given_up(who: str, call: str) -> dict[str, Any]:
    return {"who": who, "call": call, "errno": "timeout", "cause": "given-up"}


_RSTS = "TcpOutRsts"
FACTS = {
    "firewall-reset": Facts(
        resets=(_reset("firewall-reject", "RA", sent_by="fw"),),
        felt=("ECONNREFUSED",),
        counters={"client": {_RSTS: 0}, "fw": {_RSTS: 0}, "server": {_RSTS: 0}},
        ttl=64,  # a genuine one would show 63
    ),
    "firewall-reset-host": Facts(
        resets=(_reset("firewall-reject", "RA"),),
        felt=("ECONNREFUSED",),
        counters={"server": {_RSTS: 0}},
        ttl=63,
    ),
    "closed-port": Facts(
        resets=(_reset("closed-port", "RA"),),
        felt=("ECONNREFUSED",),
        sent_reset=("server", frozenset({"NO_SOCKET"})),
        counters={"server": {_RSTS: 1}},
        ttl=63,
    ),
    "link-cut": Facts(
        failures=(
            _given_up("client", "poll"),  # idle, and nothing to notice
            _given_up("server", "poll"),
            {"who": "client", "call": "recv", "errno": "ETIMEDOUT", "cause": "silent-drop"},
            _given_up("server", "recv"),
        ),
        counters={"client": {_RSTS: 0}, "server": {_RSTS: 0}},
    ),
    "peer-reboot": Facts(
        resets=(_reset("peer-forgot", "R", 9490),),
        felt=("ECONNRESET", "EPIPE"),
        sent_reset=("server", frozenset({"NO_SOCKET"})),
        counters={"server": {_RSTS: 1}},
        ttl=63,
    ),
    "unread-data": Facts(
        resets=(_reset("unread-data", "RA"),),
        felt=("ECONNRESET",),
        sent_reset=("server", frozenset({"TCP_ABORT_ON_CLOSE"})),
        counters={"server": {_RSTS: 1, "TcpExtTCPAbortOnClose": 1}},
        ttl=64,
    ),
    "linger-reset": Facts(
        resets=(_reset("linger-zero", "RA"),),
        felt=("ECONNRESET",),
        sent_reset=("server", frozenset({"TCP_STATE"})),
        counters={"server": {_RSTS: 1, "TcpExtTCPAbortOnData": 1, "TcpExtTCPAbortOnClose": 0}},
        ttl=64,
    ),
    "broken-pipe": Facts(
        resets=(_reset("closed-socket", "R"), _reset("closed-socket", "R")),
        felt=("ERR HUP", "EPIPE", "ERR HUP", "signal SIGPIPE"),
        # The second where the FIN's ACK was back before close() returned: the socket is whole then, and aborts.
        sent_reset=("server", frozenset({"TCP_TIMEWAIT_SOCKET", "TCP_ABORT_ON_DATA"})),
        counters={"server": {_RSTS: 2}},
        ttl=64,
    ),
}

NAMES = pytest.mark.parametrize("name", SHIPPED)


@dataclass(frozen=True, slots=True)
class Played:
    """One run: what it printed, and what it recorded."""

    machine: Machine
    done: Completed
    recording: Path

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.done.stdout)
        return report

    @property
    def timeline(self) -> Timeline:
        return read(self.machine.path(self.recording))

    def events(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.timeline.events if isinstance(event, kind)]

    @property
    def tcp(self) -> list[tuple[Packet, Tcp]]:
        """Every sighting of a TCP segment, and the segment."""
        return [(seen, seen.segment) for seen in self.events(Packet) if isinstance(seen.segment, Tcp)]

    @property
    def kernel(self) -> tuple[int, ...]:
        return tuple(int(number) for number in self.timeline.kernel.split("-")[0].split(".")[:2])

    def counters(self, node: str) -> Counter[str]:
        """By how much a node's counters grew; one that lost power counted twice, until then and since its boot."""
        found = [event.grew for event in self.events(Counters) if event.node == node]
        assert len(found) == 1 + sum(
            fault.node == node and isinstance(fault.action, Boot) for fault in self.events(Fault)
        )
        return sum(map(Counter, found), Counter())


@pytest.fixture(scope="session")
def every(shared_machine: Machine) -> dict[str, Played]:
    """Every shipped scenario, played once: link-cut waits for a timer of the kernel, and the others play meanwhile."""
    machine = shared_machine
    machine.path(RECORDINGS).mkdir()

    def start(name: str) -> Process:
        return machine.start_netsim("run", name, "--json", "--record", RECORDINGS / f"{name}.jsonl")

    slow = start("link-cut")
    done = {name: finish(start(name)) for name in SHIPPED if name != "link-cut"}
    done["link-cut"] = finish(slow)
    return {name: Played(machine, done[name], RECORDINGS / f"{name}.jsonl") for name in SHIPPED}


@pytest.fixture
def played(every: dict[str, Played], name: str) -> Played:
    assert every[name].done.returncode == 0, every[name].done
    return every[name]


def _part(found: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    return {key: found[key] for key in wanted}


def test_the_facts_of_every_shipped_scenario_are_written_down() -> None:
    assert sorted(FACTS) == SHIPPED


@NAMES
def test_it_comes_as_expected(every: dict[str, Played], name: str) -> None:
    played = every[name]
    assert (played.done.returncode, played.done.stderr) == (0, "")
    report = played.report
    assert (report["scenario"], report["verdict"], report["unmet"]) == (name, "pass", [])
    assert [step["observed"] for step in report["steps"]] != []
    assert all(step["ok"] for step in report["steps"])
    assert report["engine"] == "host"


@NAMES
def test_the_report_is_as_its_schema_says(played: Played, name: str) -> None:
    schema = json.loads(played.machine.netsim("schema", "--report").stdout)
    Draft202012Validator.check_schema(schema)
    assert [error.message for error in Draft202012Validator(schema).iter_errors(played.report)] == []


@NAMES
def test_who_sent_the_reset_and_why(played: Played, name: str) -> None:
    wanted = FACTS[name].resets
    resets = played.report["resets"]
    assert [_part(reset, one) for reset, one in zip(resets, wanted, strict=True)] == [*wanted]
    assert all(reset["to"].startswith("client:") and reset["because"] and reset["evidence"] for reset in resets)


@NAMES
def test_which_steps_felt_it(played: Played, name: str) -> None:
    report = played.report
    steps = report["steps"]
    felt = [index for reset in report["resets"] for index in reset["felt_by"]]
    assert [steps[index]["observed"] for index in felt] == [*FACTS[name].felt]
    assert {steps[index]["who"].partition(".")[0] for index in felt} <= {"client"}


@NAMES
def test_which_calls_failed_without_a_reset(played: Played, name: str) -> None:
    wanted = FACTS[name].failures
    failures = played.report["failures"]
    assert [_part(failure, one) for failure, one in zip(failures, wanted, strict=True)] == [*wanted]
    assert all(failure["because"] for failure in failures)
    shown = [failure for failure in failures if failure["cause"] != "given-up"]  # who waits in vain has nothing to show
    assert all(failure["evidence"] for failure in shown)


@NAMES
def test_what_the_kernel_says_of_it(need: Need, played: Played, name: str) -> None:
    need("tracepoints")
    node, reasons = FACTS[name].sent_reset
    said = [event for event in played.events(Kernel) if event.event == "tcp_send_reset"]
    if played.kernel >= (6, 11):  # before, it gives no reasons; before 6.10 only resets of whole sockets are traced
        assert [event.node for event in said] == ([node] * len(FACTS[name].resets) if reasons else [])
        assert {event.reason for event in said} <= reasons
    else:
        assert {event.node for event in said} <= ({node} if reasons else set())


@NAMES
def test_the_counters_by_name(played: Played, name: str) -> None:
    for node, wanted in FACTS[name].counters.items():
        grew = played.counters(node)
        assert {counter: grew[counter] for counter in wanted} == wanted, node


@NAMES
def test_how_far_the_reset_had_come(played: Played, name: str) -> None:
    arrived = [p.ttl for p, tcp in played.tcp if "R" in tcp.flags and p.node == "client" and p.direction == "in"]
    assert arrived == [FACTS[name].ttl] * len(FACTS[name].resets)


@NAMES
def test_the_evidence_is_in_the_recording(played: Played, name: str) -> None:
    report, events = played.report, played.timeline.events
    for reset in report["resets"]:
        shown = [events[index] for index in reset["evidence"]]
        assert any(isinstance(e, Packet) and isinstance(e.segment, Tcp) and "R" in e.segment.flags for e in shown)
        felt = [events[index] for index in reset["felt"]]
        assert [event.step for event in felt if isinstance(event, Call)] == reset["felt_by"]
    for failure in report["failures"]:
        assert all(index < len(events) for index in failure["evidence"])
        call = events[failure["event"]]
        assert isinstance(call, Call)
        told = (call.process, call.name, str(call.result), call.step)
        assert told == (failure["who"], failure["call"], failure["errno"], failure["step"])
    for told in (*report["resets"], *report["failures"]):
        assert sorted({index for one in told["proof"] for index in one["events"]}) == told["evidence"]


@NAMES
def test_times_are_of_one_clock(played: Played, name: str) -> None:
    """A packet that a call sends is seen within the call, wherever each of them was measured."""
    lab_ns = played.timeline.lab_ns
    assert all(-1_000_000 < event.time_ns <= lab_ns + 1_000_000 for event in played.timeline.events)
    connects = [call for call in played.events(Call) if call.name == "connect"]
    for call in connects:
        syns = [p for p, tcp in played.tcp if tcp.flags == "S" and p.direction == "out" and p.node == "client"]
        assert any(call.time_ns <= syn.time_ns <= call.end_ns for syn in syns if syn.dst == call.remote)


@NAMES
def test_a_recording_explains_itself_to_anybody(played: Played, name: str) -> None:
    explained = played.machine.run(*AS_NOBODY, *NETSIM, "explain", played.recording, "--json")
    assert (explained.returncode, explained.stderr) == (0, "")
    assert json.loads(explained.stdout) == played.report


@pytest.mark.parametrize("name", ["firewall-reset"])
def test_nothing_of_the_refused_connection_reaches_the_server(played: Played, name: str) -> None:
    assert {packet.link for packet, _ in played.tcp} == {"client -- fw"}
    assert not [event for event in played.events(Kernel) if event.node == "server" and event.remote.port]
    (hit,) = played.events(RuleHit)
    assert (hit.node, hit.chain, hit.number, hit.packets) == ("fw", "FORWARD", 1, 1)


@pytest.mark.parametrize("name", ["link-cut"])
def test_a_cut_cable_is_silence(played: Played, name: str) -> None:
    assert not [tcp for _, tcp in played.tcp if "R" in tcp.flags or "F" in tcp.flags]
    assert not [packet for packet in played.events(Packet) if isinstance(packet.segment, Icmp)]
    (cut,) = played.events(Fault)
    send = [call for call in played.events(Call) if call.name == "send"][-1]
    idle = [packet for packet, _ in played.tcp if cut.end_ns <= packet.time_ns < send.time_ns]
    assert idle == []
    vanished = [
        (p.link, tcp)
        for p, tcp in played.tcp
        if p.time_ns >= send.time_ns and p.node == "router" and p.direction == "out"
    ]
    assert len(vanished) >= 4  # the first, and tcp_retries2 more
    assert {(link, tcp.seq, tcp.length) for link, tcp in vanished} == {("router -- server", vanished[0][1].seq, 5)}
    assert not [p for p, _ in played.tcp if p.time_ns >= cut.end_ns and p.node == "server" and not p.lost]


@pytest.mark.parametrize("name", ["peer-reboot"])
def test_a_power_loss_says_nothing(played: Played, name: str) -> None:
    crash, boot = played.events(Fault)
    send = next(call for call in played.events(Call) if call.name == "send")
    assert not [packet for packet, _ in played.tcp if crash.time_ns <= packet.time_ns < send.time_ns]
    assert not [tcp for _, tcp in played.tcp if "F" in tcp.flags]
    (first, *_) = [(p.direction, tcp.length) for p, tcp in played.tcp if p.time_ns > boot.end_ns and p.node == "server"]
    assert first == ("in", 5)


@pytest.mark.parametrize("name", ["unread-data", "linger-reset"])
def test_an_abort_sends_no_fin(played: Played, name: str) -> None:
    assert not [tcp for _, tcp in played.tcp if "F" in tcp.flags]


@pytest.mark.parametrize("name", ["broken-pipe"])
def test_the_process_without_a_handler_dies_of_sigpipe(played: Played, name: str) -> None:
    ends = {event.process: event.outcome for event in played.events(ProcessEnd)}
    assert ends == {"client.plain": Signalled("SIGPIPE")}
    fins = [p.time_ns for p, tcp in played.tcp if "F" in tcp.flags]
    rsts = [p.time_ns for p, tcp in played.tcp if "R" in tcp.flags]
    assert min(fins) < min(rsts)


@pytest.mark.parametrize("name", ["closed-port"])
def test_for_people_it_says_the_same(played: Played, name: str) -> None:
    shown = played.machine.netsim("explain", played.recording)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "The reset came from server itself" in " ".join(shown.stdout.split())
    assert "\x1b" not in shown.stdout  # it goes into a pipe
    assert "PASS" in shown.stdout


_EXPECTED = "- reset: {sent by: fw, felt by: client, cause: firewall-reject}"
_CAME = "one sent by fw, felt by client, cause firewall-reject"
WRONG = {
    "- reset: {sent by: server, felt by: client, cause: firewall-reject}": (
        "expected a reset sent by server felt by client cause firewall-reject; "
        f"the nearest was {_CAME} (sent by: expected server, got fw)"
    ),
    "- reset: {sent by: fw, felt by: client, cause: closed-port}": (
        "expected a reset sent by fw felt by client cause closed-port; "
        f"the nearest was {_CAME} (cause: expected closed-port, got firewall-reject)"
    ),
    "- reset: {felt by: server}": (
        f"expected a reset felt by server; the nearest was {_CAME} (felt by: expected server, got client)"
    ),
    "- no reset": f"expected no reset, and one came: {_CAME}",
    "- failure: {who: client, call: connect, errno: ETIMEDOUT}": (
        "expected a failure of client in connect with ETIMEDOUT; the nearest was connect of client = ECONNREFUSED, "
        "cause firewall-reject (errno: expected ETIMEDOUT, got ECONNREFUSED)"
    ),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_expectation_is_told(need: Need, shared_machine: Machine, tmp_path: Path, wrong: str) -> None:
    need("legacy iptables")
    text = (ROOT / "topologies/firewall-reset.yaml").read_text()
    assert _EXPECTED in text
    file = tmp_path / "firewall-reset.yaml"
    file.write_text(text.replace(_EXPECTED, wrong))
    done = shared_machine.netsim("run", file, "--lab", "wrong", "--json")
    report = json.loads(done.stdout)
    assert (done.returncode, done.stderr, report["verdict"], report["unmet"]) == (1, "", "fail", [WRONG[wrong]])
    assert all(step["ok"] for step in report["steps"])


@dataclass(frozen=True, slots=True)
class Variation:
    """The firewall-reset scenario with one thing changed, and what comes of the connect then."""

    was: str
    becomes: str
    observed: str
    resets: tuple[tuple[str, str], ...] = ()
    """Cause and sender."""


VARIATIONS = {
    "another port": Variation("server:60000", "server:60001", "ECONNREFUSED", (("closed-port", "server"),)),
    "another rule": Variation("dport 60000", "from client", "ECONNREFUSED", (("firewall-reject", "fw"),)),
    "another chain": Variation("[reject", "[input reject", "ok"),
    "the router itself": Variation("server:60000", "fw:22", "ECONNREFUSED", (("closed-port", "fw"),)),
}


@pytest.mark.parametrize("what", VARIATIONS)
def test_what_really_happened_is_told(need: Need, shared_machine: Machine, tmp_path: Path, what: str) -> None:
    need("legacy iptables")
    variation = VARIATIONS[what]
    text = (ROOT / "topologies/firewall-reset.yaml").read_text().partition("expect:")[0]
    about, nodes = text.split("nodes:")
    assert nodes.count(variation.was) == 1
    file = tmp_path / "variation.yaml"
    file.write_text(f"{about}nodes:{nodes.replace(variation.was, variation.becomes)}")
    done = shared_machine.netsim("run", file, "--json")
    report = json.loads(done.stdout)
    assert report["steps"][1]["observed"] == variation.observed
    assert [(reset["cause"], reset["sent_by"]) for reset in report["resets"]] == [*variation.resets]
    as_expected = variation.observed == "ECONNREFUSED"
    assert (done.returncode, report["verdict"]) == ((0, "pass") if as_expected else (1, "fail"))
