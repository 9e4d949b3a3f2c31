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
from typing import Any, Concatenate, ParamSpec, TypeVar

from netsim.engine import channel
from netsim.engine.ground import Ground, new_ground
from netsim.engine.journal import STATE, open_journal
from netsim.errors import LabError, NetsimError

P = ParamSpec("P")
T = TypeVar("T")

CONTROL = "control"
"""The name of the socket, in a lab's directory, by which other commands reach a standing lab."""


@dataclass(frozen=True, slots=True)
class WithFiles:
    """A keeper function's result that comes with open descriptors; the keeper closes its own copies."""

    value: Any
    fds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Keeper:
    """The main process's end of the channel."""

    lab: str
    pid: int
    sock: socket.socket

    def ask(self, function: Callable[Concatenate[Ground, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Have the keeper call a function of the engine; its errors are raised here."""
        value, fds = self._exchange(function, args, kwargs)
        assert not fds
        return value  # type: ignore[no-any-return]

    def ask_files(
        self, function: Callable[Concatenate[Ground, P], WithFiles], *args: P.args, **kwargs: P.kwargs
    ) -> tuple[Any, list[int]]:
        """Like `ask`, for a function that opens something here is to be had as well."""
        return self._exchange(function, args, kwargs)

    def _exchange(self, function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, list[int]]:
        try:
            channel.send(self.sock, (function, args, kwargs))
            (good, value), fds = channel.receive(self.sock)
        except channel.ChannelClosed as gone:
            raise LabError("keep the lab", self.lab, 3, "its keeper was killed; 'netsim clean' tidies up") from gone
        if not good:
            raise value
        return value, fds

    def close(self) -> None:
        """Have the keeper give everything back, and wait until it has."""
        self.sock.close()
        with suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


def start_keeper(lab: str) -> Keeper:
    """Fork the keeper of a new lab and open its journal; raises InputError where that lab stands already."""
    ours, its = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _run(lab, its)
    its.close()
    keeper = Keeper(lab, pid, ours)
    try:
        keeper.ask(_hello)
    except BaseException:
        keeper.close()
        raise
    return keeper


def reach_keeper(lab: str, pid: int) -> Keeper:
    """Connect to the keeper of a standing lab; raises LabError where it does not answer."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(str(STATE / lab / CONTROL))
    except OSError as error:
        sock.close()
        raise LabError("reach the lab", lab, error.errno or 0) from error
    return Keeper(lab, pid, sock)


def _hello(ground: Ground) -> str:
    return ground.journal.lab


def stay(ground: Ground) -> None:
    """Outlive the main process: from now on only `netsim down` or SIGTERM ends this lab."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    path = str(ground.journal.home / CONTROL)
    before = os.umask(0o177)
    listener.bind(path)
    os.umask(before)
    listener.listen(8)
    ground.listener = listener


def _run(lab: str, first: socket.socket) -> None:
    """The keeper's life. Never returns."""
    status = 1
    try:
        _detach()
        wake, woken = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(woken)
        signal.signal(signal.SIGTERM, lambda *_: None)
        try:
            ground = new_ground(open_journal(lab))
        except BaseException as error:
            channel.receive(first)
            channel.send(first, ((False, _portable(error)), None))
        else:
            _serve(ground, first, wake)
            _give_back(ground)
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


def _serve(ground: Ground, first: socket.socket, wake: int) -> None:
    """Answer requests, until the main process hangs up (or, where it asked to stay, until SIGTERM)."""
    first_fd = first.fileno()
    clients = {first_fd: first}
    while True:
        poll = select.poll()  # select() ends at descriptor 1023, which a large lab has passed
        for fd in (wake, *clients, *([ground.listener.fileno()] if ground.listener else [])):
            poll.register(fd, select.POLLIN)
        for fd, _ in poll.poll():
            if fd == wake:
                return
            if fd not in clients:
                assert ground.listener is not None
                guest, _ = ground.listener.accept()
                clients[guest.fileno()] = guest
            elif not _answer(ground, clients[fd]):
                clients.pop(fd).close()
                if fd == first_fd and ground.listener is None:
                    return


def _answer(ground: Ground, sock: socket.socket) -> bool:
    """Do one request; False when the other end is gone."""
    try:
        (function, args, kwargs), _ = channel.receive(sock)
        fds: tuple[int, ...] = ()
        try:
            value = function(ground, *args, **kwargs)
            if isinstance(value, WithFiles):
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


def _give_back(ground: Ground) -> None:
    from netsim.engine.restore import give_back

    give_back(ground)
