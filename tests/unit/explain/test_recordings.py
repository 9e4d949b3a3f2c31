"""Real runs, explained again: with all that was recorded, and with what a host that can tell less would have.

The recordings are of Linux 6.18, made with `netsim run NAME --record FILE`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from netsim.explain import explain
from netsim.files import recording
from netsim.model.event import Call, Packet
from netsim.model.explanation import Explanation, Failure, Reset
from netsim.model.timeline import Timeline
from tests.stories.reductions import EVIDENCE, TAPS, Evidence, Taps, reduced

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


def recorded(name: str) -> Timeline:
    return recording.read(RECORDINGS / f"{name}.jsonl")


def resets(timeline: Timeline, explanation: Explanation) -> list[tuple[str | None, str, str, dict[str, str]]]:
    return [(one.sent_by, one.flags, one.cause, felt(timeline, one.felt)) for one in explanation.resets]


def felt(timeline: Timeline, indexes: tuple[int, ...]) -> dict[str, str]:
    """The last result of each process that felt it."""
    calls = [timeline.events[index] for index in indexes]
    return {call.process: str(call.result) for call in calls if isinstance(call, Call)}


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("name", RESETS)
def test_the_cause_is_told_with_what_there_is(name: str, evidence: Evidence) -> None:
    timeline = reduced(recorded(name), "all", evidence)
    explanation = explain(timeline)
    assert resets(timeline, explanation) == RESETS[name]
    assert explanation.verdict == "pass", explanation.unmet


@pytest.mark.parametrize("evidence", EVIDENCE)
@pytest.mark.parametrize("taps", TAPS[1:])
@pytest.mark.parametrize("name", RESETS)
def test_with_one_tap_it_is_the_same_or_unknown(name: str, taps: Taps, evidence: Evidence) -> None:
    timeline = reduced(recorded(name), taps, evidence)
    known = RESETS[name]
    for one in explain(timeline).resets:
        assert one.sent_by in {None, *(sender for sender, *_ in known)}
        assert one.cause in {"unknown", *(cause for _, _, cause, _ in known)}


@pytest.mark.parametrize("name", RESETS)
def test_every_evidence_points_at_events_that_are_there(name: str) -> None:
    timeline = recorded(name)
    explanation = explain(timeline)
    told: list[Reset | Failure] = [*explanation.resets]
    told += [one for one in explanation.failures if one.cause != "given-up"]
    assert told
    for one in told:
        assert one.evidence
        assert all(0 <= index < len(timeline.events) for part in one.evidence for index in part.events)


@pytest.mark.parametrize("name", RESETS)
def test_it_explains_the_same_again(name: str) -> None:
    timeline = recorded(name)
    assert explain(timeline) == explain(timeline)


def test_a_cut_cable_is_a_silent_drop_on_that_cable() -> None:
    found = explain(recorded("link-cut")).failures
    assert [(one.who, one.call, str(one.errno), one.cause) for one in found] == [
        ("client", "poll", "timeout", "given-up"),
        ("server", "poll", "timeout", "given-up"),
        ("client", "recv", "ETIMEDOUT", "silent-drop"),
        ("server", "recv", "timeout", "given-up"),
    ]
    assert "vanished on router -- server, which was cut" in found[2].because


def test_the_forged_reset_is_proved() -> None:
    (reset,) = explain(recorded("firewall-reset")).resets
    said = [part.text for part in reset.evidence]
    assert "the packet was seen leaving fw on client -- fw, and never on fw -- server" in said
    assert "its TTL is 64 on client -- fw, where a packet of server's own would show 63" in said
    assert "no tcp_send_reset event at server and its OutRsts is unchanged: netfilter made it, not TCP" in said
    assert "rule 1 of fw's FORWARD chain, 'reject tcp dport 60000 with tcp-reset', matched 1 packet" in said


def test_unread_bytes_are_counted() -> None:
    (reset,) = explain(recorded("unread-data")).resets
    assert "left 904 bytes unread" in reset.because
    assert "5000 bytes had arrived, 4096 were read before" in [part.text for part in reset.evidence]


def test_a_reset_with_nothing_around_it_has_no_cause() -> None:
    """Only the packets are left: of a RST in the middle of a connection they do not say why."""
    timeline = recorded("linger-reset")
    packets = tuple(event for event in timeline.events if isinstance(event, Packet))
    explanation = explain(replace(timeline, events=packets, sources=frozenset()))
    assert [(reset.sent_by, reset.cause) for reset in explanation.resets] == [("server", "unknown")]
    assert explanation.verdict == "unknown"
