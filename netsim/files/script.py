"""The script of a scenario file: who does what, in an order that can be played, and with a way to get there."""

from __future__ import annotations

from collections.abc import Sequence as Listed
from dataclasses import dataclass, field

from netsim.files.document import Mapping, Place, Scalar, Sequence
from netsim.files.topology import CheckedTopology, check_host, check_rule, offered, split_link
from netsim.model.action import AddRule, Boot, Connect, Crash, Cut, Finish, Kill, SetSysctl
from netsim.model.names import checked_name, nearest, shown
from netsim.model.result import Errno, Result, TimedOut
from netsim.model.step import Step, parse_step

STEPS_MAX = 10_000


def read_script(items: Sequence, checked: CheckedTopology) -> tuple[Step, ...]:
    """Read all steps and see to it that they can be played; raises InputError."""
    if len(items.items) > STEPS_MAX:
        raise items.place.error(f"here are {len(items.items):,} steps, and a script has at most {STEPS_MAX:,}")
    order = _Order()
    steps: list[Step] = []
    places: list[Place] = []
    for item in items.items:
        assert isinstance(item, Mapping)
        key, text = next(item.items())
        assert isinstance(text, Scalar)
        who = _read_who(key, checked)
        step = text.read(lambda words: parse_step(len(steps), who, words, key.place.line))  # noqa: B023
        _check_who(step, checked, key.place)
        with text.place.named():
            _check_hosts(step, checked)
        order.take(step, key.place)
        steps.append(step)
        places.append(text.place)
    _check_reach(steps, places, checked)
    return tuple(steps)


def _read_who(key: Scalar, checked: CheckedTopology) -> str:
    """Bring the left side of a step to its one spelling."""
    text = " ".join(key.text.split())
    node, dot, label = text.partition(".")
    if text == "lab" or (node in checked.nodes and not dot):
        return text
    if "--" in text:
        return _read_link_id(text, key.place, checked)
    if node not in checked.nodes:
        raise key.place.error(f"there is no node {shown(node)}{offered(node, [*checked.nodes, 'lab'])}")
    with key.place.named():
        checked_name(label, "process")
    return text


def _read_link_id(text: str, place: Place, checked: CheckedTopology) -> str:
    """The id of a link that is named from one of its two sides."""
    named = split_link(text)
    if named is None:
        raise place.error(f"link {shown(text)} does not read as 'NODE -- NODE', or 'NODE -- NODE (2)'")
    a, b, number = named
    fitting = [link.id for link in checked.links.values() if {link.a, link.b} == {a, b}]
    if not 1 <= number <= len(fitting):
        offer = f"; there are {', '.join(fitting)}" if fitting else offered(text, checked.links)
        raise place.error(f"there is no link {shown(text)}{offer}")
    return fitting[number - 1]


def _check_who(step: Step, checked: CheckedTopology, place: Place) -> None:
    """See to it that who can do what."""
    verb, who = step.verb, step.who
    node, link = checked.nodes.get(who.partition(".")[0]), checked.links.get(who)
    if verb.who == "lab" and who != "lab":
        raise place.error(f"{verb.name} is for the lab as a whole; write 'lab: {step.text}'")
    if verb.who == "link" and link is None:
        raise place.error(f"{verb.name} is done to a link; write '{next(iter(checked.links), 'a -- b')}: {step.text}'")
    if verb.who in {"process", "node"} and node is None:
        raise place.error(f"{verb.name} is done by a node, not by {'the lab' if link is None else 'a link'}")
    if verb.who == "node" and "." in who:
        raise place.error(f"{verb.name} is done to a whole node; write '{step.node}: {step.text}'")
    if node is not None and node.kind == "switch" and not isinstance(step.action, Crash | Boot | SetSysctl):
        lacks = "runs no processes" if verb.who == "process" else "has no firewall"
        raise place.error(f"{node.name} is a switch and {lacks}; use a host or a router")
    if isinstance(step.action, Cut) and link is not None and step.action.to not in {None, link.a, link.b}:
        offer = nearest(str(step.action.to), (link.a, link.b)) or f"; write {link.a} or {link.b}"
        raise place.error(f"{shown(step.action.to)} is no end of {link.id}{offer}")


def _check_hosts(step: Step, checked: CheckedTopology) -> None:
    match step.action:
        case Connect(host=host):
            check_host(host, checked)
        case AddRule(rule=rule):
            check_rule(rule, checked)


@dataclass(slots=True)
class _Order:
    """What holds at this point of the script: calls that were begun, nodes without power."""

    begun: dict[str, Step] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    """Processes whose begun call a crash ended; its result can still be asked for."""
    crashed: dict[str, Step] = field(default_factory=dict)

    def take(self, step: Step, place: Place) -> None:
        """Take the next step; raises InputError where it cannot come here."""
        node, off = step.node, self.crashed.get(step.node)
        if off is not None and not isinstance(step.action, Boot | Finish):
            raise place.error(f"{node} has no power since line {off.line}; write '{node}: boot' before this")
        match step.action:
            case Boot() if off is None:
                raise place.error(f"{node} has power already; write '{node}: crash' before this")
            case Boot():
                del self.crashed[node]
            case Crash():
                self.crashed[node] = step
                lost = [who for who, begun in self.begun.items() if begun.node == node]
                self.ended.update(lost)
                for who in lost:
                    del self.begun[who]
            case _ if step.verb.who == "process":
                self._call(step, place)

    def _call(self, step: Step, place: Place) -> None:
        who, begun = step.who, self.begun.get(step.who)
        if isinstance(step.action, Finish):
            if begun is None and who not in self.ended:
                raise place.error(f"{who} has nothing to finish; a 'start' of the same process comes first")
            self.begun.pop(who, None)
            self.ended.discard(who)
        elif begun is not None and not isinstance(step.action, Kill):
            raise place.error(
                f"{who} is still in the call that '{begun.text}' began on line {begun.line}; "
                f"finish it first, or use another process such as {begun.node}.b"
            )
        elif step.start:
            self.begun[who] = step


def _check_reach(steps: Listed[Step], places: Listed[Place], checked: CheckedTopology) -> None:
    """See to it that connections which may succeed have a way there and back; raises InputError.

    Routes set by hand may break a network on purpose, and a step that expects an errno may want it
    broken: neither is complained about.
    """
    if any(node.routes for node in checked.topology.nodes):
        return
    seen: set[tuple[str, str]] = set()
    for step in steps:
        if not isinstance(step.action, Connect) or isinstance(_outcome(step, steps), Errno | TimedOut):
            continue
        target = checked.plan.owners.get(step.action.host, step.action.host)
        if (step.node, target) in seen:
            continue
        seen.add((step.node, target))
        for one, other in ((step.node, target), (target, step.node)):
            if checked.plan.path(one, other) is None:
                raise places[step.index].error(
                    f"there is no way from {one} to {other}; join them with links over routers, "
                    "or write '= ENETUNREACH' behind this step if that is what it shows"
                )


def _outcome(step: Step, steps: Listed[Step]) -> Result | None:
    """What a call is expected to come to, which a started one has on its 'finish'."""
    if not step.start:
        return step.expected
    ends = (s.expected for s in steps[step.index + 1 :] if s.who == step.who and isinstance(s.action, Finish))
    return next(ends, None)
