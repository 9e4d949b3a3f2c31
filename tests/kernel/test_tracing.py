"""What the kernel says of its connections: of those that were asked for, and of nobody else's."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from netsim.engines.host import STATE
from netsim.errors import HostError
from netsim.linux import bpf, btf, channel, tracing
from netsim.linux.lab import Child, Lab, up
from netsim.linux.netns_names import node_path
from netsim.linux.trace_program import TraceRecord
from netsim.linux.tracing import Tracing, open_tracing
from netsim.model.endpoint import Endpoint
from netsim.model.event import Kernel, Tcp
from netsim.model.firewall import parse_rule
from netsim.model.plan import make_plan
from netsim.model.topology import Link, Node, Topology
from netsim.probes import packets, reasons
from netsim.probes.recorder import Recorded
from netsim.probes.session import Session
from tests.kernel.conftest import Need
from tests.kernel.machine import AS_NOBODY, Machine, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="tracing the kernel takes root")

PAIR = make_plan(Topology((Node("client"), Node("server")), (Link("client", "server"),)))
SERVER = str(PAIR.addresses["server"])
PORT = 60000
EVERYTHING = (
    "tcp_send_reset", "tcp_receive_reset", "tcp_retransmit_skb", "inet_sock_set_state", "inet_sk_error_report",
    "kfree_skb",
)  # fmt: skip


@pytest.fixture
def lab() -> Iterator[Lab]:
    with up(PAIR, f"traced-{os.getpid()}", STATE) as lab:
        yield lab


@pytest.fixture
def traced(need: Need) -> Iterator[Tracing]:
    need("tracepoints")
    with open_tracing() as traced:
        yield traced


def inode(lab: Lab, node: str) -> int:
    return os.stat(node_path(lab.name, node)).st_ino


@contextmanager
def doing(lab: Lab, node: str, target: object, *args: object) -> Iterator[Child]:
    child = lab.fork(node, target, *args)  # type: ignore[arg-type]
    try:
        yield child
    finally:
        child.close()


def connect(sock: socket.socket, address: str, ports: range) -> None:
    """From ports of one's own, one after the other, to PORT; tells how many were refused."""
    channel.send(sock, _refused(address, ports))


def connect_until_told(sock: socket.socket, address: str, ports: range) -> None:
    """The same again and again, until the other end says so."""
    count = 0
    while not select.select([sock], [], [], 0)[0]:
        count += _refused(address, ports)
    channel.send(sock, count)


def _refused(address: str, ports: range) -> int:
    found = 0
    for port in ports:
        with socket.socket() as sock:
            sock.bind(("", port))
            found += sock.connect_ex((address, PORT)) == errno.ECONNREFUSED
    return found


def be_refused(lab: Lab, times: int = 1) -> None:
    ports = range(40000, 40000 + times)
    with doing(lab, "client", connect, SERVER, ports) as child:
        assert channel.receive(child.sock)[0] == times


def by_event(records: list[TraceRecord], netns: int) -> dict[str, list[TraceRecord]]:
    found: dict[str, list[TraceRecord]] = {}
    for record in records:
        if record.netns == netns:
            found.setdefault(record.event, []).append(record)
    return found


def test_every_tracepoint_of_this_kernel_is_on(traced: Tracing) -> None:
    if tuple(map(int, os.uname().release.split("-")[0].split(".")[:2])) < (6, 10):
        pytest.skip("an older kernel has fewer tracepoints, or no reasons")
    assert (traced.events, traced.reasoned) == (EVERYTHING, ("tcp_send_reset", "kfree_skb"))


def test_a_refused_connection(traced: Tracing, lab: Lab) -> None:
    client, server = inode(lab, "client"), inode(lab, "server")
    traced.watch(client)
    traced.watch(server)
    be_refused(lab)
    records = traced.read()
    at_client, at_server = by_event(records, client), by_event(records, server)
    (sent,) = at_server["tcp_send_reset"]
    assert (sent.local, sent.remote, sent.state) == (("", 0), ("", 0), "")
    own = (str(PAIR.addresses["client"]), 40000)
    answered_from, answered_to, segment, *_ = packets.read_ip(sent.packet)
    assert (answered_from, answered_to) == (Endpoint(*own), Endpoint(SERVER, PORT))
    assert isinstance(segment, Tcp)
    assert segment.flags == "S"
    if "tcp_send_reset" in traced.reasoned:
        assert sent.reason == "NO_SOCKET"
    (felt,) = at_client["tcp_receive_reset"]
    assert (felt.local, felt.remote, felt.state) == (own, (SERVER, PORT), "SYN_SENT")
    changes = [(one.old, one.new, one.local) for one in at_client["inet_sock_set_state"]]
    assert changes == [("CLOSE", "SYN_SENT", own), ("SYN_SENT", "CLOSE", own)]
    error = at_client["inet_sk_error_report"][0]
    assert (error.error, error.local, error.remote) == (errno.ECONNREFUSED, own, (SERVER, PORT))
    times = [one.time_ns for one in records]
    assert max(times) - min(times) < 60_000_000_000


def serve_one(sock: socket.socket) -> None:
    """Take one connection, and end with data unread when told to."""
    with socket.create_server(("", PORT)) as listener:
        channel.send(sock, "listening")
        connection, _ = listener.accept()
        channel.receive(sock)
        connection.close()
        channel.send(sock, "closed")


def send(sock: socket.socket, address: str) -> None:
    with socket.create_connection((address, PORT)) as connection:
        connection.send(b"x")
        channel.send(sock, "sent")
        channel.receive(sock)


def test_a_connection_that_its_program_aborts(traced: Tracing, lab: Lab) -> None:
    server = inode(lab, "server")
    traced.watch(server)
    with doing(lab, "server", serve_one) as serving:
        channel.receive(serving.sock)
        with doing(lab, "client", send, SERVER) as sending:
            channel.receive(sending.sock)
            channel.send(serving.sock, "close")
            channel.receive(serving.sock)
            found = by_event(traced.read(), server)
    (sent,) = found["tcp_send_reset"]
    assert sent.local == (SERVER, PORT)
    assert sent.remote[0] == str(PAIR.addresses["client"])
    if "tcp_send_reset" in traced.reasoned:
        assert (sent.reason, sent.packet) == ("TCP_ABORT_ON_CLOSE", b"")


def test_a_segment_that_is_sent_again(traced: Tracing, lab: Lab) -> None:
    client = inode(lab, "client")
    with doing(lab, "server", serve_one) as serving:
        channel.receive(serving.sock)
        lab.cut(0, "server")
        traced.watch(client)
        with doing(lab, "client", connect, SERVER, range(40000, 40001)):
            until(lambda: "tcp_retransmit_skb" in by_event(traced.read(), client), "the SYN again")


def test_what_is_not_watched_any_more(traced: Tracing, lab: Lab) -> None:
    client = inode(lab, "client")
    be_refused(lab)
    assert traced.read() == []
    traced.watch(client)
    be_refused(lab)
    traced.forget(client)
    traced.forget(client)
    be_refused(lab)
    assert len(by_event(traced.read(), client)["tcp_receive_reset"]) == 1


def test_it_is_readable_when_there_is_something(traced: Tracing, lab: Lab) -> None:
    traced.watch(inode(lab, "server"))
    assert select.select([traced], [], [], 0)[0] == []
    be_refused(lab)
    assert select.select([traced], [], [], 10)[0] == [traced]
    assert traced.read() != []
    assert select.select([traced], [], [], 0)[0] == []


def test_what_finds_no_room_is_counted(traced: Tracing, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_RING_BYTES", 4096)
    with open_tracing() as small:
        for one in (traced, small):
            one.watch(inode(lab, "client"))
        be_refused(lab, 50)
        everything, some = traced.read(), small.read()
        assert traced.lost() == 0
        assert len(some) < len(everything) == len(some) + small.lost()
        be_refused(lab)  # there is room again
        assert len(small.read()) == len(traced.read())


FIREWALLED = make_plan(
    Topology((Node("client"), Node("server", firewall=(parse_rule(f"reject tcp dport {PORT} with tcp-reset"),))),
             (Link("client", "server"),))
)  # fmt: skip


def test_another_lab_with_the_same_addresses_and_ports(need: Need) -> None:
    """300 resets of a firewall, of which TCP knows nothing; meanwhile a closed port answers in the other lab."""
    need("tracepoints")
    need("legacy iptables")
    ports = range(40000, 40300)
    with (
        up(FIREWALLED, f"one-{os.getpid()}", STATE) as one,
        up(PAIR, f"other-{os.getpid()}", STATE) as other,
        Session(one) as session,
    ):
        session.listen(("client", "server"))
        with doing(other, "client", connect_until_told, SERVER, ports) as noise:
            with doing(one, "client", connect, SERVER, ports) as child:
                assert channel.receive(child.sock)[0] == 300
            recorded = session.stop()
            channel.send(noise.sock, "enough")
            assert channel.receive(noise.sock)[0] > 0
    told = [(event.node, event.event) for event in kernel_events(recorded)]
    assert told.count(("client", "tcp_receive_reset")) == 300
    assert not [event for node, event in told if event == "tcp_send_reset" or node == "server"]
    assert {"tcp_send_reset", "tcp_receive_reset"} <= {*recorded.traced}
    assert recorded.missed == {}


def kernel_events(recorded: Recorded) -> list[Kernel]:
    """What TCP's tracepoints told of the nodes."""
    told = reasons.parse(recorded.records, recorded.nodes)
    return [event for event in told if isinstance(event, Kernel)]


def resident_kb(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def test_a_flood_elsewhere(need: Need) -> None:
    """Several processes of another network connect as fast as they can; the recorder sleeps on."""
    need("tracepoints")
    ports = [range(first, first + 2500) for first in range(30000, 40000, 2500)]
    with (
        up(PAIR, f"quiet-{os.getpid()}", STATE) as quiet,
        up(PAIR, f"loud-{os.getpid()}", STATE) as loud,
        Session(quiet) as session,
    ):
        session.listen(("client", "server"))
        recorder = session._recorder.pid
        before, ran = resident_kb(recorder), switches(recorder)
        children = [loud.fork("client", connect, SERVER, some) for some in ports]
        assert sum(channel.receive(child.sock)[0] for child in children) == 10_000
        for child in children:
            child.close()
        assert resident_kb(recorder) == before
        assert switches(recorder) - ran < 10  # it may have been about to fall asleep
        be_refused(quiet)
        recorded = session.stop()
    assert [event.event for event in kernel_events(recorded) if event.node == "server"] == ["tcp_send_reset"]


def switches(pid: int) -> int:
    """How often a process has given up the processor by itself: each time that it has slept."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches:"))


def trace_and_wait(sock: socket.socket) -> None:
    traced = open_tracing()
    channel.send(sock, [struct.unpack("=II", bpf.info(fd, 8))[1] for fd, _ in traced._on.values()])
    signal.pause()


def is_loaded(program: int) -> bool:
    """Ask the kernel for a program by its id (BPF_PROG_GET_FD_BY_ID)."""
    try:
        os.close(bpf._bpf(13, struct.pack("=I", program), "find a program"))
    except FileNotFoundError:
        return False
    return True


def test_nothing_is_left_of_a_process_that_is_killed(need: Need, lab: Lab) -> None:
    need("tracepoints")
    with doing(lab, "", trace_and_wait) as child:
        programs: list[int] = channel.receive(child.sock)[0]
        assert len(programs) >= 5
        assert all(map(is_loaded, programs))
        os.kill(child.pid, signal.SIGKILL)
        until(lambda: not any(map(is_loaded, programs)), "the end of the programs")


def test_a_kernel_with_fewer_tracepoints_and_fewer_arguments(need: Need, monkeypatch: pytest.MonkeyPatch) -> None:
    need("tracepoints")
    attach, tried = bpf.attach, []

    def on_an_older_kernel(event: str, program: int) -> int:
        tried.append(event)
        if event == "inet_sk_error_report":  # Linux 5.14
            raise FileNotFoundError(errno.ENOENT, "no such tracepoint")
        if event == "kfree_skb" or (event == "tcp_send_reset" and tried.count(event) == 1):
            raise OSError(errno.EINVAL, "it has fewer arguments")
        return attach(event, program)

    monkeypatch.setattr(bpf, "attach", on_an_older_kernel)
    with open_tracing() as traced:
        assert traced.events == ("tcp_send_reset", "tcp_receive_reset", "tcp_retransmit_skb", "inet_sock_set_state")
        assert traced.reasoned == ()


WHY = "from netsim.linux.tracing import *\ntry: open_tracing()\nexcept Exception as error: print(repr(error))"


@pytest.mark.parametrize("who", [AS_NOBODY, ("unshare", "--user", "--map-root-user")], ids=["nobody", "user namespace"])
def test_who_may_not(shared_machine: Machine, who: tuple[str, ...]) -> None:
    done = shared_machine.run(*who, sys.executable, "-c", WHY)
    if "unshare" in who and done.returncode:
        pytest.skip(f"this host gives no user namespace: {done.stderr}")
    assert done.stdout.startswith("HostError('only root on the host itself may trace the kernel"), done.stderr


def test_a_kernel_without_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(btf, "PATH", "/sys/kernel/btf/no-such")
    with pytest.raises(HostError) as refused:
        open_tracing()
    said = "the kernel does not tell its types: /sys/kernel/btf/no-such: No such file or directory"
    assert str(refused.value) == said


def test_a_kernel_that_is_locked_down(need: Need, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    need("tracepoints")

    def refuse(_: bytes) -> int:
        raise OSError(errno.EINVAL, "load a BPF program: Invalid argument")

    descriptors = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(bpf, "load", refuse)
    monkeypatch.setattr(tracing, "_LOCKDOWN", tmp_path / "lockdown")
    for content, expected in (("none integrity [confidentiality]", "locked down"), ("[none] integrity", "Invalid")):
        (tmp_path / "lockdown").write_text(content)
        with pytest.raises(HostError, match=expected):
            open_tracing()
    assert len(os.listdir("/proc/self/fd")) == descriptors
