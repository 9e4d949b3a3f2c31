"""A lab without a network: its processes are real ones of this machine's, which meet on its loopback. It takes no root.

Every node's name means 127.0.0.1. What faults would do to the network is written down, and that is all.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from ipaddress import IPv4Address

from netsim.errors import InputError, LabError
from netsim.linux import channel, syscalls
from netsim.linux.lab import Child
from netsim.model.firewall import Rule
from netsim.model.plan import Plan
from netsim.model.result import ending
from netsim.processes import command

HERE = "127.0.0.1"


def fork(target: Callable[..., None], *args: object) -> Child:
    """Fork a process that lives `target(socket, *args)`, as the keeper of a lab does."""
    ours, its = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.close_all_but({0, 1, 2, its.fileno()})  # another one's channel, for one
            target(its, *args)
        finally:
            os._exit(0)
    its.close()
    return Child(pid, ours, os.pidfd_open(pid))


def free_port() -> int:
    """A TCP port on which nobody listens, and which nobody is given by chance as long as few are."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])


def run_program(sock: socket.socket, argv: Sequence[str], hosts: str, traced: bool) -> None:
    """Live as command.serve does, but for its sandbox: a program runs as it is, and goes with this process.

    What it writes behind TRACE= is what strace tells of it; without that its calls are not seen.
    """
    try:
        program = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=partial(syscalls.die_with_parent, os.getpid()),  # noqa: PLW1509 - no threads here
        )
    except OSError as error:
        channel.send(sock, command.Refused(InputError(f"cannot run {argv[0]!r}: {error.strerror}")))
        return
    start_ns = time.monotonic_ns()
    channel.send(sock, command.Started(program.pid, start_ns))
    gone = os.pidfd_open(program.pid)
    while sock in (ready := select.select([sock, gone], [], [])[0]):
        program.send_signal(channel.receive(sock)[0].number)
    assert ready
    _, status = os.waitpid(program.pid, 0)
    end_ns = time.monotonic_ns()
    assert program.stdout is not None
    output, traces, trace = program.stdout.read().partition("TRACE=")
    channel.send(sock, command.Ended(ending(status), output, trace if traces else None, start_ns, end_ns, 0))


@dataclass(slots=True)
class LocalLab:
    """A PlayedLab. `done` is what was asked of its network, a line each."""

    plan: Plan
    done: list[str] = field(default_factory=list)
    sysctls: dict[tuple[str, str], str] = field(default_factory=dict)
    refuse: str = ""
    """An operation that the kernel refuses from now on: `power_on server`."""
    children: dict[int, str] = field(default_factory=dict)
    """Where each process that lives, or is not waited for, runs."""

    def __post_init__(self) -> None:
        self.plan = replace(self.plan, addresses=dict.fromkeys(self.plan.addresses, IPv4Address(HERE)))

    def __enter__(self) -> LocalLab:
        return self

    def __exit__(self, *_: object) -> None:
        self._bury(list(self.children))

    def fork(self, node: str, target: Callable[..., None], *args: object) -> Child:
        child = fork(run_program if target is command.serve else target, *args)
        self.children[child.pid] = node
        return child

    def wait(self, child: Child) -> int:
        child.close()
        del self.children[child.pid]
        return os.waitpid(child.pid, 0)[1]

    def kill(self, child: Child, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(child.pid, number)

    def cut(self, link: int, arriving_at: str | None = None) -> None:
        self._do(f"cut {link} to {arriving_at}")

    def heal(self, link: int, arriving_at: str | None = None) -> None:
        self._do(f"heal {link} to {arriving_at}")

    def power_off(self, node: str) -> None:
        """Whatever runs there is gone without a word to anybody."""
        self._do(f"power_off {node}")
        self._bury([pid for pid, at in self.children.items() if at == node])

    def power_on(self, node: str) -> None:
        self._do(f"power_on {node}")

    def place(self, node: str, rules: Sequence[Rule]) -> None:
        for rule in rules:
            self._do(f"place {node}: {rule}")

    def remove(self, node: str, rule: Rule) -> None:
        self._do(f"remove {node}: {rule}")

    def sysctl(self, node: str, key: str, value: str) -> None:
        self._do(f"sysctl {node}: {key}={value}")
        self.sysctls[node, key] = value

    def read_sysctl(self, node: str, key: str) -> str | None:
        return self.sysctls.get((node, key))

    def _do(self, what: str) -> None:
        if what == self.refuse:
            raise LabError(what.partition(" ")[0], what.split()[1].rstrip(":"), 1)
        self.done.append(what)

    def _bury(self, pids: Sequence[int]) -> None:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            del self.children[pid]
