"""The scripted process: a real process on a node that makes one system call at a time, when told to.

It is forked, not executed, so it costs a millisecond or two; each call is timed on the monotonic
clock right around the system call.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from netsim.linux import channel
from netsim.model import action as act
from netsim.model.duration import parse_duration
from netsim.model.endpoint import Endpoint
from netsim.model.result import POLL_EVENTS, Count, Eof, Errno, Ok, Ready, Result, TimedOut

CANCEL = signal.SIGRTMIN + 7
"""Takes the process out of a call that blocks: the call's result is then `timeout`. No step can name this signal."""

_STAY = "stay"

_PAYLOAD = bytes(range(256)) * 256
_POLL_BITS = {
    "IN": select.POLLIN,
    "PRI": select.POLLPRI,
    "OUT": select.POLLOUT,
    "ERR": select.POLLERR,
    "HUP": select.POLLHUP,
    "RDHUP": select.POLLRDHUP,
}


@dataclass(frozen=True, slots=True)
class Done:
    """How a call went; times are CLOCK_MONOTONIC."""

    result: Result
    start_ns: int
    end_ns: int
    socket: int = 0
    """The process's number for the socket that the call was made on; 0 for none. No number is used twice."""
    made: int = 0
    """The socket that accept() made."""
    local: Endpoint | None = None
    remote: Endpoint | None = None


class _Cancelled(Exception):  # noqa: N818 - raised by the signal that ends a blocking call
    pass


@dataclass(slots=True)
class _Socket:
    """An open socket, and the addresses that it had when it was last given some: a dead one no longer tells them."""

    number: int
    sock: socket.socket
    local: Endpoint | None = None
    remote: Endpoint | None = None


@dataclass(slots=True)
class _Process:
    """The open sockets by name. They are kept until they are closed: a forgotten socket closes, and sends FIN."""

    sockets: dict[str, _Socket] = field(default_factory=dict)
    aside: list[_Socket] = field(default_factory=list)
    """Those whose name another has taken."""
    made: int = 0
    calling: bool = False

    def cancel(self, *_: object) -> None:
        if self.calling:
            self.calling = False
            raise _Cancelled

    def get(self, name: str) -> _Socket:
        if name not in self.sockets:
            raise OSError(errno.EBADF, f"no socket called {name}")
        return self.sockets[name]

    def keep(self, name: str, sock: socket.socket) -> _Socket:
        """Give a socket a name; one that had it stays open without."""
        if name in self.sockets:
            self.aside.append(self.sockets[name])
        self.made += 1
        self.sockets[name] = _Socket(self.made, sock)
        return self.sockets[name]

    def get_or_make(self, name: str, family: int = socket.AF_INET) -> _Socket:
        known = self.sockets.get(name)
        return known or self.keep(name, socket.socket(family, socket.SOCK_STREAM))


def serve(sock: socket.socket) -> None:
    """The process's life: an action, a call, a Done, until the other end is closed."""
    process = _Process()
    signal.signal(CANCEL, process.cancel)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    staying = False
    while True:
        try:
            action, _ = channel.receive(sock)
        except channel.ChannelClosed:
            while staying:
                signal.pause()
            return
        staying = staying or action == _STAY
        if action != _STAY:
            channel.send(sock, _perform(process, action))


def ask(sock: socket.socket, action: act.Action) -> Done:
    """Have a scripted process make one call, and wait for it. Hosts are addresses by now."""
    done: Done = channel.exchange(sock, action)[0]
    return done


def stay(sock: socket.socket) -> None:
    """Have a scripted process keep its sockets open after the channel to it is closed, until it is killed."""
    channel.send(sock, _STAY)


def _perform(process: _Process, action: act.Action) -> Done:
    start = end = time.monotonic_ns()
    on: _Socket | None = None
    try:
        on, call = _prepare(process, action)  # everything but the system call itself
        try:
            process.calling = True
            start = time.monotonic_ns()
            result = call()
            end = time.monotonic_ns()
        finally:
            process.calling = False
    except _Cancelled:
        end, result = time.monotonic_ns(), TimedOut()
    except OSError as error:
        end, result = time.monotonic_ns(), Errno(errno.errorcode.get(error.errno or 0, str(error.errno)))
    done = Done(result, start, end, on.number if on else 0)
    if on is None:
        return done
    if isinstance(action, act.Accept):
        made = process.sockets[action.socket] if isinstance(result, Ok) else None
        return done if made is None else replace(done, made=made.number, local=made.local, remote=made.remote)
    if isinstance(action, act.Listen | act.Bind | act.Connect):
        on.local = _name(on.sock.getsockname) or on.local
    if isinstance(action, act.Connect):
        on.remote = Endpoint(action.host, action.port)
    return replace(done, local=on.local, remote=on.remote)


def _name(ask: Callable[[], tuple[str, int]]) -> Endpoint | None:
    try:
        host, port = ask()[:2]
    except OSError:
        return None
    return Endpoint(host, port) if port else None


Call = Callable[[], Result]


def _prepare(process: _Process, action: act.Action) -> tuple[_Socket | None, Call]:
    """The socket that an action is about, and the system call, ready to be made."""
    match action:
        case act.Listen():
            return _listen(process, action)
        case act.Bind(port=port):
            on = process.get_or_make(action.socket)
            return on, _calling(on.sock.bind, ("", port))
        case act.Connect():
            return _connect(process, action)
        case act.Accept():
            return _accept(process, action)
        case act.SetOption():
            on = process.get_or_make(action.socket)
            return on, _calling(on.sock.setsockopt, *socket_option(action.option, action.value))
        case act.Close():
            on = process.get(action.socket)
            del process.sockets[action.socket]
            return on, _calling(os.close, on.sock.detach())
        case act.SetSignal(signal=name, disposition=disposition):
            handler = signal.SIG_DFL if disposition == "default" else signal.SIG_IGN
            return None, _calling(signal.signal, signal.Signals[name], handler)
        case act.Kill(signal=name):
            return None, _calling(os.kill, os.getpid(), signal.Signals[name])
    return _on_open_socket(process, action)


def _on_open_socket(process: _Process, action: act.Action) -> tuple[_Socket, Call]:
    assert isinstance(action, act.Send | act.Recv | act.Shutdown | act.Poll | act.FetchError)
    on = process.get(action.socket)
    sock = on.sock
    match action:
        case act.Send(size=size):
            payload = (_PAYLOAD * (size // len(_PAYLOAD) + 1))[:size]
            return on, lambda: Count(sock.send(payload))
        case act.Recv(size=size, waitall=waitall):
            return on, lambda: _received(sock.recv(size, socket.MSG_WAITALL if waitall else 0))
        case act.Shutdown(how=how):
            ways = {"rd": socket.SHUT_RD, "wr": socket.SHUT_WR, "rdwr": socket.SHUT_RDWR}
            return on, _calling(sock.shutdown, ways[how])
        case act.Poll(events=events):
            return on, _poll(sock, events)
        case act.FetchError():
            return on, lambda: _error(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))


def _received(data: bytes) -> Result:
    return Count(len(data)) if data else Eof()


def _error(number: int) -> Result:
    return Errno(errno.errorcode[number]) if number else Ok()


def _listen(process: _Process, action: act.Listen) -> tuple[_Socket, Call]:
    on = process.get_or_make(action.socket)

    def call() -> Result:
        if not on.sock.getsockname()[1]:  # `set` may have made it, and `bind` chosen another port
            on.sock.bind(("", action.port))
        on.sock.listen(action.backlog)
        return Ok()

    return on, call


def _connect(process: _Process, action: act.Connect) -> tuple[_Socket, Call]:
    known = process.sockets.get(action.socket)
    family = socket.AF_INET6 if ":" in action.host else socket.AF_INET
    if known is not None and _name(known.sock.getpeername):  # a second connection takes the first's name only
        on = process.keep(action.socket, socket.socket(family, socket.SOCK_STREAM))
    else:
        on = process.get_or_make(action.socket, family)
    return on, _calling(on.sock.connect, (action.host, action.port))


def _accept(process: _Process, action: act.Accept) -> tuple[_Socket, Call]:
    listener = process.get(action.listener)

    def call() -> Result:
        sock, (host, port, *_) = listener.sock.accept()
        made = process.keep(action.socket, sock)
        made.local, made.remote = _name(sock.getsockname), Endpoint(host, port)
        return Ok()

    return listener, call


def _poll(sock: socket.socket, events: tuple[str, ...]) -> Call:
    poll = select.poll()
    poll.register(sock, sum(_POLL_BITS[event] for event in events))

    def call() -> Result:
        ((_, bits),) = poll.poll()
        return Ready(tuple(event for event in POLL_EVENTS if bits & _POLL_BITS[event]))

    return call


def _calling(function: Callable[..., object], *args: object) -> Call:
    """A call whose result, where there is no error, is just `ok`."""

    def call() -> Result:
        function(*args)
        return Ok()

    return call


def socket_option(option: str, value: str) -> tuple[int, int, bytes]:
    """Translate `set OPTION VALUE` into the arguments of setsockopt(2); socket(7), tcp(7)."""
    if option == "linger":
        on, seconds = (0, 0) if value == "off" else (1, int(value))
        return socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", on, seconds)
    if option in {"rcvtimeo", "sndtimeo"}:
        us = round(parse_duration(value) * 1e6)
        number = socket.SO_RCVTIMEO if option == "rcvtimeo" else socket.SO_SNDTIMEO
        return socket.SOL_SOCKET, number, struct.pack("ll", us // 1_000_000, us % 1_000_000)
    level, number = _OPTIONS[option]
    amount = (
        _ON_OFF[value] if value in _ON_OFF else int(value) if value.isdigit() else round(parse_duration(value) * 1e3)
    )
    return level, number, struct.pack("i", amount)


_ON_OFF = {"on": 1, "off": 0}
_OPTIONS = {
    "keepalive": (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    "nodelay": (socket.IPPROTO_TCP, socket.TCP_NODELAY),
    "reuseaddr": (socket.SOL_SOCKET, socket.SO_REUSEADDR),
    "reuseport": (socket.SOL_SOCKET, socket.SO_REUSEPORT),
    "rcvbuf": (socket.SOL_SOCKET, socket.SO_RCVBUF),
    "sndbuf": (socket.SOL_SOCKET, socket.SO_SNDBUF),
    "user_timeout": (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
}


ACTIONS = (
    act.Listen, act.Bind, act.Connect, act.Accept, act.Send, act.Recv, act.Shutdown, act.Close, act.SetOption,
    act.Poll, act.FetchError, act.SetSignal, act.Kill,
)  # fmt: skip
"""What a scripted process carries out."""
