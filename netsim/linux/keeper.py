"""The keeper: one small process per lab that owns every namespace and does what must be done inside.

It is forked early, so that it stays small, and it is the only one that ever changes namespace: the
main process asks it, by sending a function of this package and its arguments. When the main process
goes, however it goes, the keeper sees its channel close and gives everything back; when the keeper
itself is killed, the kernel drops its namespaces, and the journal says what else there is.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from netsim.errors import LabError, NetsimError
from netsim.linux import channel, syscalls
from netsim.linux.journal import open_journal
from netsim.linux.keeper_state import KeeperState, new_state
from netsim.linux.stale import give_back
from netsim.model.plan import Plan

_INTERRUPTS = {signal.SIGINT, signal.SIGTERM}

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Keeper:
    """The main process's end of the channel."""

    lab: str
    pid: int
    sock: socket.socket

    def ask(self, function: Callable[Concatenate[KeeperState, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Have the keeper call a function of the engine; its errors are raised here."""
        value, fds = self._exchange(function, args, kwargs)
        assert not fds
        return value  # type: ignore[no-any-return]

    def ask_files(
        self, function: Callable[Concatenate[KeeperState, P], channel.WithFiles], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[Any, list[int]]:
        """Like `ask`, for a function that opens something here is to be had as well."""
        return self._exchange(function, args, kwargs)

    def _exchange(self, function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, list[int]]:
        try:
            (good, value), fds = channel.exchange(self.sock, (function, args, kwargs))
        except channel.ChannelClosed as gone:
            raise LabError("keep the lab", self.lab, 3, "its keeper was killed; 'netsim clean' tidies up") from gone
        if not good:
            raise value
        return value, fds

    def close(self) -> None:
        """Have the keeper give everything back, and wait until it has: an interrupt is raised only then."""
        try:
            self.sock.close()
            _end(self.pid)
        except KeyboardInterrupt:
            _end(self.pid)
            raise


def start_keeper(lab: str, plan: Plan, directory: Path) -> Keeper:
    """Fork the keeper of a new lab and open its journal; raises InputError where that lab stands already.

    It inherits the plan: to pickle the routes of a large one would take longer than to pack them for the kernel.
    """
    ours, its = socket.socketpair()
    held = signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTS)  # an interrupt must find a keeper, or none
    pid = os.fork()
    if pid == 0:
        _run(lab, plan, directory, its)
    _forked.add(pid)
    keeper = Keeper(lab, pid, ours)
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)
        its.close()
        keeper.ask(_hello)
    except BaseException:
        keeper.close()
        raise
    return keeper


def end_keepers() -> None:
    """End every keeper that this process has forked, and return when they have given everything back.

    For a program that is interrupted: wherever that was, nothing is left of it afterwards.
    """
    for pid in tuple(_forked):
        _end(pid)


_forked: set[int] = set()
"""The keepers that this process has forked and not yet waited for; it may have other children."""


def _end(pid: int) -> None:
    """End a keeper, one that was asked to stay as well; a child that is reaped already is left in peace."""
    with suppress(ChildProcessError):
        if os.waitpid(pid, os.WNOHANG)[0] == 0:
            os.kill(pid, signal.SIGTERM)
            os.waitpid(pid, 0)
    _forked.discard(pid)


def _hello(state: KeeperState) -> str:
    return state.journal.lab


def stay(state: KeeperState) -> None:
    """Outlive the main process: from now on only SIGTERM, as `netsim down` sends it, ends this lab."""
    state.stays = True


def _run(lab: str, plan: Plan, directory: Path, first: socket.socket) -> None:
    """The keeper's life. Never returns."""
    status = 1
    try:
        _detach()
        syscalls.close_all_but({0, 1, 2, first.fileno()})  # another lab's channel, for one
        wake, woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTS)
        try:
            state = new_state(open_journal(lab, directory), plan)
        except BaseException as error:
            channel.receive(first)
            channel.send(first, (False, _portable(error)))
        else:
            _serve(state, first, wake)
            give_back(state)
            status = 0
    finally:
        os._exit(status)


def _detach() -> None:
    """Ctrl-C is for the main process; nobody must wait for our copies of its standard streams."""
    os.setsid()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    os.chdir("/")


def _serve(state: KeeperState, main: socket.socket, wake: int) -> None:
    """Answer the main process until it hangs up (or, where it asked to stay, until SIGTERM)."""
    poll = select.poll()  # select() ends at descriptor 1023
    poll.register(wake, select.POLLIN)
    poll.register(main, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == wake:
                return
            if not _answer(state, main):
                poll.unregister(fd)
                if not state.stays:
                    return


def _answer(state: KeeperState, sock: socket.socket) -> bool:
    """Do one request; False when the other end is gone."""
    try:
        (function, args, kwargs), _ = channel.receive(sock)
        fds: tuple[int, ...] = ()
        try:
            value = function(state, *args, **kwargs)
            if isinstance(value, channel.WithFiles):
                value, fds = value.value, value.fds
            answer = (True, value)
        except Exception as error:
            answer = (False, _portable(error))
        try:
            channel.send(sock, answer, fds)
        finally:
            for fd in fds:
                os.close(fd)
    except channel.ChannelClosed:
        return False
    return True


def _portable(error: BaseException) -> BaseException:
    """An exception that can be sent: netsim's own, what the kernel refused, or a defect with its trace."""
    if isinstance(error, NetsimError):
        return error
    if isinstance(error, OSError):
        return LabError(error.filename or "the engine's work", "the lab", error.errno or 0, str(error))
    return RuntimeError("".join(traceback.format_exception(error)))
