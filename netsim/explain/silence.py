"""Calls that failed although no RST came: packets vanished, and nobody said so."""

from __future__ import annotations

from netsim.explain.rst import evidence, plural
from netsim.explain.scene import Journey, Scene
from netsim.model.event import Call
from netsim.model.explanation import Evidence, Failure

_TIMEOUTS = {"ETIMEDOUT", "EHOSTUNREACH"}


def silent_drop(scene: Scene, call: Call) -> Failure | None:
    """Sent again and again, answered never: where was each of them seen last?"""
    if call.result not in _TIMEOUTS:
        return None
    vanished = [journey for journey in scene.journeys if _is_of(call, journey) and not _came_through(scene, journey)]
    if not vanished:
        return None
    last = vanished[-1]
    place, event = _place(scene, last)
    because = (
        f"{call.call}() of {call.process} gave up: {plural(len(vanished), 'packet')} to "
        f"{scene.at((last.packet.dst, last.packet.dport))} vanished {place}, and no reset or ICMP error came back."
    )
    sent = Evidence(
        f"{call.node} sent {plural(len(vanished), 'time')}, and none of it came through",
        tuple(journey.events[0] for journey in vanished),
    )
    proof = evidence(event, sent, _gave_up(scene, call))
    return Failure(call.process, call.call, call.result, "silent-drop", because, proof, call.step)


def _is_of(call: Call, journey: Journey) -> bool:
    packet = journey.packet
    return journey.maker == call.node and call.local.endswith(f":{packet.sport}") and packet.time_ns <= call.end_ns


def _came_through(scene: Scene, journey: Journey) -> bool:
    return journey.arrived_at == scene.owner(journey.packet.dst)


def _place(scene: Scene, journey: Journey) -> tuple[str, Evidence | None]:
    """Where a packet was seen last, and the fault that explains it."""
    hop = journey.hops[-1]
    if hop.lost:
        link = hop.packet.link
        cut = next((i for i, fault in scene.faults if fault.fault == "cut" and fault.node == link), None)
        fault = Evidence(f"the cable {link} was cut", (cut,)) if cut is not None else None
        return f"on {link}" + (", which was cut" if cut is not None else ""), fault
    drops = [(i, hit) for i, hit in scene.rules if hit.node == hop.receiver and hit.packets and "drop" in hit.rule]
    if drops:
        index, hit = drops[0]
        rule = f"rule {hit.number} of {hop.receiver}'s {hit.chain} chain, '{hit.rule}', matched"
        return f"in {hop.receiver}'s packet filter", Evidence(f"{rule} {plural(hit.packets, 'packet')}", (index,))
    return f"at {hop.receiver}", Evidence(f"{hop.receiver} got them and sent nothing on", (hop.index,))


def _gave_up(scene: Scene, call: Call) -> Evidence | None:
    reports = [
        i for i, said in scene.kernel if said.event == "inet_sk_error_report" and said.node == call.node
        and said.reason == call.result and said.src.rpartition(":")[2] == call.local.rpartition(":")[2]
    ]  # fmt: skip
    return (
        Evidence(f"the kernel of {call.node} reported {call.result} to the socket", tuple(reports)) if reports else None
    )
