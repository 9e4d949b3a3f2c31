"""Every word that a step can start with: who may do it, how it is written, what it means, and the action it makes.

Data only; what is said of a verb in the docs, in the JSON Schema and in an error comes from here.
"""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from netsim.errors import InputError
from netsim.model import action as act
from netsim.model.action import SIZE_MAX, WAIT_MAX_S, Action, Who
from netsim.model.duration import parse_duration
from netsim.model.firewall import parse_rule
from netsim.model.firewall import port as read_port
from netsim.model.names import checked_name, nearest, shown, sysctl_name, sysctl_value
from netsim.model.result import POLL_EVENTS


@dataclass(frozen=True, slots=True)
class Verb:
    """One word of the script language.

    `pattern` reads what follows the word; `make` turns its named groups into the action, and raises
    InputError for a value that cannot be.
    """

    name: str
    who: Who
    usage: str
    pattern: str
    about: str
    example: str
    make: Callable[..., Action]
    call: str = ""
    """The system call that it makes, by the one name that this has everywhere; '' where it makes none or several."""
    startable: bool = False
    """It can block, and so can be begun by `start` and ended by `finish`."""
    fault: bool = False

    def read(self, text: str) -> Action | None:
        """Read what follows the verb; None where it does not fit `usage`. Raises InputError."""
        found = re.fullmatch(self.pattern, text, re.ASCII)
        return None if found is None else self.make(**{k: v for k, v in found.groupdict().items() if v is not None})


def _number(text: str, lowest: int, highest: int, what: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else highest + 1
    if not lowest <= number <= highest:
        raise InputError(f"{what} {shown(text)} is out of range: it is a number from {lowest} to {highest}")
    return number


def _size(text: str) -> int:
    return _number(text, 1, SIZE_MAX, "size")


def limited_duration(text: str) -> float:
    """Read a duration that a step may take; raises InputError."""
    duration_s = parse_duration(text)
    if duration_s > WAIT_MAX_S:
        raise InputError(f"{duration_s / 3600:.0f}h is too long; a step takes at most {WAIT_MAX_S / 3600:.0f}h")
    return duration_s


def _socket(name: str) -> str:
    return checked_name(name, "socket")


def _signal(name: str) -> str:
    known = {number.name for number in signal.valid_signals() if isinstance(number, signal.Signals)}
    if name not in known:
        raise InputError(f"unknown signal {name}{nearest(name, known) or '; see signal(7)'}")
    return name


def _disposition(signal: str, action: str) -> Action:
    if _signal(signal) in {"SIGKILL", "SIGSTOP"}:
        raise InputError(f"no process can choose what {signal} does to it; see signal(7)")
    return act.SetSignal(signal, "default" if action == "default" else "ignore")


SWITCHES = ("keepalive", "nodelay", "reuseaddr", "reuseport")
DURATIONS = ("user_timeout", "rcvtimeo", "sndtimeo")
BUFFERS = ("rcvbuf", "sndbuf")
OPTIONS = ("linger", *SWITCHES, *DURATIONS, *BUFFERS)
"""What `set` can set: setsockopt()'s names, without SO_ and TCP_ (socket(7), tcp(7))."""


def _option(option: str, value: str, socket: str = act.CONNECTION) -> Action:
    if option not in OPTIONS:
        raise InputError(
            f"unknown socket option {shown(option)}"
            + (nearest(option, OPTIONS) or f"; the options are {', '.join(OPTIONS)}")
        )
    if option in SWITCHES and value not in {"on", "off"}:
        raise InputError(f"{option} is on or off, not {shown(value)}")
    if option in DURATIONS:
        limited_duration(value)
    if option in BUFFERS or (option == "linger" and value != "off"):
        if not (value.isascii() and value.isdigit()):
            wanted = "'off' or a number of seconds" if option == "linger" else "a number of bytes"
            raise InputError(f"{option} is {wanted}, not {shown(value)}")
        _number(value, 0 if option == "linger" else 1, 65535 if option == "linger" else SIZE_MAX, option)
    return act.SetOption(option, value, _socket(socket))


def _poll(events: str = "", socket: str = act.CONNECTION) -> Action:
    asked = events.split()
    return act.Poll(tuple(event for event in POLL_EVENTS if event in asked), _socket(socket))


def _argv(command: str) -> Action:
    try:
        argv = tuple(shlex.split(command))
    except ValueError as error:
        raise InputError(f"{shown(command)} does not split into words as a shell's would: {error}") from None
    if not argv or not argv[0]:
        raise InputError(f"{shown(command)} names no program")
    return act.Run(argv)


def _listen(port: str, backlog: str = str(act.DEFAULT_BACKLOG), socket: str = act.LISTENER) -> Action:
    return act.Listen(read_port(port), _number(backlog, 0, 65535, "backlog"), _socket(socket))


def _bind(port: str, socket: str = act.CONNECTION) -> Action:
    return act.Bind(read_port(port), _socket(socket))


def _connect(host: str, port: str, socket: str = act.CONNECTION) -> Action:
    return act.Connect(host, read_port(port), _socket(socket))


def _accept(listener: str = act.LISTENER, socket: str = act.CONNECTION) -> Action:
    return act.Accept(_socket(listener), _socket(socket))


def _send(size: str, socket: str = act.CONNECTION) -> Action:
    return act.Send(_size(size), _socket(socket))


def _recv(size: str = str(act.DEFAULT_RECV), waitall: str = "", socket: str = act.CONNECTION) -> Action:
    return act.Recv(_size(size), bool(waitall), _socket(socket))


def _shutdown(how: Any, socket: str = act.CONNECTION) -> Action:
    return act.Shutdown(how, _socket(socket))


def _sysctl(key: str, value: str) -> Action:
    return act.SetSysctl(sysctl_name(key), sysctl_value(value))


_CHAIN = re.compile(r"(input|forward|output)(?: (.*))?")


def _rule(kind: str) -> Callable[..., Action]:
    """`reject output tcp ...` means what `output reject tcp ...` does in a node's list."""

    def make(rule: str) -> Action:
        placed = _CHAIN.fullmatch(rule)
        return act.AddRule(parse_rule(f"{placed[1]} {kind} {placed[2] or ''}" if placed else f"{kind} {rule}"))

    return make


_ON = r"(?:(?:^| )on (?P<socket>[a-z][a-z0-9-]*))?"
_AS = r"(?:(?:^| )as (?P<socket>[a-z][a-z0-9-]*))?"

VERBS: tuple[Verb, ...] = (
    Verb("listen", "process", "listen PORT [backlog N] [as SOCKET]",
         rf"(?P<port>\d+)(?: backlog (?P<backlog>\d+))?{_AS}", "socket(), bind() and listen()",
         "listen 80 backlog 1 = ok", _listen, "listen"),
    Verb("bind", "process", "bind PORT [on SOCKET]", rf"(?P<port>\d+){_ON}", "bind() to a local port",
         "bind 4000 = ok", _bind, "bind"),
    Verb("connect", "process", "connect NODE:PORT [as SOCKET]", rf"(?P<host>\S+):(?P<port>\d+){_AS}",
         "connect() to a port of a node", "connect server:80 = ok within 1s", _connect, "connect", startable=True),
    Verb("accept", "process", "accept [on LISTENER] [as SOCKET]",
         rf"(?:on (?P<listener>[a-z][a-z0-9-]*))?{_AS}", "accept() one connection",
         "accept as first = ok", _accept, "accept", startable=True),
    Verb("send", "process", "send BYTES [on SOCKET]", rf"(?P<size>\d+){_ON}", "send() that many bytes",
         "send 5 = 5", _send, "send", startable=True),
    Verb("recv", "process", "recv [BYTES] [waitall] [on SOCKET]",
         rf"(?P<size>\d+)?(?:(?:^| )(?P<waitall>waitall))?{_ON}",
         "recv() at most that many bytes (65536); waitall: exactly that many (MSG_WAITALL)",
         "recv 5 waitall = 5", _recv, "recv", startable=True),
    Verb("shutdown", "process", "shutdown rd|wr|rdwr [on SOCKET]", rf"(?P<how>rd|wr|rdwr){_ON}", "shutdown()",
         "shutdown wr = ok", _shutdown, "shutdown"),
    Verb("close", "process", "close [SOCKET]", r"(?P<socket>[a-z][a-z0-9-]*)?", "close()", "close first = ok",
         lambda socket=act.CONNECTION: act.Close(_socket(socket)), "close", startable=True),
    Verb("set", "process", "set OPTION VALUE [on SOCKET]", rf"(?P<option>[a-z_]+) (?P<value>\S+){_ON}",
         "setsockopt(): linger SECONDS|off, keepalive, nodelay, reuseaddr, reuseport on|off, "
         "user_timeout, rcvtimeo, sndtimeo DURATION, rcvbuf, sndbuf BYTES",
         "set linger 0 = ok", _option, "setsockopt"),
    Verb("poll", "process", "poll [IN] [OUT] [RDHUP] [on SOCKET]",
         rf"(?P<events>(?:(?:^| )(?:IN|OUT|PRI|RDHUP))+)?{_ON}",
         "poll() until one of these is ready; ERR and HUP always end it",
         "poll IN = IN within 1s", _poll, "poll", startable=True),
    Verb("error", "process", "error [on SOCKET]", rf"{_ON}", "getsockopt(SO_ERROR), which also clears it",
         "error = ECONNREFUSED", lambda socket=act.CONNECTION: act.FetchError(_socket(socket)), "getsockopt"),
    Verb("signal", "process", "signal SIGNAME default|ignore", r"(?P<signal>SIG[A-Z0-9]+) (?P<action>default|ignore)",
         "how this process takes a signal; SIGPIPE is ignored unless a step says default",
         "signal SIGPIPE default = ok", _disposition, "sigaction"),
    Verb("kill", "process", "kill [SIGNAME]", r"(?P<signal>SIG[A-Z0-9]+)?",
         "end the process by SIGKILL or another signal; a program that 'start run' began, with all its children",
         "kill", lambda signal="SIGKILL": act.Kill(_signal(signal))),
    Verb("finish", "process", "finish", r"", "wait for the call that an earlier 'start' began, or for the command",
         "finish = ECONNRESET within 1s", act.Finish),
    Verb("run", "process", "run COMMAND [ARGUMENT]...", r"(?P<command>\S(?s:.*))",
         "any program, without root's rights and with a read-only view of the files; no shell",
         "run curl -s http://server:8000 = exit 56", _argv, startable=True),
    Verb("cut", "link", "cut [to NODE]", r"(?:to (?P<to>\S+))?",
         "cut the cable: frames vanish, the carrier stays; 'to' cuts one direction only",
         "cut to server", act.Cut, fault=True),
    Verb("heal", "link", "heal", r"", "mend the cable", "heal", act.Heal, fault=True),
    Verb("crash", "node", "crash", r"", "power loss: everything on the node is gone, and not one packet says so",
         "crash", act.Crash, fault=True),
    Verb("boot", "node", "boot", r"", "power on again: the same addresses, nothing remembered", "boot", act.Boot,
         fault=True),
    Verb("reject", "node", "reject ... (a firewall rule)", r"(?P<rule>.*)", "put a reject rule in place",
         "reject tcp dport 80 with tcp-reset", _rule("reject"), fault=True),
    Verb("drop", "node", "drop ... (a firewall rule)", r"(?P<rule>.*)", "put a drop rule in place",
         "drop tcp dport 80", _rule("drop"), fault=True),
    Verb("sysctl", "node", "sysctl NAME=VALUE", r"(?P<key>[^=\s]+)=(?P<value>\S.*)", "set a sysctl of the node",
         "sysctl net.ipv4.tcp_retries2=3", _sysctl, fault=True),
    Verb("wait", "lab", "wait DURATION", r"(?P<duration>\S+)", "let the lab's clock run", "wait 1s",
         lambda duration: act.Wait(limited_duration(duration))),
)  # fmt: skip

BY_NAME = {verb.name: verb for verb in VERBS}

STARTABLE = frozenset(verb.name for verb in VERBS if verb.startable)

_NAMES: dict[type, str] = {
    act.Listen: "listen", act.Bind: "bind", act.Connect: "connect", act.Accept: "accept", act.Send: "send",
    act.Recv: "recv", act.Shutdown: "shutdown", act.Close: "close", act.SetOption: "set", act.Poll: "poll",
    act.FetchError: "error", act.SetSignal: "signal", act.Kill: "kill", act.Finish: "finish", act.Run: "run",
    act.Cut: "cut", act.Heal: "heal", act.Crash: "crash", act.Boot: "boot", act.SetSysctl: "sysctl",
    act.Wait: "wait",
}  # fmt: skip


def verb_of(action: Action) -> Verb:
    """The verb that an action is written with."""
    return BY_NAME[action.rule.action if isinstance(action, act.AddRule) else _NAMES[type(action)]]


def written(action: Action) -> str:
    """An action as a step says it: `cut to server`."""
    return f"{verb_of(action).name} {action}".rstrip()
