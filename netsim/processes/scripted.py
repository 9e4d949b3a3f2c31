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
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from netsim.linux import channel
from netsim.model.duration import parse_duration
from netsim.model.event import end_text
from netsim.model.step import POLL_EVENTS

CANCEL = signal.SIGUSR1
"""Takes the process out of a call that blocks: the call's result is then `timeout`."""

_STAY = "stay"

_PAYLOAD = bytes(range(256)) * 256
_DEFAULT_BACKLOG = 128
_DEFAULT_RECV = 65536
_POLL_BITS = {
    "IN": select.POLLIN,
    "PRI": select.POLLPRI,
    "OUT": select.POLLOUT,
    "ERR": select.POLLERR,
    "HUP": select.POLLHUP,
    "RDHUP": select.POLLRDHUP,
}


@dataclass(frozen=True, slots=True)
class Request:
    """One call to make. Hosts are addresses by now."""

    verb: str
    args: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Done:
    """How a call went; times are CLOCK_MONOTONIC."""

    result: str
    start_ns: int
    end_ns: int
    local: str = ""
    remote: str = ""


class _Cancelled(Exception):  # noqa: N818 - raised by the signal that ends a blocking call
    pass


@dataclass(slots=True)
class _Process:
    """The open sockets by name. They are kept until they are closed: a forgotten socket closes, and sends FIN."""

    sockets: dict[str, socket.socket] = field(default_factory=dict)
    ends: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The addresses of each socket when it was last given some: a dead one no longer tells them."""
    calling: bool = False

    def cancel(self, *_: object) -> None:
        if self.calling:
            self.calling = False
            raise _Cancelled

    def get(self, name: str) -> socket.socket:
        if name not in self.sockets:
            raise OSError(errno.EBADF, f"no socket called {name}")
        return self.sockets[name]

    def get_or_make(self, name: str, family: int = socket.AF_INET) -> socket.socket:
        if name not in self.sockets:
            self.sockets[name] = socket.socket(family, socket.SOCK_STREAM)
        return self.sockets[name]


def serve(sock: socket.socket) -> None:
    """The process's life: a Request, a call, a Done, until the other end is closed."""
    process = _Process()
    signal.signal(CANCEL, process.cancel)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    staying = False
    while True:
        try:
            request, _ = channel.receive(sock)
        except channel.ChannelClosed:
            while staying:
                signal.pause()
            return
        staying = staying or request.verb == _STAY
        if request.verb != _STAY:
            channel.send(sock, _perform(process, request))


def ask(sock: socket.socket, verb: str, args: Mapping[str, str]) -> Done:
    """Have a scripted process make one call, and wait for it."""
    channel.send(sock, Request(verb, args))
    done: Done = channel.receive(sock)[0]
    return done


def stay(sock: socket.socket) -> None:
    """Have a scripted process keep its sockets open after the channel to it is closed, until it is killed."""
    channel.send(sock, Request(_STAY, {}))


def _perform(process: _Process, request: Request) -> Done:
    call = _CALLS[request.verb]
    args = request.args
    start = end = time.monotonic_ns()
    try:
        bound = call(process, args)  # everything but the system call itself
        try:
            process.calling = True
            start = time.monotonic_ns()
            result = bound()
            end = time.monotonic_ns()
        finally:
            process.calling = False
    except _Cancelled:
        end, result = time.monotonic_ns(), "timeout"
    except OSError as error:
        end, result = time.monotonic_ns(), errno.errorcode.get(error.errno or 0, str(error))
    name = args.get("socket", "listener" if request.verb == "listen" else "connection")
    if request.verb in _GIVE_ADDRESSES and name in process.sockets:
        about = process.sockets[name]
        process.ends[name] = (_name(about.getsockname), _name(about.getpeername))
    return Done(result, start, end, *process.ends.get(name, ("", "")))


_GIVE_ADDRESSES = frozenset({"listen", "bind", "connect", "accept"})


def _name(ask: Callable[[], tuple[str, int]]) -> str:
    try:
        host, port = ask()[:2]
    except OSError:
        return ""
    return end_text(host, port)


Bound = Callable[[], str]
Args = Mapping[str, str]


def _listen(process: _Process, args: Args) -> Bound:
    name = args.get("socket", "listener")
    fresh = name not in process.sockets
    sock = process.get_or_make(name)

    def call() -> str:
        if fresh:
            sock.bind(("", int(args["port"])))
        sock.listen(int(args.get("backlog", _DEFAULT_BACKLOG)))
        return "ok"

    return call


def _bind(process: _Process, args: Args) -> Bound:
    sock = process.get_or_make(args.get("socket", "connection"))

    return _calling(sock.bind, ("", int(args["port"])))


def _connect(process: _Process, args: Args) -> Bound:
    name, host = args.get("socket", "connection"), args["host"]
    known = process.sockets.get(name)
    if known is not None and _name(known.getpeername):  # a second connection replaces the first by name only
        process.sockets[f"{name} before {time.monotonic_ns()}"] = process.sockets.pop(name)
    sock = process.get_or_make(name, socket.AF_INET6 if ":" in host else socket.AF_INET)

    return _calling(sock.connect, (host, int(args["port"])))


def _accept(process: _Process, args: Args) -> Bound:
    listener = process.get(args.get("listener", "listener"))

    def call() -> str:
        sock, _ = listener.accept()
        process.sockets[args.get("socket", "connection")] = sock
        return "ok"

    return call


def _send(process: _Process, args: Args) -> Bound:
    sock, size = process.get(args.get("socket", "connection")), int(args["size"])
    payload = (_PAYLOAD * (size // len(_PAYLOAD) + 1))[:size]
    return lambda: str(sock.send(payload))


def _recv(process: _Process, args: Args) -> Bound:
    sock, size = process.get(args.get("socket", "connection")), int(args.get("size", _DEFAULT_RECV))
    flags = socket.MSG_WAITALL if "waitall" in args else 0
    return lambda: str(len(sock.recv(size, flags)) or "eof")


def _shutdown(process: _Process, args: Args) -> Bound:
    sock = process.get(args.get("socket", "connection"))
    how = {"rd": socket.SHUT_RD, "wr": socket.SHUT_WR, "rdwr": socket.SHUT_RDWR}[args["how"]]
    return _calling(sock.shutdown, how)


def _close(process: _Process, args: Args) -> Bound:
    name = args.get("socket", "connection")
    process.get(name)
    fd = process.sockets.pop(name).detach()
    return _calling(os.close, fd)


def _set(process: _Process, args: Args) -> Bound:
    sock = process.get_or_make(args.get("socket", "connection"))
    level, option, value = socket_option(args["option"], args["value"])
    return _calling(sock.setsockopt, level, option, value)


def _poll(process: _Process, args: Args) -> Bound:
    sock = process.get(args.get("socket", "connection"))
    poll = select.poll()
    poll.register(sock, sum(_POLL_BITS[event] for event in args.get("events", "").split()))

    def call() -> str:
        ((_, bits),) = poll.poll()
        return " ".join(event for event in POLL_EVENTS if bits & _POLL_BITS[event])

    return call


def _error(process: _Process, args: Args) -> Bound:
    sock = process.get(args.get("socket", "connection"))

    def call() -> str:
        number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        return errno.errorcode[number] if number else "ok"

    return call


def _signal(_: _Process, args: Args) -> Bound:
    handler = signal.SIG_DFL if args["action"] == "default" else signal.SIG_IGN
    return _calling(signal.signal, signal.Signals[args["signal"]], handler)


def _kill(_: _Process, args: Args) -> Bound:
    return _calling(os.kill, os.getpid(), signal.Signals[args.get("signal", "SIGKILL")])


def _calling(function: Callable[..., object], *args: object) -> Bound:
    """A call whose result, where there is no error, is just `ok`."""

    def call() -> str:
        function(*args)
        return "ok"

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

_CALLS: dict[str, Callable[[_Process, Args], Bound]] = {
    "listen": _listen, "bind": _bind, "connect": _connect, "accept": _accept, "send": _send, "recv": _recv,
    "shutdown": _shutdown, "close": _close, "set": _set, "poll": _poll, "error": _error, "signal": _signal,
    "kill": _kill,
}  # fmt: skip

VERBS = frozenset(_CALLS)
"""The verbs that a scripted process carries out."""
