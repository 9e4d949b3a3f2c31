"""A machine of the tests' own: processes, mounts and network that are nobody else's.

What a test does in there cannot touch a lab that stands on this host, whatever else runs here cannot
disturb the test, and what is in it before and after can be told to the last process.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from netsim.engines.host import STATE
from netsim.linux import journal, syscalls

ROOT = Path(__file__).parents[2]
LIMIT_S = 60.0
"""After this long something hangs; nothing is expected to take a length of time."""

# Its first process ignores the end of its children, so that nobody is left as a zombie; it goes with the test run.
_INIT = (
    "mount -t proc proc /proc && mount -t tmpfs tmpfs /run && ip link set lo up && trap '' CHLD && echo up && exec cat"
)

# It may read all files: the Python that runs these tests may lie in somebody's home.
AS_NOBODY = (
    "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+dac_read_search",
    "--ambient-caps=-all,+dac_read_search", "--bounding-set=-all,+dac_read_search",
)  # fmt: skip
"""Turns into an ordinary user, and then into the program behind it."""
NETSIM = (sys.executable, "-m", "netsim")

_COUNT = itertools.count(1)

Completed = subprocess.CompletedProcess[str]
Process = subprocess.Popen[str]


class NoMachineError(Exception):
    """This host gives us no machine of our own."""


class Machine:
    """Namespaces for processes, mounts and the network, with a /run of their own; the other files are the host's."""

    def __init__(self) -> None:
        self._own = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self._pids = -1
        self._started: list[Process] = []
        self.lab = f"lab-{os.getpid()}-{next(_COUNT)}"
        self.state = Path()
        self.environment = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
        argv = ["unshare", "--mount", "--net", "--", "sh", "-c", _INIT]
        try:
            with self._new_processes():
                self._first = subprocess.Popen(
                    argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
        except OSError as error:
            raise NoMachineError(f"no namespaces for processes: {error}") from error
        assert self._first.stdout is not None
        if self._first.stdout.readline() != "up\n":
            _, said = self._first.communicate()
            raise NoMachineError(f"no namespaces for mounts and the network: {said.strip()}")
        self._pids = os.open(f"/proc/{self.pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        self.state = self.path(STATE)

    def __enter__(self) -> Machine:
        return self

    def __exit__(self, *_: object) -> None:
        self._first.kill()  # and with it the kernel kills everything else in there
        for process in self._started:  # it waits until all of them are reaped, ours by us
            if process.stderr is not None and not process.stderr.closed:
                process.communicate()
        self._first.communicate()
        os.close(self._pids)
        os.close(self._own)

    @property
    def pid(self) -> int:
        """Its first process, by the number that it has outside."""
        return self._first.pid

    def path(self, inside: str | Path) -> Path:
        """Where a path of the machine's is found from outside."""
        return Path(f"/proc/{self.pid}/root{inside}")

    @contextmanager
    def _new_processes(self) -> Iterator[None]:
        """Let the processes that are started within belong to the machine; only new ones can."""
        if self._pids < 0:
            syscalls.unshare(syscalls.CLONE_NEWPID)
        else:
            syscalls.setns(self._pids, syscalls.CLONE_NEWPID)
        try:
            yield
        finally:
            syscalls.setns(self._own, syscalls.CLONE_NEWPID)

    def start(
        self,
        *argv: str | Path,
        cwd: str | Path = "/",
        env: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
        stdout: int | Any = subprocess.PIPE,
    ) -> Process:
        """Start a program; its pid is the one that it has outside, and it leads a process group of its own."""
        # Whoever runs the tests in the background ignores Ctrl-C, and so would all that they start.
        env_argv = ["env", "--default-signal=HUP,INT,QUIT", f"--chdir={cwd}"]
        enter = ["nsenter", "--target", str(self.pid), "--mount", "--net", "--", *env_argv]
        with self._new_processes():
            process = subprocess.Popen(
                [*enter, *map(str, argv)],
                env={**self.environment, **(env or {})},
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
                start_new_session=True,
            )
        self._started.append(process)
        return process

    def run(self, *argv: str | Path, text: str | None = None, **more: Any) -> Completed:
        """Run a program to its end, with `text` as its input."""
        process = self.start(*argv, stdin=subprocess.DEVNULL if text is None else subprocess.PIPE, **more)
        return finish(process, text)

    def output(self, *argv: str | Path) -> str:
        """What a program prints; it must succeed."""
        done = self.run(*argv)
        assert done.returncode == 0, (argv, done.stderr)
        return done.stdout

    def start_netsim(self, *args: str | Path, **more: Any) -> Process:
        return self.start(*NETSIM, *args, **more)

    def netsim(self, *args: str | Path, **more: Any) -> Completed:
        return self.run(*NETSIM, *args, **more)

    def json(self, *args: str | Path, code: int = 0) -> Any:
        """The JSON that a netsim command prints."""
        done = self.netsim(*args, "--json")
        assert done.returncode == code, (args, done.stderr)
        return json.loads(done.stdout)

    def processes(self) -> dict[int, str]:
        """Every process in the machine but its first, and the dead: the pid outside, and the command line."""
        inode = os.fstat(self._pids).st_ino
        found = {}
        for entry in os.listdir("/proc"):
            if entry.isdigit() and int(entry) != self.pid:
                try:
                    state = Path(f"/proc/{entry}/stat").read_text().rpartition(") ")[2][0]
                    if os.stat(f"/proc/{entry}/ns/pid").st_ino == inode and state not in "XZ":
                        found[int(entry)] = Path(f"/proc/{entry}/cmdline").read_text().replace("\0", " ").strip()
                except OSError:  # it ended meanwhile
                    continue
        return found

    def inside_pid(self, pid: int) -> int:
        """The number that a process has inside."""
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("NSpid:")).split()[-1])

    def keeper(self, lab: str) -> int | None:
        """The process that keeps a lab, by the number that it has outside."""
        return journal.keeper_pid(lab, self.state)

    def journal(self, lab: str) -> list[str]:
        """What kinds of things a lab's journal names, so far."""
        try:
            return [entry["made"] for entry in journal.read_journal(lab, self.state)]
        except OSError:
            return []

    def names(self) -> list[str]:
        """What is in /run/netns."""
        try:
            return sorted(os.listdir(self.path("/run/netns")))
        except OSError:
            return []

    def left_over(self) -> list[str]:
        """Everything there that no machine has which has only just been switched on."""
        found = [str(path) for path in self.path("/run").rglob("*")]
        found += [f"process {pid}: {argv}" for pid, argv in self.processes().items()]
        links = Path(f"/proc/{self.pid}/net/dev").read_text().splitlines()[2:]
        return found + [
            f"interface {line.split(':')[0].strip()}" for line in links if not line.strip().startswith("lo:")
        ]


def finish(process: Process, text: str | None = None) -> Completed:
    """Wait for a program's end, and take in what it said."""
    try:
        out, err = process.communicate(text, LIMIT_S)
    except subprocess.TimeoutExpired as hangs:  # itself, or somebody who holds its output open
        raise AssertionError(f"{process.args!r} hangs; so far it said: {hangs.output!r} {hangs.stderr!r}") from None
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def until(condition: Callable[[], object], what: str) -> None:
    """Wait until something is so. It looks without a pause: what is waited for may be over in 100 µs."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"it never came: {what}"
        os.sched_yield()


def tcp_counter(pid: int, name: str) -> int:
    """A TCP counter of the network that a process is in, as /proc/PID/net/snmp has it; 0 when it is gone.

    0 too while it is in this process's own network: it has been started, and has yet to enter its machine.
    """
    try:
        if os.path.samestat(os.stat(f"/proc/{pid}/ns/net"), os.stat("/proc/self/ns/net")):
            return 0
        lines = [line.split() for line in Path(f"/proc/{pid}/net/snmp").read_text().splitlines()]
    except OSError:
        return 0
    names, values = (line for line in lines if line[0] == "Tcp:")
    return int(values[names.index(name)])


def children(pid: int) -> list[int]:
    """The children of a process; none when it is gone."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def interrupt(process: Process, number: int = signal.SIGINT) -> None:
    """What a terminal does when Ctrl-C is pressed: the signal goes to the whole process group in front."""
    os.killpg(process.pid, number)


def one_sentence(done: Completed, code: int) -> str:
    """What netsim said on stderr when it refused: one line, no traceback, and nothing on stdout."""
    assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == ""
    assert done.stderr.startswith("netsim: "), done.stderr
    (line,) = done.stderr.splitlines()
    return line.removeprefix("netsim: ")
