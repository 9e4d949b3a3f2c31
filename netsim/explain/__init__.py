"""Why: a pure function of a timeline. It never sees a lab, so it works on a recording, anywhere.

A cause is a function here: of a RST (RESET_CAUSES), or of a call that failed without one
(FAILURE_CAUSES). The first that recognises itself is the one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from netsim.explain.aborted import closed_listener, linger_zero, unread_data
from netsim.explain.icmp import icmp_answer
from netsim.explain.refused import closed_port, firewall_reject
from netsim.explain.rst import Finding, Rst, evidence
from netsim.explain.scene import Scene
from netsim.explain.silence import silent_drop
from netsim.explain.strangers import closed_socket, peer_forgot
from netsim.explain.verdict import unmet, verdict
from netsim.model.event import Call
from netsim.model.explanation import Explanation, Failure, Reset
from netsim.model.timeline import Timeline

RESET_CAUSES: tuple[Callable[[Rst], Finding | None], ...] = (
    firewall_reject,
    closed_port,
    unread_data,
    linger_zero,
    closed_listener,
    peer_forgot,
    closed_socket,
)
FAILURE_CAUSES: tuple[Callable[[Scene, Call], Failure | None], ...] = (icmp_answer, silent_drop)

_FELT = {"ECONNREFUSED", "ECONNRESET", "EPIPE"}
_NOT_YET = {"EINPROGRESS", "EAGAIN", "EALREADY", "EINTR"}
"""Answers of sockets that do not block, and of calls that begin again: nothing has failed."""

_SETTINGS = {"set", "setsockopt"}
"""An option that a socket does not have is no connection that died."""


def explain(timeline: Timeline) -> Explanation:
    """Explain every RST, and every call that failed without one."""
    scene = Scene(timeline)
    resets = tuple(_resets(scene))
    felt = {step for reset in resets for step in reset.felt_by}
    failures = tuple(_failures(scene, felt))
    missing = tuple(unmet(timeline, resets, failures))
    causes = {reset.cause for reset in resets} | {failure.cause for failure in failures}
    return Explanation(verdict(timeline, missing, causes), resets, failures, missing, tuple(_hints(timeline)))


def _resets(scene: Scene) -> Iterator[Reset]:
    taken: set[int] = set()
    for journey in scene.journeys:
        if "R" not in journey.packet.flags:
            continue
        rst = Rst(scene, journey)
        found = next((finding for cause in RESET_CAUSES if (finding := cause(rst))), None) or _unknown(rst)
        felt = [(i, call) for i, call in _felt(rst) if i not in taken]
        taken.update(i for i, _ in felt)
        yield Reset(
            rst.time_ns,
            scene.at(rst.source),
            scene.at(rst.target),
            journey.packet.flags,
            rst.maker,
            found.cause,
            found.because,
            found.evidence,
            tuple(call.step for _, call in felt if call.step is not None),
        )


def _felt(rst: Rst) -> Iterator[tuple[int, Call]]:
    """The calls of the program at the RST's destination that it made fail."""
    if rst.journey.arrived_at != rst.scene.owner(rst.target[0]):
        return
    for index, call in rst.scene.calls_of(rst.target, rst.source):
        if call.end_ns >= rst.time_ns and (call.result in _FELT or call.result == "signal SIGPIPE"):
            yield index, call


def _unknown(rst: Rst) -> Finding:
    because = f"The reset came from **{rst.maker}**; the evidence does not single out why."
    return Finding("unknown", because, evidence(rst.left(), rst.tcp_made_it()))


def _failures(scene: Scene, felt: set[int]) -> Iterator[Failure]:
    for _, call in scene.calls:
        if not call.failed or call.result in _NOT_YET or call.call in _SETTINGS or call.step in felt:
            continue
        found = next((failure for cause in FAILURE_CAUSES if (failure := cause(scene, call))), None)
        if found is None:
            because = f"{call.call}() of {call.process} gave {call.result}; no reset and no lost packet explains it."
            found = Failure(call.process, call.call, call.result, "unknown", because, (), call.step)
        yield found


def _hints(timeline: Timeline) -> Iterator[str]:
    if "kernel" not in timeline.probes:
        yield "the kernel's own reasons are missing: tracing needs root and tracefs ('netsim doctor' says more)"
    script = timeline.scenario.script
    for result in timeline.steps:
        if script[result.index].expected is None and result.observed == "timeout":
            step = script[result.index]
            yield f"{step.who}: {step.text} had not returned after {step.limit_s:g} s; write 'within' to wait longer"
