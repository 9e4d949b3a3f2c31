"""netsim builds a real Linux network, breaks it in one precise way, and explains why the connection died.

The Python API; everything else is private.

    load, run, explain, read, write     a scenario by name; what came of it; why; recordings
    NetsimError, InputError, HostError, LabError
                                        what goes wrong, drawn in netsim/errors.py

A network:
    Topology, Node, Link, Route, Rule; parse_rule

A scenario: what is built, what is done, and what must come of it:
    Scenario, Step, parse_step, ResetExpected, FailureExpected, NoReset

What a step does:
    Action: Listen, Bind, Connect, Accept, Send, Recv, Shutdown, Close, SetOption, Poll, FetchError, SetSignal, Kill,
    Finish, Run, Cut, Heal, Crash, Boot, AddRule, SetSysctl, Wait

What comes of it:
    Result: Ok, Count, Errno, Eof, TimedOut, Ready, Exited, Signalled; parse_result

One run:
    Timeline, StepResult, Tap, Network, Endpoint, parse_endpoint

What happened in it:
    Event: Packet, Call, ProcessEnd, Kernel, Drop, Counters, RuleHit, Fault, Missed
    Segment: Tcp, Udp, Icmp, Arp, Other

Why:
    Explanation, Reset, Failure, Evidence
"""

from __future__ import annotations

import sys
from types import ModuleType

# Nothing is loaded here that Python has not loaded yet: until netsim.__main__ runs, Ctrl-C is a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from netsim.engines import run
    from netsim.errors import HostError, InputError, LabError, NetsimError
    from netsim.explain import explain
    from netsim.files.library import load
    from netsim.files.recording import read, write
    from netsim.model.action import (
        Accept,
        Action,
        AddRule,
        Bind,
        Boot,
        Close,
        Connect,
        Crash,
        Cut,
        FetchError,
        Finish,
        Heal,
        Kill,
        Listen,
        Poll,
        Recv,
        Run,
        Send,
        SetOption,
        SetSignal,
        SetSysctl,
        Shutdown,
        Wait,
    )
    from netsim.model.endpoint import Endpoint, parse_endpoint
    from netsim.model.event import (
        Arp,
        Call,
        Counters,
        Drop,
        Event,
        Fault,
        Icmp,
        Kernel,
        Missed,
        Other,
        Packet,
        ProcessEnd,
        RuleHit,
        Segment,
        Tcp,
        Udp,
    )
    from netsim.model.explanation import Evidence, Explanation, Failure, Reset
    from netsim.model.firewall import Rule, parse_rule
    from netsim.model.network import Network
    from netsim.model.result import Count, Eof, Errno, Exited, Ok, Ready, Result, Signalled, TimedOut, parse_result
    from netsim.model.scenario import FailureExpected, NoReset, ResetExpected, Scenario
    from netsim.model.step import Step, parse_step
    from netsim.model.timeline import StepResult, Tap, Timeline
    from netsim.model.topology import Link, Node, Route, Topology

__version__ = "0.1.0"

__all__ = [
    "Accept", "Action", "AddRule", "Arp", "Bind", "Boot", "Call", "Close", "Connect", "Count", "Counters", "Crash",
    "Cut", "Drop", "Endpoint", "Eof", "Errno", "Event", "Evidence", "Exited", "Explanation", "Failure",
    "FailureExpected", "Fault", "FetchError", "Finish", "Heal", "HostError", "Icmp", "InputError", "Kernel", "Kill",
    "LabError", "Link", "Listen", "Missed", "NetsimError", "Network", "NoReset", "Node", "Ok", "Other", "Packet",
    "Poll", "ProcessEnd", "Ready", "Recv", "Reset", "ResetExpected", "Result", "Route", "Rule", "RuleHit", "Run",
    "Scenario", "Segment", "Send", "SetOption", "SetSignal", "SetSysctl", "Shutdown", "Signalled", "Step",
    "StepResult", "Tap", "Tcp", "TimedOut", "Timeline", "Topology", "Udp", "Wait", "__version__", "explain", "load",
    "parse_endpoint", "parse_result", "parse_rule", "parse_step", "read", "run", "write",
]  # fmt: skip

_NAMES = {
    "netsim.engines": ("run",),
    "netsim.errors": ("HostError", "InputError", "LabError", "NetsimError"),
    "netsim.explain": ("explain",),
    "netsim.files.library": ("load",),
    "netsim.files.recording": ("read", "write"),
    "netsim.model.action": (
        "Accept", "Action", "AddRule", "Bind", "Boot", "Close", "Connect", "Crash", "Cut", "FetchError", "Finish",
        "Heal", "Kill", "Listen", "Poll", "Recv", "Run", "Send", "SetOption", "SetSignal", "SetSysctl", "Shutdown",
        "Wait",
    ),
    "netsim.model.endpoint": ("Endpoint", "parse_endpoint"),
    "netsim.model.event": (
        "Arp", "Call", "Counters", "Drop", "Event", "Fault", "Icmp", "Kernel", "Missed", "Other", "Packet",
        "ProcessEnd", "RuleHit", "Segment", "Tcp", "Udp",
    ),
    "netsim.model.explanation": ("Evidence", "Explanation", "Failure", "Reset"),
    "netsim.model.firewall": ("Rule", "parse_rule"),
    "netsim.model.network": ("Network",),
    "netsim.model.result": (
        "Count", "Eof", "Errno", "Exited", "Ok", "Ready", "Result", "Signalled", "TimedOut", "parse_result",
    ),
    "netsim.model.scenario": ("FailureExpected", "NoReset", "ResetExpected", "Scenario"),
    "netsim.model.step": ("Step", "parse_step"),
    "netsim.model.timeline": ("StepResult", "Tap", "Timeline"),
    "netsim.model.topology": ("Link", "Node", "Route", "Topology"),
}  # fmt: skip
"""Where each is at home."""
_HOMES = {name: home for home, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `netsim --help` needs none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'netsim' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__


class _Package(ModuleType):
    """`netsim.explain` is the function, although importing the package of that name would put that in its place."""

    @property
    def explain(self) -> Any:
        return __getattr__("explain")

    @explain.setter
    def explain(self, package: ModuleType) -> None:
        pass


if not TYPE_CHECKING:
    sys.modules[__name__].__class__ = _Package
