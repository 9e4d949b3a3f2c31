"""The script of a scenario file: who does what, in an order that can be played."""

from __future__ import annotations

from dataclasses import dataclass, field

from netsim.files.arguments import check_arguments
from netsim.files.document import Mapping, Place, Scalar, Sequence
from netsim.files.reach import check_reach
from netsim.files.topology import CheckedTopology, split_link
from netsim.model.names import name_fault, nearest, shown
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
        check_arguments(step, checked, text.place)
        order.take(step, key.place)
        steps.append(step)
        places.append(text.place)
    check_reach(steps, places, checked)
    return tuple(steps)


def _read_who(key: Scalar, checked: CheckedTopology) -> str:
    """Bring the left side of a step to its one spelling."""
    text = " ".join(key.text.split())
    node, dot, label = text.partition(".")
    if text == "lab" or (node in checked.nodes and not dot):
        return text
    if "--" in text:
        return _read_link_name(text, key, checked)
    if node not in checked.nodes:
        known = [*checked.nodes, "lab"]
        offer = nearest(node, known) or f"; there are {', '.join(known[:8])}"
        raise key.place.error(f"there is no node {shown(node)}{offer}")
    fault = name_fault(label)
    if fault is not None:
        raise key.place.error(f"{shown(label)} cannot be a process's name: {fault}")
    return text


def _read_link_name(text: str, key: Scalar, checked: CheckedTopology) -> str:
    ends = split_link(text)
    if ends is None:
        raise key.place.error(f"link {shown(text)} does not read as 'NODE -- NODE'")
    fitting = [link for link in checked.topology.links if {link.a, link.b} == set(ends)]
    if not fitting:
        names = [link.name for link in checked.topology.links]
        offer = nearest(text, names) or (f"; there are {', '.join(names[:8])}" if names else "")
        raise key.place.error(f"there is no link {shown(text)}{offer}")
    if len(fitting) > 1:
        raise key.place.error(
            f"{len(fitting)} links join {ends[0]} and {ends[1]}, so this is ambiguous; put a switch into one"
        )
    return fitting[0].name


def _check_who(step: Step, checked: CheckedTopology, place: Place) -> None:
    """See to it that who can do what."""
    verb, who = step.verb, step.who
    node = checked.nodes.get(who.partition(".")[0])
    if verb.who == "lab" and who != "lab":
        raise place.error(f"{verb.name} is for the lab as a whole; write 'lab: {step.text}'")
    if verb.who == "link" and " -- " not in who:
        example = checked.topology.links[0].name if checked.topology.links else "a -- b"
        raise place.error(f"{verb.name} is done to a link; write '{example}: {step.text}'")
    if verb.who in {"process", "node"} and node is None:
        raise place.error(f"{verb.name} is done by a node, not by {'the lab' if who == 'lab' else 'a link'}")
    if verb.who == "node" and "." in who:
        raise place.error(f"{verb.name} is done to a whole node; write '{step.node}: {step.text}'")
    if node is not None and node.kind == "switch" and verb.name not in {"crash", "boot", "sysctl"}:
        lacks = "runs no processes" if verb.who == "process" else "has no firewall"
        raise place.error(f"{node.name} is a switch and {lacks}; use a host or a router")
    to = step.args.get("to")
    ends = who.split(" -- ")
    if verb.name == "cut" and to is not None and to not in ends:
        raise place.error(f"{shown(to)} is no end of {who}{nearest(to, ends) or f'; write {ends[0]} or {ends[1]}'}")


@dataclass(slots=True)
class _Order:
    """What holds at this point of the script: calls that were begun, nodes without power."""

    begun: dict[str, Step] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    """Processes whose begun call a crash ended; its result can still be asked for."""
    crashed: dict[str, Step] = field(default_factory=dict)

    def take(self, step: Step, place: Place) -> None:
        """Take the next step; raises InputError where it cannot come here."""
        name, node = step.verb.name, step.node
        if node in self.crashed and name not in {"boot", "finish"}:
            raise place.error(
                f"{node} has no power since line {self.crashed[node].line}; write '{node}: boot' before this"
            )
        if name == "boot" and node not in self.crashed:
            raise place.error(f"{node} has power already; write '{node}: crash' before this")
        if name == "crash":
            self.crashed[node] = step
            lost = [who for who, begun in self.begun.items() if begun.node == node]
            self.ended.update(lost)
            for who in lost:
                del self.begun[who]
        elif name == "boot":
            del self.crashed[node]
        elif step.verb.who == "process":
            self._call(step, place)

    def _call(self, step: Step, place: Place) -> None:
        who, name = step.who, step.verb.name
        if name == "finish":
            if who not in self.begun and who not in self.ended:
                raise place.error(f"{who} has nothing to finish; a 'start' of the same process comes first")
            self.begun.pop(who, None)
            self.ended.discard(who)
        elif who in self.begun and name != "kill":
            begun = self.begun[who]
            raise place.error(
                f"{who} is still in the call that '{begun.text}' began on line {begun.line}; "
                f"finish it first, or use another process such as {begun.node}.b"
            )
        elif step.start:
            self.begun[who] = step
