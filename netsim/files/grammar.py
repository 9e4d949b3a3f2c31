"""The layout of a scenario file: the one description that both the reader and the schema follow.

Meanings come from the model: its docstrings, its verbs and its causes.
"""

from __future__ import annotations

import re
from typing import get_args

from netsim.files.shape import Either, ListOf, MapOf, Record, Text
from netsim.model import firewall
from netsim.model.action import Who
from netsim.model.cause import CAUSES
from netsim.model.names import NAME_PATTERN
from netsim.model.result import ERRNOS
from netsim.model.scenario import FailureExpected, NoReset, ResetExpected, Scenario
from netsim.model.topology import Kind, Link, Node, Route
from netsim.model.verbs import VERBS

ROUTE_TYPES = ("unreachable", "prohibit", "blackhole", "throw")
"""Types of route that answer by themselves (ip-route(8))."""

_LINK_PATTERN = f"{NAME_PATTERN} +-- +{NAME_PATTERN}"
_LINK_ID_PATTERN = rf"{_LINK_PATTERN}(?: +\([0-9]+\))?"


def meaning(thing: type) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join((thing.__doc__ or "").partition("\n\n")[0].split())


def _step(*kinds: Who) -> Text:
    """What the members of a script may be told to do."""
    verbs = [verb for verb in VERBS if verb.who in kinds]
    begin = "|".join(re.escape(verb.name) for verb in verbs)
    startable = "|".join(sorted(verb.name for verb in verbs if verb.startable))
    pattern = f"(?:start (?:{startable})|{begin})(?: [\\s\\S]*)?" if startable else f"(?:{begin})(?: .*)?"
    lines = [f"{verb.usage}: {verb.about}" for verb in verbs]
    return Text(
        "What is done, and after '=' what must come of it. " + "; ".join(lines),
        example={"link": "cut", "lab": "wait 1s"}.get(kinds[0], "connect server:80 = ok within 1s"),
        pattern=pattern,
    )


NAME = Text("The name of a node: a-z, 0-9 and '-'", "client", NAME_PATTERN)
KINDS = {
    "host": "an end of connections; it forwards nothing",
    "router": "it forwards packets between its links",
    "switch": "a bridge: all its links are one segment, with one subnet",
}
assert tuple(KINDS) == get_args(Kind)

ROUTE = Text(
    meaning(Route),
    "default via fw",
    rf"\S+ (?:via \S+|{'|'.join(ROUTE_TYPES)})",
)
RULE = Text(
    f"{meaning(firewall.Rule)} {firewall.USAGE}",
    "reject tcp dport 80 with tcp-reset",
    r"(?:(?:input|forward|output) )?(?:accept|drop|reject)(?: .*)?",
)
SUBNET = Text("The subnet of the segment; given out from 10.0.0.0/8 where it is not set.", "10.9.0.0/24")
NODE = Record(
    {
        "kind": Text("What the machine is; a host where it is not said.", "router", choices=KINDS),
        "firewall": ListOf(
            RULE, "a rule", "Rules of the node's packet filter, first match first.", f"[{RULE.example}]"
        ),
        "sysctls": MapOf(
            (
                (
                    Text("A kernel setting", "net.ipv4.tcp_retries2", "net[./][a-z0-9_./-]+"),
                    Text("Its value.", "3", number=True),
                ),
            ),
            "Settings of the node's own kernel state, all under net.",
            "{net.ipv4.tcp_retries2: 3}",
        ),
        "routes": ListOf(ROUTE, "a route", "Routes set by hand; each replaces the computed one.", f"[{ROUTE.example}]"),
        "subnet": SUBNET,
    },
    meaning(Node),
    "{kind: router}",
    empty=True,
)
LINK = Either(
    Text(
        f"{meaning(Link)} Written NODE -- NODE; once for each where several join the same two.",
        "client -- server",
        _LINK_PATTERN,
    ),
    MapOf(
        (
            (
                Text(meaning(Link), "client -- server", _LINK_PATTERN),
                Record(
                    {
                        "subnet": SUBNET,
                        "addresses": MapOf(
                            ((NAME, Text("An address of the subnet.", "10.9.0.1")),),
                            "Addresses set by hand, by the name of the end that has them.",
                            "{client: 10.9.0.1}",
                        ),
                    },
                    "What is set by hand on this link.",
                    "{subnet: 10.9.0.0/24}",
                    empty=True,
                ),
            ),
        ),
        meaning(Link),
        "client -- server: {subnet: 10.9.0.0/24}",
        single=True,
    ),
)
STEP = MapOf(
    (
        (Text("The lab as a whole", "lab", "lab"), _step("lab")),
        (
            Text(
                "A link; of several between two nodes, the second is 'client -- server (2)'",
                "client -- server",
                _LINK_ID_PATTERN,
            ),
            _step("link"),
        ),
        (Text("A node", "client", NAME_PATTERN), _step("process", "node")),
        (
            Text("A further process on a node", "client.b", rf"{NAME_PATTERN}\.{NAME_PATTERN}"),
            _step("process"),
        ),
    ),
    "One line of the script: who does what, and what must come of it.",
    "client: connect server:80 = ok",
    single=True,
)
CAUSE = Text("Why, by netsim's id of the cause.", "closed-port", choices=CAUSES)
RESET = Record(
    {
        "sent by": Text("The node that really made the RST.", "fw", NAME_PATTERN),
        "felt by": Text("The node that it hurt.", "client", NAME_PATTERN),
        "cause": CAUSE,
    },
    meaning(ResetExpected),
    "{sent by: fw, cause: firewall-reject}",
    empty=True,
)
FAILURE = Record(
    {
        "who": Text("Whose call: a node, or NODE.NAME.", "client", rf"{NAME_PATTERN}(?:\.{NAME_PATTERN})?"),
        "call": Text("Which system call.", "recv", choices={verb.call: verb.about for verb in VERBS if verb.call}),
        "errno": Text(
            "With which errno.",
            "ETIMEDOUT",
            choices={**dict.fromkeys(sorted(ERRNOS), ""), "timeout": "It had not returned when it was given up."},
        ),
        "cause": CAUSE,
    },
    meaning(FailureExpected),
    "{who: client, errno: ETIMEDOUT}",
    empty=True,
)
EXPECTATION = Either(
    Text(
        "What must have happened, or must not.",
        "no reset",
        choices={
            "no reset": meaning(NoReset),
            "reset": "At least one RST.",
            "failure": "At least one call that failed without an RST.",
        },
    ),
    Record(
        {"reset": RESET, "failure": FAILURE},
        "What must have happened.",
        "reset: {sent by: fw}",
        single=True,
    ),
)
SCENARIO = Record(
    {
        "title": Text("What the scenario shows, in one line.", "A firewall resets every connection"),
        "about": Text("What to watch for, and what it teaches.", "Watch the TTL."),
        "nodes": MapOf(((NAME, NODE),), "The machines, by name.", "{client: {}, server: {}}", filled=True),
        "links": ListOf(
            LINK, "a link", "The cables, in the order in which they get their addresses.", "[client -- server]"
        ),
        "script": ListOf(STEP, "a step", "What is done, one step after the other.", "[client: connect server:80]"),
        "expect": ListOf(EXPECTATION, "an expectation", "What must be true of the run as a whole.", "[no reset]"),
    },
    meaning(Scenario),
    "title: ...",
    required=("title", "nodes"),
)
