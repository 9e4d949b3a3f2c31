"""Real runs, explained again: with all that was recorded, and with what a host without tracing would have.

The recordings are of Linux 6.18, made with `netsim run NAME --record FILE`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netsim.explain import explain
from netsim.files import recording
from netsim.model.event import Counters, Kernel
from netsim.model.timeline import Timeline

RECORDINGS = Path(__file__).parent / "recordings"

RESETS = {
    "firewall-reset": [("fw", "RA", "firewall-reject", {"client": "ECONNREFUSED"})],
    "firewall-reset-host": [("server", "RA", "firewall-reject", {"client": "ECONNREFUSED"})],
    "closed-port": [("server", "RA", "closed-port", {"client": "ECONNREFUSED"})],
    "link-cut": [],
    "peer-reboot": [("server", "R", "peer-forgot", {"client": "EPIPE"})],
    "unread-data": [("server", "RA", "unread-data", {"client": "ECONNRESET"})],
    "linger-reset": [("server", "RA", "linger-zero", {"client": "ECONNRESET"})],
    "broken-pipe": [
        ("server", "R", "closed-socket", {"client": "EPIPE"}),
        ("server", "R", "closed-socket", {"client.plain": "signal SIGPIPE"}),
    ],
}
"""Who sent each RST, its flags, its cause, and the last result of each process that felt it."""


def without(timeline: Timeline, *kinds: type) -> Timeline:
    """The same run on a host that could not tell these."""
    probes = tuple(
        probe for probe in timeline.probes if Kernel not in kinds or not probe.startswith(("kernel", "tcp/", "sock/"))
    )
    kept = replace(timeline, probes=probes)
    return kept.sorted(event for event in timeline.events if not isinstance(event, kinds))


@pytest.mark.parametrize(
    "missing",
    [(), (Kernel,), (Counters,), (Kernel, Counters)],
    ids=lambda kinds: "-".join(k.__name__ for k in kinds) or "nothing",
)
@pytest.mark.parametrize("name", RESETS)
def test_the_cause_is_told_with_what_there_is(name: str, missing: tuple[type, ...]) -> None:
    timeline = without(recording.read(RECORDINGS / f"{name}.jsonl"), *missing)
    explanation = explain(timeline)
    script, got = timeline.scenario.script, {result.index: result.observed for result in timeline.steps}
    found = [
        (reset.sent_by, reset.flags, reset.cause, {script[i].who: got[i] for i in reset.felt_by})
        for reset in explanation.resets
    ]
    assert found == RESETS[name]
    assert explanation.verdict == "pass", explanation.unmet


@pytest.mark.parametrize("name", RESETS)
def test_every_evidence_points_at_events_that_are_there(name: str) -> None:
    timeline = recording.read(RECORDINGS / f"{name}.jsonl")
    explanation = explain(timeline)
    told = [*explanation.resets, *explanation.failures]
    assert told
    for one in told:
        assert one.evidence
        assert all(0 <= index < len(timeline.events) for part in one.evidence for index in part.events)


def test_a_cut_cable_is_a_silent_drop_on_that_cable() -> None:
    timeline = recording.read(RECORDINGS / "link-cut.jsonl")
    (failure,) = explain(timeline).failures
    assert (failure.who, failure.call, failure.errno, failure.cause) == ("client", "recv", "ETIMEDOUT", "silent-drop")
    assert "vanished on router -- server, which was cut" in failure.because


def test_the_forged_reset_is_proved() -> None:
    (reset,) = explain(recording.read(RECORDINGS / "firewall-reset.jsonl")).resets
    assert reset.src.startswith("server:")
    said = [part.text for part in reset.evidence]
    assert "the packet was seen leaving fw on client -- fw, and never on fw -- server" in said
    assert "its TTL is 64 on client -- fw, where a packet of server's own would show 63" in said
    assert "no tcp_send_reset event at server and its OutRsts is unchanged: netfilter made it, not TCP" in said
    assert "rule 1 of fw's FORWARD chain, 'reject tcp dport 60000 with tcp-reset', matched 1 packet" in said


def test_unread_bytes_are_counted() -> None:
    (reset,) = explain(recording.read(RECORDINGS / "unread-data.jsonl")).resets
    assert "left 904 bytes unread" in reset.because
    assert "5000 bytes had arrived, 4096 were read before" in [part.text for part in reset.evidence]


def test_a_reset_with_nothing_around_it_has_no_cause() -> None:
    """Only the packets are left: of a RST in the middle of a connection they do not say why."""
    timeline = recording.read(RECORDINGS / "linger-reset.jsonl")
    bare = replace(timeline, probes=("packet",)).sorted(e for e in timeline.events if e.source == "packet")
    explanation = explain(bare)
    assert [(reset.sent_by, reset.cause) for reset in explanation.resets] == [("server", "unknown")]
    assert explanation.verdict == "unknown"
