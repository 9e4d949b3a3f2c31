"""Programs on a lab's nodes: in the sandbox of a `run` step, and by a person's own hands."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from netsim.engines.host import STATE
from netsim.errors import InputError
from netsim.linux import channel, processes
from netsim.linux.lab import Child, Lab, up
from netsim.linux.netns_names import node_path
from netsim.model.action import FetchError
from netsim.model.endpoint import Endpoint
from netsim.model.plan import make_plan
from netsim.model.result import Count, Errno, Ok, Signalled
from netsim.model.topology import Link, Node, Topology
from netsim.processes import command, strace
from netsim.processes.command import Ended, Refused, Signal, Started

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces take root")

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
traced_or_not = pytest.mark.parametrize("traced", [False, pytest.param(True, marks=needs_strace)])

PYTHON = "/usr/bin/python3"
needs_python = pytest.mark.skipif(not os.path.exists(PYTHON), reason=f"this host has no {PYTHON}")

SCRATCH = {"/tmp", "/var/tmp", "/dev/shm"}
PLAN = make_plan(Topology((Node("client"), Node("server")), (Link("client", "server"),)))
HOSTS = "127.0.0.1 localhost\n" + "".join(f"{address} {name}\n" for name, address in PLAN.addresses.items())
LIMIT_MS = 10_000


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    groups = os.getgroups()
    os.setgroups([*groups, 4242])  # for a command to lose
    try:
        with up(PLAN, f"test-command-{os.getpid()}", STATE) as lab:
            yield lab
    finally:
        os.setgroups(groups)


@contextmanager
def running(lab: Lab, node: str, *argv: str, traced: bool = False) -> Iterator[tuple[Child, int]]:
    """A command that has started, with its pid."""
    child = lab.fork(node, command.serve, argv, HOSTS, traced)
    started = answer(child)
    assert isinstance(started, Started), started
    try:
        yield child, started.pid
    finally:
        lab.wait(child)


def answer(child: Child) -> command.Message:
    message: command.Message = channel.receive(child.sock)[0]
    return message


def run(lab: Lab, *argv: str, node: str = "client", traced: bool = False) -> Ended | Refused:
    child = lab.fork(node, command.serve, argv, HOSTS, traced)
    message = answer(child)
    if isinstance(message, Started):
        message = answer(child)
    assert os.waitstatus_to_exitcode(lab.wait(child)) == 0
    assert isinstance(message, Ended | Refused)
    return message


def output(lab: Lab, *argv: str, node: str = "client") -> str:
    """What a command wrote, which must have ended well."""
    ended = run(lab, *argv, node=node)
    assert isinstance(ended, Ended), ended
    assert str(ended.outcome) == "exit 0", ended.output
    return ended.output


def sh(lab: Lab, script: str) -> str:
    return output(lab, "sh", "-c", script)


def gone(pidfd: int) -> bool:
    """Wait for a process's end."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(LIMIT_MS))


def processes_on(lab: Lab, node: str, having: bytes = b"") -> int:
    """How many processes are on a node, or of those the ones with such a command line."""
    found = 0
    for pid in processes.in_namespaces({os.stat(node_path(lab.name, node)).st_ino}):
        with suppress(FileNotFoundError, ProcessLookupError):  # it went while we looked
            found += having in Path(f"/proc/{pid}/cmdline").read_bytes()
    return found


def wait_until(condition: Callable[[], bool]) -> None:
    nothing = select.poll()
    for _ in range(LIMIT_MS // 10):
        if condition():
            return
        nothing.poll(10)
    raise AssertionError("it did not come to that")


class TestFiles:
    def test_every_mount_is_read_only_but_the_scratch_directories(self, lab: Lab) -> None:
        mounts = [line.split() for line in sh(lab, "cat /proc/mounts").splitlines()]
        assert {mount for _, mount, _, options, *_ in mounts if "ro" not in options.split(",")} == SCRATCH
        assert all("nosuid" in options.split(",") for _, _, _, options, *_ in mounts)

    def test_it_can_write_nowhere_but_to_the_scratch_directories(self, lab: Lab) -> None:
        places = ["/", "/usr", "/etc", "/home", "/root", "/run", "/dev", "/proc", "/sys", *sorted(SCRATCH)]
        wrote = sh(lab, f"for d in {' '.join(places)}; do (echo x > $d/netsim-test) 2>/dev/null && echo $d; done; :")
        assert set(wrote.split()) == SCRATCH

    def test_what_it_writes_is_gone_afterwards(self, lab: Lab) -> None:
        sh(lab, "echo secret > /tmp/left")
        assert sh(lab, "ls -A /tmp") == ""
        assert not os.path.exists("/tmp/left")

    @pytest.mark.parametrize("path", ["/etc/shadow", "/etc/gshadow"])
    def test_secrets_are_unreadable(self, lab: Lab, path: str) -> None:
        ended = run(lab, "cat", path)
        assert isinstance(ended, Ended)
        assert str(ended.outcome) == "exit 1"
        assert "denied" in ended.output

    def test_the_root_directory_holds_the_system_and_nothing_else(self, lab: Lab) -> None:
        system = {"bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "nix", "proc", "root", "run", "sbin",
                  "sys", "tmp", "usr", "var"}  # fmt: skip
        assert set(sh(lab, "ls -A /").split()) <= system
        assert sh(lab, "ls -A /root /home /mnt /opt /srv /var/lib 2>/dev/null; :").split() == ["/home:", "/root:"]

    @pytest.mark.parametrize("directory", ["/tmp", "/run", "/var/tmp", "/dev/shm", "/root", "/home"])
    def test_files_and_sockets_of_the_host_are_out_of_sight(self, lab: Lab, directory: str) -> None:
        if not os.path.isdir(directory):
            pytest.skip(f"this host has no {directory}")
        with tempfile.TemporaryDirectory(dir=directory) as place, socket.socket(socket.AF_UNIX) as listener:
            os.chmod(place, 0o755)
            path = f"{place}/socket"
            listener.bind(path)
            os.chmod(path, 0o777)
            ended = run(lab, "ls", path)
            assert isinstance(ended, Ended)
            assert str(ended.outcome) == "exit 2"
            assert "No such file" in ended.output

    def test_only_harmless_devices(self, lab: Lab) -> None:
        names = set(sh(lab, "ls /dev").split())
        assert names <= {"fd", "full", "null", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"}
        assert sh(lab, "echo x > /dev/null; head -c 3 /dev/zero | wc -c; head -c 5 /dev/urandom | wc -c") == "3\n5\n"

    def test_sys_is_that_of_the_node(self, lab: Lab) -> None:
        assert sh(lab, "ls /sys/class/net").split() == ["eth0", "lo"]

    def test_a_shell_of_the_node_keeps_a_writable_sys(self, lab: Lab) -> None:
        with running(lab, "client", "sleep", "1000"):
            entered = by_hand(lab, "client", "sh", "-c", "grep ' /sys sysfs' /proc/mounts | tail -1")
        assert " rw," in entered.stdout


class TestRights:
    def status(self, lab: Lab) -> dict[str, str]:
        lines = output(lab, "cat", "/proc/self/status").splitlines()
        return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}

    def test_it_is_nobody_in_no_group(self, lab: Lab) -> None:
        status = self.status(lab)
        assert status["Uid"].split() == status["Gid"].split() == ["65534"] * 4
        assert status["Groups"] == ""

    def test_it_has_two_capabilities_and_gets_no_more(self, lab: Lab) -> None:
        status = self.status(lab)
        raw_and_ports = f"{1 << 13 | 1 << 10:016x}"
        assert {status[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {raw_and_ports}
        assert status["NoNewPrivs"] == "1"

    def test_signals_are_as_a_program_expects_them(self, lab: Lab) -> None:
        status = self.status(lab)
        assert {int(status[kind], 16) for kind in ("SigBlk", "SigIgn", "SigCgt")} == {0}

    def test_its_environment_is_plain_and_nothing_is_open(self, lab: Lab) -> None:
        os.environ["NETSIM_TEST_SECRET"] = "x"
        try:
            said = output(lab, "sh", "-c", "env | grep -v ^PWD=; pwd; ls /proc/self/fd; readlink /proc/self/fd/0")
        finally:
            del os.environ["NETSIM_TEST_SECRET"]
        plain = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/tmp"}
        assert set(said.split()) == plain | {"/tmp", "0", "1", "2", "3", "/dev/null"}

    def test_it_sees_no_process_but_its_own(self, lab: Lab) -> None:
        said = sh(lab, "echo $$; ls /proc | grep '^[0-9]'").split()
        assert int(said[0]) != 1
        assert str(os.getpid()) not in said
        assert "1" not in said
        assert len(said) <= 4

    def test_it_cannot_leave_the_node(self, lab: Lab) -> None:
        for attempt in (
            ["unshare", "-n", "true"],
            ["nsenter", "-t", "1", "-n", "true"],
            ["mount", "-t", "tmpfs", "x", "/tmp"],
        ):
            ended = run(lab, *attempt)
            assert isinstance(ended, Ended)
            assert str(ended.outcome) != "exit 0", attempt

    @needs_python
    def test_ports_below_1024_and_ping(self, lab: Lab) -> None:
        ping = (
            "import socket, struct\n"
            "socket.socket().bind(('', 80))\n"
            "s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)\n"
            "s.settimeout(5)\n"
            "s.sendto(struct.pack('!BBHHH', 8, 0, 0xf7ff, 0, 0), ('server', 0))\n"
            "print(s.recvfrom(99)[1][0])\n"
        )
        assert output(lab, PYTHON, "-c", ping).strip() == str(PLAN.addresses["server"])


class TestNames:
    def test_nodes_resolve(self, lab: Lab) -> None:
        assert sh(lab, "getent hosts server").split() == [str(PLAN.addresses["server"]), "server"]

    def test_a_name_of_the_world_is_unknown_at_once(self, lab: Lab) -> None:
        ended = run(lab, "getent", "hosts", "example.org")
        assert isinstance(ended, Ended)
        assert (str(ended.outcome), ended.output) == ("exit 2", "")
        assert ended.end_ns - ended.start_ns < 1_000_000_000


class TestOutcome:
    @traced_or_not
    @pytest.mark.parametrize(
        ("script", "outcome"),
        [
            ("exit 0", "exit 0"),
            ("exit 141", "exit 141"),
            ("kill -PIPE $$", "signal SIGPIPE"),
            ("kill -SEGV $$", "signal SIGSEGV"),
            ("kill -KILL $$", "signal SIGKILL"),
            ("kill -TERM $$", "signal SIGTERM"),
        ],
    )
    def test_exits_and_signals_are_told_apart(self, lab: Lab, script: str, outcome: str, traced: bool) -> None:
        ended = run(lab, "sh", "-c", script, traced=traced)
        assert isinstance(ended, Ended)
        assert str(ended.outcome) == outcome

    @needs_python
    @traced_or_not
    def test_a_write_to_a_closed_connection_kills(self, lab: Lab, traced: bool) -> None:
        script = (
            "import signal, socket\n"
            "signal.signal(signal.SIGPIPE, signal.SIG_DFL)\n"
            "listener = socket.create_server(('', 9000))\n"
            "client = socket.create_connection(('client', 9000))\n"
            "listener.accept()[0].close()\n"
            "client.recv(1)\n"
            "while True: client.send(b'x')\n"
        )
        ended = run(lab, PYTHON, "-c", script, traced=traced)
        assert isinstance(ended, Ended)
        assert str(ended.outcome) == "signal SIGPIPE"
        if traced:
            told = traced_calls(ended)
            last, (end,) = told.calls[-1], told.ends
            assert (last.name, last.result, end.outcome) == ("send", Errno("EPIPE"), Signalled("SIGPIPE"))
            assert {last.socket} < set(end.closed)

    def test_a_broken_pipe_kills_what_does_not_ignore_it(self, lab: Lab) -> None:
        assert "Broken pipe" not in sh(lab, "yes | head -n 1")  # as it does where SIGPIPE is ignored

    def test_there_is_no_shell(self, lab: Lab) -> None:
        assert output(lab, "echo", "$HOME;", "*", "a b") == "$HOME; * a b\n"

    @traced_or_not
    @pytest.mark.parametrize(
        ("program", "said"),
        [
            ("no-such-program", "there is no program 'no-such-program'"),
            ("/root/program", "there is no program '/root/program'"),
            ("/etc/passwd", "there is no program '/etc/passwd'"),
        ],
    )
    def test_a_program_that_is_not_there(self, lab: Lab, program: str, said: str, traced: bool) -> None:
        refused = run(lab, program, traced=traced)
        assert isinstance(refused, Refused)
        assert isinstance(refused.error, InputError)
        assert said in str(refused.error)

    def test_an_argument_that_none_can_be(self, lab: Lab) -> None:
        refused = run(lab, "echo", "a\0b")
        assert isinstance(refused, Refused)
        assert "null" in str(refused.error)

    def test_times_are_on_the_monotonic_clock(self, lab: Lab) -> None:
        ended = run(lab, "sleep", "0.05")
        assert isinstance(ended, Ended)
        assert 50_000_000 <= ended.end_ns - ended.start_ns < 5_000_000_000


class TestOutput:
    def test_both_streams_in_order(self, lab: Lab) -> None:
        assert sh(lab, "echo one; echo two >&2; echo three") == "one\ntwo\nthree\n"

    def test_only_the_end_of_much(self, lab: Lab) -> None:
        said = sh(lab, "yes | head -c 1000000; echo; echo done")
        note, _, rest = said.partition("\n")
        assert note == f"[{1_000_006 - command.OUTPUT_MAX} bytes before this are left out]"
        assert rest.endswith("y\n\ndone\n")
        assert len(rest) == command.OUTPUT_MAX

    def test_a_terminal_takes_no_orders_from_it(self, lab: Lab) -> None:
        assert sh(lab, r"printf '\033[31mred\r\n\302\233x\n\377\n'") == "\\x1b[31mred\n\\x9bx\n\ufffd\n"


class TestEnd:
    @traced_or_not
    def test_what_it_left_running_goes_with_it(self, lab: Lab, traced: bool) -> None:
        before = processes_on(lab, "client")
        ended = run(lab, "sh", "-c", "setsid sleep 1000 & exec setsid sleep 0", traced=traced)
        assert isinstance(ended, Ended)
        assert str(ended.outcome) == "exit 0"
        assert processes_on(lab, "client") == before
        assert ("+++ killed by SIGKILL +++" in (ended.strace or "")) == traced  # strace could tell of it

    @traced_or_not
    def test_a_signal_from_outside_ends_it(self, lab: Lab, traced: bool) -> None:
        with running(lab, "client", "sleep", "1000", traced=traced) as (child, _):
            channel.send(child.sock, Signal(signal.SIGTERM))
            ended = answer(child)
            assert isinstance(ended, Ended)
            assert str(ended.outcome) == "signal SIGTERM"
            assert gone(child.pidfd)
        assert processes_on(lab, "client") == 0

    @needs_python
    @traced_or_not
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
    @pytest.mark.parametrize(
        "script",
        ["exec {serve}", "{serve}; true", "trap : TERM; setsid {serve} & wait; wait"],
        ids=["program", "child", "session"],
    )
    def test_a_signal_reaches_who_listens(self, lab: Lab, script: str, number: int, traced: bool) -> None:
        """The program itself, a shell's child, or a child in a session of its own that the shell waits for."""
        serve = f"{PYTHON} -c 'import socket, signal; s = socket.create_server((\"\", 9000)); signal.pause()'"
        with running(lab, "server", "sh", "-c", script.format(serve=serve), traced=traced) as (child, pid):
            wait_until(lambda: listens(pid))
            channel.send(child.sock, Signal(number))
            assert isinstance(answer(child), Ended)
        assert " 0A " not in lab.read("server", "tcp")  # TCP_LISTEN
        assert processes_on(lab, "server") == 0

    @traced_or_not
    def test_a_signal_right_after_its_start(self, lab: Lab, traced: bool) -> None:
        """Where its calls are traced, strace may be at work yet to become the program."""
        for _ in range(10):
            with running(lab, "client", "sleep", "1000", traced=traced) as (child, _):
                channel.send(child.sock, Signal(signal.SIGKILL))
                ended = answer(child)
                assert isinstance(ended, Ended)
                assert str(ended.outcome) == "signal SIGKILL"
        assert processes_on(lab, "client") == 0

    def test_it_ends_when_nobody_waits_for_it(self, lab: Lab) -> None:
        with running(lab, "client", "sh", "-c", "trap '' TERM HUP INT; sleep 1000 & wait") as (child, pid):
            pidfd = os.pidfd_open(pid)
            child.sock.close()
            assert gone(pidfd)
            os.close(pidfd)

    def test_even_the_shortest_has_a_pid(self, lab: Lab) -> None:
        for _ in range(20):
            with running(lab, "client", "true") as (_, pid):
                assert pid > 0

    def test_the_pid_is_the_host_s(self, lab: Lab) -> None:
        with running(lab, "client", "sleep", "1000") as (_, pid):
            assert Path(f"/proc/{pid}/cmdline").read_bytes() == b"sleep\x001000\x00"

    @traced_or_not
    def test_killing_the_keeper_leaves_no_process(self, traced: bool) -> None:
        name = f"test-killed-{os.getpid()}"
        with up(PLAN, name, STATE) as doomed:
            inodes = {os.stat(node_path(name, node)).st_ino for node in PLAN.addresses}
            child = doomed.fork("server", command.serve, ("sh", "-c", "setsid sleep 1000 & sleep 1000"), HOSTS, traced)
            started = answer(child)
            assert isinstance(started, Started)
            wait_until(lambda: processes_on(doomed, "server", b"sleep\x001000\x00") == 2)
            there = list(processes.in_namespaces(inodes))
            assert started.pid in there
            pidfds = [os.pidfd_open(process) for process in there]
            os.kill(doomed.keeper.pid, signal.SIGKILL)
            assert [gone(pidfd) for pidfd in pidfds] == [True] * len(pidfds)
            assert list(processes.in_namespaces(inodes)) == []
            for pidfd in pidfds:
                os.close(pidfd)
            child.close()
        for node in PLAN.addresses:
            node_path(name, node).unlink()
        shutil.rmtree(STATE / name)


class TestCalls:
    @needs_strace
    @needs_curl
    @needs_python
    def test_curl_against_a_web_server(self, lab: Lab) -> None:
        address = str(PLAN.addresses["server"])
        serving = (PYTHON, "-u", "-m", "http.server", "--directory", "/usr/share/doc", "80")
        with running(lab, "server", *serving, traced=True) as (child, pid):
            wait_until(lambda: listens(pid))
            ended = run(lab, "curl", "-sS", "http://server/", traced=True)
            channel.send(child.sock, Signal(signal.SIGTERM))
            served = answer(child)
        assert isinstance(ended, Ended)
        assert str(ended.outcome) == "exit 0"
        assert "Directory listing" in ended.output or "left out" in ended.output
        calls = traced_calls(ended).calls
        connect = next(call for call in calls if call.name == "connect")
        assert (connect.remote, connect.result) == (Endpoint(address, 80), Errno("EINPROGRESS"))
        assert connect.local is not None
        assert connect.local.address == str(PLAN.addresses["client"])
        assert any(call.name == "recv" and isinstance(call.result, Count) for call in calls)
        assert [call.final for call in calls if call.name == "close" and call.socket == connect.socket] == [True]
        assert all(ended.start_ns <= call.time_ns <= call.end_ns for call in calls)
        assert isinstance(served, Ended)
        accepted = traced_calls(served, "server").calls
        (accept,) = (call for call in accepted if call.name == "accept" and call.remote == connect.local)
        assert (accept.local, accept.result) == (connect.remote, Ok())
        assert accept.made in {call.socket for call in accepted if call.name == "recv"}
        assert str(served.outcome) == "signal SIGTERM"

    @needs_strace
    @needs_curl
    def test_a_refused_connection(self, lab: Lab) -> None:
        ended = run(lab, "curl", "-sS", "http://server:81/", traced=True)
        assert isinstance(ended, Ended)
        assert str(ended.outcome) == "exit 7"
        told = [call for call in traced_calls(ended).calls if isinstance(call.action, FetchError)]
        assert [call.result for call in told] == [Errno("ECONNREFUSED")]
        assert [call.remote for call in told] == [Endpoint(str(PLAN.addresses["server"]), 81)]

    @needs_strace
    @needs_python
    def test_whose_end_closes_what(self, lab: Lab) -> None:
        """A child has the connection open longer than its parent, which has closed it, and is killed."""
        script = (
            "import os, signal, socket\n"
            "listener = socket.create_server(('', 9001))\n"
            "client = socket.create_connection(('client', 9001))\n"
            "server = listener.accept()[0]\n"
            "child = os.fork()\n"
            "if not child:\n    signal.pause()\n"
            "client.close()\n"
            "os.kill(child, signal.SIGKILL)\n"
            "os.waitpid(child, 0)\n"
            "assert server.recv(1) == b''\n"
            "os._exit(0)\n"
        )
        ended = run(lab, PYTHON, "-c", script, traced=True)
        assert isinstance(ended, Ended)
        assert (str(ended.outcome), ended.output) == ("exit 0", "")
        told = traced_calls(ended)
        (close,) = (call for call in told.calls if call.name == "close")
        child, program = told.ends
        assert (close.final, child.outcome, child.closed) == (False, Signalled("SIGKILL"), (close.socket,))
        (accept,) = (call for call in told.calls if call.name == "accept")
        assert (program.pid, set(program.closed)) == (told.first, {accept.socket, accept.made})
        (recv,) = (call for call in told.calls if call.name == "recv")
        assert close.end_ns <= child.time_ns <= recv.end_ns <= program.time_ns

    @needs_strace
    @needs_python
    def test_a_call_is_told_within_the_time_that_it_took(self, lab: Lab) -> None:
        """Measured by the program itself, on the same clock, around each call."""
        script = (
            "import socket, time\n"
            "listener = socket.create_server(('', 9002))\n"
            "for _ in range(20):\n"
            "    client = socket.socket()\n"
            "    before = time.monotonic_ns()\n"
            "    client.connect(('client', 9002))\n"
            "    print(before, time.monotonic_ns())\n"
            "    listener.accept()[0].close()\n"
            "    client.close()\n"
        )
        ended = run(lab, PYTHON, "-c", script, traced=True)
        assert isinstance(ended, Ended)
        measured = [tuple(map(int, line.split())) for line in ended.output.splitlines()]
        told = [call for call in traced_calls(ended).calls if call.name == "connect" and call.remote.port == 9002]
        slack_ns = 2_000_000  # the wall clock, by which strace tells the beginning, is not quite the other
        for (before, after), call in zip(measured, told, strict=True):
            assert before - slack_ns <= call.time_ns <= after + slack_ns

    def test_nothing_where_it_was_not_asked_for(self, lab: Lab) -> None:
        ended = run(lab, "true")
        assert isinstance(ended, Ended)
        assert ended.strace is None

    def test_a_host_without_strace_runs_it_all_the_same(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(strace, "OPTIONS", (("--no-such-option",),))
        with up(PLAN, f"test-untraced-{os.getpid()}", STATE) as blind:
            ended = run(blind, "sh", "-c", "echo here; exit 3", traced=True)
        assert isinstance(ended, Ended)
        assert (str(ended.outcome), ended.output, ended.strace) == ("exit 3", "here\n", None)


def traced_calls(ended: Ended, node: str = "client") -> strace.Traced:
    """What strace told of a command."""
    assert ended.strace is not None
    return strace.parse(ended.strace, node, node, None, ended.clock_offset_ns)


def listens(pid: int) -> bool:
    """Tell whether anything listens in a process's network."""
    return any(line.split()[3] == "0A" for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:])


def by_hand(
    lab: Lab, node: str, *argv: str, script: str = "", under: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Do what `netsim exec` does; `under` is a command that runs it."""
    program = (
        "import sys, json; from netsim.engines.host import STATE; from netsim.linux.enter import enter, shell_argv\n"
    )
    program += script or f"enter({lab.name!r}, {node!r}, json.loads(sys.argv[1]), STATE)"
    return subprocess.run(
        [*under, sys.executable, "-c", program, json.dumps(argv)],
        capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=30,
    )  # fmt: skip


class TestByHand:
    def test_a_program_sees_the_node_with_all_rights(self, lab: Lab) -> None:
        done = by_hand(lab, "client", "sh", "-c", "getent hosts server; ls /sys/class/net; id -u; exit 5")
        assert done.stdout.split() == [str(PLAN.addresses["server"]), "server", "eth0", "lo", "0"]
        assert done.returncode == 5

    def test_the_host_keeps_its_own_mounts(self, lab: Lab) -> None:
        host = (
            "unshare",
            "--mount",
            "--propagation",
            "shared",
            "sh",
            "-c",
            'cat $M /etc/hosts; "$@"; cat $M /etc/hosts',
            "-",
        )
        done = by_hand(lab, "client", "echo", "middle", under=host, M="/proc/self/mountinfo")
        before, middle, after = done.stdout.partition("middle\n")
        assert middle
        assert before == after

    def test_control_groups_stay(self, lab: Lab) -> None:
        groups = sorted(os.listdir("/sys/fs/cgroup"))
        assert sorted(by_hand(lab, "client", "ls", "/sys/fs/cgroup").stdout.split("\n")[:-1]) == groups

    def test_a_broken_pipe_kills_as_ever(self, lab: Lab) -> None:
        assert "Broken pipe" not in by_hand(lab, "client", "sh", "-c", "yes | head -n 1").stderr

    @pytest.mark.parametrize(
        ("node", "argv", "said"),
        [
            ("cleint", ["true"], "has no node 'cleint'; did you mean 'client'?"),
            ("../client", ["true"], "has no node '../client'"),
            ("client", ["no-such-program"], "there is no program 'no-such-program'"),
            ("client", ["/etc/passwd"], "cannot run '/etc/passwd': Permission denied"),
        ],
    )
    def test_what_is_not_there(self, lab: Lab, node: str, argv: list[str], said: str) -> None:
        error = by_hand(lab, node, *argv).stderr.splitlines()[-1]
        assert error.startswith("netsim.errors.InputError: ")
        assert said in error

    def test_a_lab_that_does_not_stand(self, lab: Lab) -> None:
        done = by_hand(lab, "client", script=f"enter({lab.name + 'x'!r}, 'client', ['true'], STATE)")
        assert f"did you mean '{lab.name}'?" in done.stderr

    @pytest.mark.parametrize("shell", ["/bin/bash", "/bin/sh"])
    def test_the_prompt_says_where_one_is(self, lab: Lab, shell: str, tmp_path: Path) -> None:
        if not os.path.exists(shell):
            pytest.skip(f"this host has no {shell}")
        (tmp_path / ".bashrc").write_text("OWN=mine\nPS1='old '\n")
        script = "import os; os.dup2(os.memfd_create('in'), 0)\n"
        script += "os.write(0, b'echo \"<$PS1>$OWN\"\\n'); os.lseek(0, 0, 0)\n"
        script += f"enter({lab.name!r}, 'client', shell_argv({lab.name!r}, 'client'), STATE)"
        done = by_hand(lab, "client", script=script, SHELL=shell, HOME=str(tmp_path))
        wanted = f"<(client@{lab.name}) old >mine" if "bash" in shell else f"<client@{lab.name}# >"
        assert wanted in done.stdout
