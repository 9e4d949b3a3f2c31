"""One story: a scenario file, and what is true of it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True)
class Died:
    """A RST that must have been, or a call that failed without one."""

    causes: frozenset[str]
    """Any of these is right."""
    sent_by: str | None = None
    """Of a RST: who made it."""
    claims: str | None = None
    """Of a RST: the node whose address it bears; `None` for any."""
    to: str | None = None
    """Of a RST: the node that it goes to."""
    felt_by: frozenset[str] | None = None
    """Of a RST: the processes that felt it; None where that is left open."""
    who: str | None = None
    """Of a call: the process."""
    call: str | None = None
    errno: str | None = None

    @property
    def reset(self) -> bool:
        return self.sent_by is not None


def reset(causes: str, sent_by: str, claims: str | None = None, to: str | None = None, felt: str | None = None) -> Died:
    """A RST: its right causes and who felt it, as words; `-` for nobody."""
    felt_by = None if felt is None else frozenset() if felt == "-" else frozenset(felt.split())
    return Died(frozenset(causes.split()), sent_by, claims or sent_by, to, felt_by)


def failed(causes: str, who: str, call: str | None = None, errno: str | None = None) -> Died:
    """A call that failed, or was given up (`timeout`), without a RST."""
    return Died(frozenset(causes.split()), who=who, call=call, errno=errno)


_DOOR = 9
UP = f"socket.create_connection(('127.0.0.1', {_DOOR})).close()\n"
"""What a program does when it is ready, if it is one that `Story.start` starts."""


@dataclass(slots=True)
class Story:
    """A scenario as text, put together piece by piece, and its truth."""

    family: str
    nodes: dict[str, str] = field(default_factory=dict)
    """By name: what stands behind it in the file."""
    links: list[str] = field(default_factory=list)
    script: list[str] = field(default_factory=list)
    truth: list[Died] = field(default_factory=list)
    also: set[str] = field(default_factory=set)
    """Causes that further resets and failures of this story may have besides: noise that belongs to it."""
    real: bool = False
    """Real programs take part."""
    seed: int = 0

    def say(self, *steps: str) -> Story:
        self.script += steps
        return self

    def run(self, who: str, program: str, *, start: bool = False, result: str = "") -> Story:
        """A step that runs a Python program, whatever is in it."""
        text = f"{'start ' * start}run python3 -c {shlex.quote(program)}"
        return self.say(f"{who}: {json.dumps(text + (f' = {result}' if result else ''))}")

    def start(self, who: str, program: str) -> Story:
        """A step that starts a program, and another that waits until it knocks (UP) and so is ready."""
        door = f"{who.partition('.')[0]}.door"
        self.say(f"{door}: listen {_DOOR} = ok").run(who, program, start=True)
        return self.say(f"{door}: accept = ok within 60s")

    @property
    def text(self) -> str:
        nodes = [f"  {name}: {body}" for name, body in self.nodes.items()]
        steps = [f"  - {step}" for step in self.script]
        links = [f"  - {link}" for link in self.links]
        return "\n".join(
            [f"title: {self.family} {self.seed}", "nodes:", *nodes, "links:", *links, "script:", *steps, ""]
        )


@dataclass(slots=True)
class Ground:
    """A network for a story: a client and a server, and what is between them."""

    story: Story
    between: list[str]
    """Routers on the way, the client's next hop first; empty where they are neighbours."""
    cables: list[str]
    """The links from client to server, in this order."""
    rng: Random
    port: int
    settings: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """By node: sysctls and firewall rules, as they stand in the file."""

    def rule(self, node: str, rule: str) -> None:
        self.settings.setdefault(node, {}).setdefault("firewall", []).append(rule)

    def sysctl(self, node: str, **values: object) -> None:
        for name, value in values.items():
            self.settings.setdefault(node, {}).setdefault("sysctls", []).append(f'net.ipv4.{name}: "{value}"')

    def route(self, node: str, route: str) -> None:
        self.settings.setdefault(node, {}).setdefault("routes", []).append(route)

    def done(self, *truth: Died, also: str = "", real: bool = False) -> Story:
        """Write the nodes down, and the truth."""
        for name, body in self.story.nodes.items():
            parts = [body] if body else []
            mine = self.settings.get(name, {})
            if "firewall" in mine:
                parts.append(f"firewall: [{', '.join(mine['firewall'])}]")
            if "sysctls" in mine:
                parts.append(f"sysctls: {{{', '.join(mine['sysctls'])}}}")
            if "routes" in mine:
                parts.append(f"routes: [{', '.join(mine['routes'])}]")
            self.story.nodes[name] = f"{{{', '.join(parts)}}}"
        self.story.truth += truth
        self.story.also |= set(also.split())
        self.story.real = real
        return self.story
