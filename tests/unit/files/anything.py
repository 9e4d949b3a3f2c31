"""Random values of the model's types, by their annotations: whatever a timeline may hold."""

from __future__ import annotations

import random
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, Literal

from netsim.files.scenario import parse_scenario
from netsim.model.action import Cut, Heal
from netsim.model.endpoint import Endpoint
from netsim.model.event import EVENT_TYPES, Call, Event, Fault, Missed, Packet, ProcessEnd
from netsim.model.firewall import REJECT_WITH, Chain, Rule
from netsim.model.network import network_of
from netsim.model.plan import make_plan
from netsim.model.result import POLL_EVENTS, Count, Errno, Exited, Ready, Signalled
from netsim.model.timeline import StepResult, Timeline, all_taps
from tests.unit.files.texts import GOOD

SCENARIO = parse_scenario(
    GOOD.replace("  - client -- fw\n", "  - client -- fw\n  - fw -- client: {subnet: 10.9.0.0/24}\n")
    + "  - client: connect server:80\n  - fw -- client (2): cut to fw\nexpect: [no reset]\n",
    "example",
    "example.yaml",
)
NETWORK = network_of(make_plan(SCENARIO.topology))
TEXTS = ["", "ok", "tcp_nodelay", "a \u00e4 \U0001f600 b", 'quo"te \\ / \u2028', "line\nbreak\ttab", "{}", "a = b"]
NUMBERS = [0, 1, 255, 65535, 2**32 - 1, 2**63 - 1, -1]
ENDS = [
    Endpoint("10.0.0.1", 41234), Endpoint("10.0.1.2", 80), Endpoint("0.0.0.0", 0),
    Endpoint("fd00::1", 65535), Endpoint("::", 1), Endpoint("::ffff:10.0.0.1", 80),
]  # fmt: skip
ERRNOS = ["ECONNRESET", "EPIPE", "ERESTART_RESTARTBLOCK", "EUNKNOWN"]
SIGNALS = ["SIGPIPE", "SIGRTMIN+3", "SIGRT_3"]


def any_rule(chance: random.Random, *hosts: str) -> Rule:
    """A rule that can be written."""
    action: Any = chance.choice(["accept", "drop", "reject"])
    protocol: Any = chance.choice([None, "tcp", "udp", "icmp"])
    has_ports = protocol in {"tcp", "udp"}
    answers = [None, *REJECT_WITH[0 if protocol == "tcp" else 1 :]] if action == "reject" else [None]
    return Rule(
        action,
        any_value(Chain | None, chance),
        protocol,
        chance.choice([None, *hosts]),
        chance.choice([None, *hosts]),
        chance.choice([None, 1, 65535]) if has_ports else None,
        chance.choice([None, 80]) if has_ports else None,
        chance.choice(answers),
    )


def any_value(hint: Any, chance: random.Random) -> Any:
    """A value that an annotation allows, its default included."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return chance.choice(arguments)
    if origin is tuple:
        return tuple(any_value(arguments[0], chance) for _ in range(chance.randrange(3)))
    if origin is Mapping:
        return {word: chance.randrange(2**40) for word in chance.sample(["OutRsts", "TCPAbortOnClose", "InSegs"], 2)}
    if origin in {typing.Union, types.UnionType}:
        return any_value(chance.choice(arguments), chance)
    return any_plain(hint, chance)


def any_plain(kind: Any, chance: random.Random) -> Any:
    plain: dict[Any, Any] = {
        types.NoneType: lambda: None,
        bool: lambda: chance.random() < 0.5,
        int: lambda: chance.choice(NUMBERS),
        float: lambda: chance.choice([0.0, 0.035, 1e-9, 86400.0]),
        str: lambda: chance.choice(TEXTS),
        Endpoint: lambda: chance.choice(ENDS),
        Rule: lambda: any_rule(chance, "client", "10.0.1.2"),
        Count: lambda: Count(chance.choice([0, 5, 2**40])),
        Errno: lambda: Errno(chance.choice(ERRNOS)),
        Exited: lambda: Exited(chance.choice([0, 1, 255])),
        Signalled: lambda: Signalled(chance.choice(SIGNALS)),
        Ready: lambda: Ready(tuple(event for event in POLL_EVENTS if chance.random() < 0.4)),
    }
    return plain[kind]() if kind in plain else any_record(kind, chance)


def any_record(kind: Any, chance: random.Random) -> Any:
    hints = typing.get_type_hints(kind)
    return kind(**{field.name: any_value(hints[field.name], chance) for field in fields(kind)})


def any_event(time_ns: int, chance: random.Random, kind: type[Event] | None = None) -> Event:
    """An event of the network that SCENARIO builds."""
    event: Event = any_record(kind or chance.choice(EVENT_TYPES), chance)
    node = chance.choice(list(NETWORK.nodes))
    if isinstance(event, Call | ProcessEnd | Fault):
        event = replace(event, step=chance.choice([None, 0, 1]))
    match event:
        case Packet():
            event = replace(event, link=chance.choice([None, *NETWORK.ends(node)]))
        case Missed():
            node = chance.choice(["", node])
        case Fault(action=Cut() | Heal() as action):
            node = chance.choice(list(NETWORK.links))
            if isinstance(action, Cut):
                event = replace(event, action=Cut(chance.choice([None, *NETWORK.links[node]])))
    return replace(event, time_ns=time_ns, node=node)


def any_timeline(seed: int) -> Timeline:
    chance = random.Random(seed)
    times = sorted(chance.randrange(-5, 10**9) for _ in range(chance.randrange(40)))
    hint = typing.get_type_hints(StepResult)["observed"]
    steps = tuple(StepResult(i, any_value(hint, chance), i, i + 1, ok=i == 0) for i in range(2))
    taps = frozenset(tap for tap in all_taps(NETWORK) if chance.random() < 0.7)
    return Timeline(
        SCENARIO, NETWORK, tuple(any_event(time_ns, chance) for time_ns in times), steps, taps,
        frozenset(chance.sample(["call", "strace", "tcp_send_reset", "reset reasons"], 2)),
        chance.choice(["host", "virtual"]), "6.18.44", 20_000_000, 310_000_000,
    )  # fmt: skip
