"""Whether the topology is connected where the script needs it."""

from __future__ import annotations

from collections.abc import Sequence

from netsim.files.document import Place
from netsim.files.topology import CheckedTopology
from netsim.model.step import ERRNOS, Step


def check_reach(steps: Sequence[Step], places: Sequence[Place], checked: CheckedTopology) -> None:
    """See to it that connections which may succeed have a way there and back; raises InputError.

    Routes set by hand may break a network on purpose, and a step that expects an errno may want it
    broken: neither is complained about.
    """
    if any(node.routes for node in checked.topology.nodes):
        return
    seen: set[tuple[str, str]] = set()
    for step in steps:
        if step.verb.name != "connect" or _outcome(step, steps) in ERRNOS | {"timeout"}:
            continue
        target = checked.plan.owners.get(step.args["host"], step.args["host"])
        if (step.node, target) in seen:
            continue
        seen.add((step.node, target))
        for one, other in ((step.node, target), (target, step.node)):
            if checked.plan.path(one, other) is None:
                raise places[step.index].error(
                    f"there is no way from {one} to {other}; join them with links over routers, "
                    "or write '= ENETUNREACH' behind this step if that is what it shows"
                )


def _outcome(step: Step, steps: Sequence[Step]) -> str | None:
    """What a call is expected to come to, which a started one has on its 'finish'."""
    if not step.start:
        return step.expected
    ends = (s for s in steps[step.index + 1 :] if s.who == step.who and s.verb.name == "finish")
    end = next(ends, None)
    return end.expected if end else None
