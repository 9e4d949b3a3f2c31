"""What each verb's arguments may be, beyond the way they are written.

A table from verb to check: a verb without one takes whatever its pattern lets through.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

from netsim.errors import InputError
from netsim.files.address import read_sysctl
from netsim.files.document import Place
from netsim.files.nodes import read_sysctl_value
from netsim.files.topology import CheckedTopology, check_host, check_rule
from netsim.model.duration import parse_duration
from netsim.model.firewall import parse_rule, port
from netsim.model.names import name_fault, nearest, shown
from netsim.model.step import Step

SIZE_MAX = 1 << 30
WAIT_MAX_S = 10 * 24 * 3600.0
"""Ten days: the longest timers of TCP end within hours."""

SWITCHES = ("keepalive", "nodelay", "reuseaddr", "reuseport")
DURATIONS = ("user_timeout", "rcvtimeo", "sndtimeo")
BUFFERS = ("rcvbuf", "sndbuf")
OPTIONS = ("linger", *SWITCHES, *DURATIONS, *BUFFERS)
"""What `set` can set: setsockopt()'s names, without SO_ and TCP_."""


def check_arguments(step: Step, checked: CheckedTopology, place: Place) -> None:
    """Hold a step's arguments against what its verb allows; raises InputError."""
    try:
        if step.within_s is not None:
            _limited(step.within_s)
        for label in ("socket", "listener"):
            fault = name_fault(step.args[label]) if label in step.args else None
            if fault is not None:
                raise InputError(f"{shown(step.args[label])} cannot be a socket's name: {fault}")
        if step.verb.name in _CHECKS:
            _CHECKS[step.verb.name](step)
    except InputError as error:
        raise place.error(str(error)) from None
    if step.verb.name == "connect":
        check_host(step.args["host"], checked, place)
    if step.verb.name in {"reject", "drop"}:
        check_rule(parse_rule(step.text), checked, place)


def _number(text: str, lowest: int, highest: int, what: str) -> int:
    number = int(text) if len(text) < 12 else highest + 1
    if not lowest <= number <= highest:
        raise InputError(f"{what} {shown(text)} is out of range: it is a number from {lowest} to {highest}")
    return number


def _duration(text: str) -> None:
    _limited(parse_duration(text))


def _limited(duration_s: float) -> None:
    if duration_s > WAIT_MAX_S:
        raise InputError(f"{duration_s / 3600:.0f}h is too long; a step takes at most {WAIT_MAX_S / 3600:.0f}h")


def _signal(step: Step) -> None:
    name = step.args.get("signal", "SIGKILL")
    known = {number.name for number in signal.valid_signals() if isinstance(number, signal.Signals)}
    if name not in known:
        raise InputError(f"unknown signal {name}{nearest(name, known) or '; see signal(7)'}")
    if step.verb.name == "signal" and name in {"SIGKILL", "SIGSTOP"}:
        raise InputError(f"no process can choose what {name} does to it; see signal(7)")


def _listen(step: Step) -> None:
    port(step.args["port"])
    _number(step.args.get("backlog", "1"), 0, 65535, "backlog")


def _size(step: Step) -> None:
    _number(step.args.get("size", "1"), 1, SIZE_MAX, "size")


def _option(step: Step) -> None:
    option, value = step.args["option"], step.args["value"]
    if option not in OPTIONS:
        raise InputError(
            f"unknown socket option {shown(option)}"
            + (nearest(option, OPTIONS) or f"; the options are {', '.join(OPTIONS)}")
        )
    if option in SWITCHES and value not in {"on", "off"}:
        raise InputError(f"{option} is on or off, not {shown(value)}")
    if option in DURATIONS:
        _duration(value)
    if option in BUFFERS or (option == "linger" and value != "off"):
        if not (value.isascii() and value.isdigit()):
            wanted = "'off' or a number of seconds" if option == "linger" else "a number of bytes"
            raise InputError(f"{option} is {wanted}, not {shown(value)}")
        _number(value, 0 if option == "linger" else 1, 65535 if option == "linger" else SIZE_MAX, option)


def _sysctl(step: Step) -> None:
    read_sysctl(step.args["key"])
    read_sysctl_value(step.args["value"])


_CHECKS: dict[str, Callable[[Step], object]] = {
    "listen": _listen,
    "bind": lambda step: port(step.args["port"]),
    "connect": lambda step: port(step.args["port"]),
    "send": _size,
    "recv": _size,
    "set": _option,
    "signal": _signal,
    "kill": _signal,
    "wait": lambda step: _duration(step.args["duration"]),
    "sysctl": _sysctl,
    "reject": lambda step: parse_rule(step.text),
    "drop": lambda step: parse_rule(step.text),
}
