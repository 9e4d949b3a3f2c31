"""Any program on a node, in a sandbox: what a `run COMMAND` step starts.

Four processes, each of which the kernel kills when the one before it dies:

    the lab's keeper
    └── serve()       collects the output, talks to the main process
        └── _oversee  pid 1 of a PID namespace: with it goes every process that the command has left
            └── the command, as nobody; and, where its calls are to be seen, strace beside it

`serve` sends `Started` and then `Ended`, or `Refused` instead of either; it takes `Signal` in between.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NoReturn

from netsim.errors import HostError, InputError, NetsimError
from netsim.linux import channel, syscalls
from netsim.model.names import shown
from netsim.model.result import Exited, Signalled, ending
from netsim.processes import sandbox, strace

OUTPUT_MAX = 16 << 10
"""Bytes of a command's output that are kept: its last ones."""
TRACE_MAX = 4 << 20
"""Bytes of what strace says that are kept: half from its beginning, half from its end."""

_TRACE = f"{sandbox.RUN}/strace"
_STRACE_ENDS_WITHIN_S = 2
_NAMES = "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n"
"""nsswitch.conf(5): an unknown name is unknown at once, and no resolver of the host's is asked."""
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class Started:
    """The program runs; its pid is the host's, the time CLOCK_MONOTONIC."""

    pid: int
    start_ns: int


@dataclass(frozen=True, slots=True)
class Ended:
    """The program has ended, and everything that it had left behind is gone too."""

    outcome: Exited | Signalled
    output: str
    """The end of what it wrote to stdout and stderr; control characters are shown as \\xNN."""
    strace: str | None
    """For strace.parse; None where its calls were not to be seen, or could not be."""
    start_ns: int
    end_ns: int
    clock_offset_ns: int
    """What strace.parse has to add to the wall clock for CLOCK_MONOTONIC."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The program could not be run; whoever gets this raises `error`."""

    error: NetsimError


@dataclass(frozen=True, slots=True)
class Signal:
    """Send the command and all of its children a signal; SIGKILL surely ends them. One that has ended gets none."""

    number: int


Message = Started | Ended | Refused


@dataclass(frozen=True, slots=True)
class _Running:
    start_ns: int


@dataclass(frozen=True, slots=True)
class _Over:
    status: int
    end_ns: int


@dataclass(slots=True)
class _Text:
    """Bytes as they come, of which the first and the last are kept."""

    first: int
    last: int
    head: bytes = b""
    tail: bytearray = field(default_factory=bytearray)
    left_out: int = 0
    lines_out: int = 0

    def add(self, more: bytes) -> None:
        room = self.first - len(self.head)
        self.head += more[:room]
        self.tail += more[room:]
        excess = len(self.tail) - self.last
        if excess > 0:
            self.left_out += excess
            self.lines_out += self.tail.count(b"\n", 0, excess)
            del self.tail[:excess]

    def text(self) -> str:
        between = f"\n{strace.lines_missing(self.lines_out + 1)}\n".encode() if self.head and self.left_out else b""
        return (self.head + between + self.tail).decode("utf-8", "replace")


def _stamped(part: bytes) -> bytes:
    """Mark the end of each of strace's lines with the moment at which it was there: the call had returned by then."""
    return part.replace(b"\n", b" @%d\n" % time.monotonic_ns())


def serve(sock: socket.socket, argv: Sequence[str], hosts: str, traced: bool) -> None:
    """Run a command in a sandbox; `lab.fork(node, serve, argv, hosts, traced)` puts it on a node.

    `argv` goes to the program as it is, no shell reads it; `hosts` is what it finds in /etc/hosts.
    `traced` asks for its socket calls, which are missing without a word where strace is not usable.
    """
    control, overseer = socket.socketpair()
    output, written = os.pipe()
    syscalls.unshare(syscalls.CLONE_NEWPID)
    pid = os.fork()
    if pid == 0:
        sock.close()
        control.close()
        os.close(output)
        _live(_oversee, overseer, written, argv, hosts, traced)
    overseer.close()
    os.close(written)
    with suppress(channel.ChannelClosed):  # nobody waits for this command any more: the end of this process ends it
        try:
            first, fds = channel.receive(control)
        except channel.ChannelClosed:
            first, fds = Refused(HostError("the sandbox of a command was killed while it was made")), []
        if isinstance(first, _Running):
            started = Started(_pid_behind(fds[0]), first.start_ns)
            channel.send(control, started)  # now it may be reaped
            channel.send(sock, started)
            first = _follow(sock, control, output, fds, first.start_ns)
            os.waitpid(pid, 0)
        channel.send(sock, first)


def _live(life: Callable[..., None], *args: object) -> NoReturn:
    status = 70  # EX_SOFTWARE
    try:
        life(*args)
        status = 0
    finally:
        os._exit(status)


def _follow(sock: socket.socket, control: socket.socket, output: int, fds: list[int], start_ns: int) -> Ended:
    """Take in what a command writes until it and all of its children are gone; pass signals on to it."""
    pidfd, *trace = fds
    texts = {output: _Text(0, OUTPUT_MAX)} | {fd: _Text(TRACE_MAX // 2, TRACE_MAX // 2) for fd in trace}
    over: _Over | None = None
    poll = select.poll()
    waiting = {control.fileno(), *texts}
    for fd in (sock.fileno(), *waiting):
        poll.register(fd, select.POLLIN)
    while waiting:
        for fd, _ in poll.poll():
            try:
                if fd == sock.fileno():
                    request, _ = channel.receive(sock)
                    _signal(pidfd, request.number, bool(trace))
                    continue
                if fd == control.fileno():
                    over, _ = channel.receive(control)
                    continue
                part = os.read(fd, 1 << 16)
                texts[fd].add(_stamped(part) if fd in trace else part)
                gone = not part
            except channel.ChannelClosed:
                if fd == sock.fileno():
                    raise
                gone = True
            if gone:
                poll.unregister(fd)
                waiting.remove(fd)
    over = over or _Over(signal.SIGKILL, time.monotonic_ns())  # its pid 1 was killed, and so was the command
    traced = "".join(texts[fd].text() for fd in trace) if trace else None
    offset_ns = time.monotonic_ns() - time.time_ns()
    return Ended(ending(over.status), _readable(texts[output]), traced, start_ns, over.end_ns, offset_ns)


def _signal(program: int, number: int, traced: bool) -> None:
    """Signal a program, by its pidfd, and then the other processes of its PID namespace: not pid 1, and not strace."""
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(program, number)
    for pid in _inside(os.stat("/proc/self/ns/pid_for_children").st_ino):
        with suppress(OSError), open(f"/proc/{pid}/status", "rb") as file:
            status = dict(line.split(b":", 1) for line in file)
            first, held = status[b"NSpid"].split()[-1] == b"1", status[b"TracerPid"].strip() != b"0"
            if not first and (held or not traced) and pid != _pid_behind(program):
                os.kill(pid, number)


def _inside(namespace: int) -> Iterator[int]:
    """The processes of a PID namespace, by its inode number."""
    for entry in os.listdir("/proc"):
        with suppress(OSError):
            if entry.isdigit() and os.stat(f"/proc/{entry}/ns/pid").st_ino == namespace:
                yield int(entry)


def _oversee(control: socket.socket, written: int, argv: Sequence[str], hosts: str, traced: bool) -> None:
    """The life of pid 1: it makes the sandbox, starts the command, and reaps whatever loses its parent."""
    syscalls.die_with_parent(0)  # a parent outside the PID namespace has no number in here
    if select.select([control], [], [], 0)[0]:  # it was gone before we asked to die with it
        return
    try:
        sandbox.shut_off({"/etc/hosts": hosts, "/etc/nsswitch.conf": _NAMES})
        trace = _open_trace() if traced else None
        sandbox.seal()
    except OSError as error:
        channel.send(control, Refused(HostError(f"this host cannot make the sandbox of a command: {error}")))
        return
    tracer = _usable_strace(trace[0]) if trace else ()
    start_ns = time.monotonic_ns()
    pid, refusal = _start(written, argv, tracer)
    os.close(written)
    if refusal is not None:
        channel.send(control, refusal)
        return
    fds = (os.pidfd_open(pid), *(trace[:1] if tracer and trace else []))
    channel.send(control, _Running(start_ns), fds)
    channel.receive(control)
    ended, status = 0, 0
    while ended != pid:
        ended, status = os.wait()
    channel.send(control, _Over(status, time.monotonic_ns()))
    if tracer:
        _let_strace_finish()


def _start(written: int, argv: Sequence[str], tracer: Sequence[str]) -> tuple[int, Refused | None]:
    """Fork and run a program; returns when it runs, or with the reason why it does not."""
    ours, its = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _live(_become, its, written, argv, tracer)
    its.close()
    refusal = None
    with suppress(channel.ChannelClosed):  # closed by a successful exec
        refusal, _ = channel.receive(ours)
    ours.close()
    return pid, refusal


def _become(report: socket.socket, written: int, argv: Sequence[str], tracer: Sequence[str]) -> None:
    """Give up all rights and become the program."""
    for fd in (1, 2):
        os.dup2(written, fd)
    try:
        sandbox.drop_rights()
    except OSError as error:
        channel.send(report, Refused(HostError(f"this host cannot lock a command up: {error}")))
        return
    program = shutil.which(argv[0], path=sandbox.PATH)
    if program is None:
        sentence = (
            f"there is no program {shown(argv[0])} that a scenario may run: it sees what is installed under "
            "/usr, and not /home, /root, /opt, /srv or /tmp; 'netsim exec' runs anything"
        )
        channel.send(report, Refused(InputError(sentence)))
        return
    full = (*tracer, program, *argv[1:]) if tracer else tuple(argv)
    try:
        os.execve(tracer[0] if tracer else program, full, sandbox.ENVIRONMENT)  # noqa: S606 - no shell is the point
    except (OSError, ValueError) as error:  # ValueError: a NUL inside an argument
        said = error.strerror if isinstance(error, OSError) else str(error)
        channel.send(report, Refused(InputError(f"cannot run {shown(argv[0])}: {said}")))


def _open_trace() -> tuple[int, int]:
    """Make the pipe through which strace writes to us: by name, because strace, as nobody, opens it by itself.

    The second descriptor writes: while it is open, a reader waits for the next strace.
    """
    os.mkfifo(_TRACE, 0o600)
    if sandbox.is_mapped(sandbox.NOBODY):
        os.chown(_TRACE, sandbox.NOBODY, sandbox.NOBODY)
    reading = os.open(_TRACE, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return reading, os.open(_TRACE, os.O_WRONLY | os.O_CLOEXEC)


def _usable_strace(trace: int) -> Sequence[str]:
    """The strace command that works here, tried on a program that does nothing; () where none does."""
    program = shutil.which("strace", path=sandbox.PATH)
    if program is None:
        return ()
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    try:
        for options in strace.OPTIONS:
            tracer = (program, *options, "-o", _TRACE)
            _, refusal = _start(null, ("true",), tracer)
            with suppress(ChildProcessError):
                while True:
                    os.wait()
            told = b""
            with suppress(BlockingIOError):
                while part := os.read(trace, 1 << 16):
                    told += part
            if refusal is None and b"exited with 0" in told:
                return tracer
    finally:
        os.close(null)
    return ()


def _let_strace_finish() -> None:
    """Kill what the command has left, and return when strace has told of it and ended, or has had its time."""
    signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
    signal.alarm(_STRACE_ENDS_WITHIN_S)
    with suppress(ChildProcessError):
        while True:
            for pid in _traced():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            os.wait()


def _traced() -> list[int]:
    """The processes of this PID namespace that strace holds; itself it is held by nobody."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with suppress(OSError), open(f"/proc/{entry}/status", "rb") as file:
                found += [int(entry) for line in file if line.startswith(b"TracerPid:") and line.split()[1] != b"0"]
    return found


def _pid_behind(pidfd: int) -> int:
    with open(f"/proc/self/fdinfo/{pidfd}", "rb") as file:
        return next(int(line.split()[1]) for line in file if line.startswith(b"Pid:"))


def _readable(output: _Text) -> str:
    """A command's output as text that no terminal takes for orders."""
    text = output.text().replace("\r\n", "\n")
    text = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
    return f"[{output.left_out} bytes before this are left out]\n{text}" if output.left_out else text
