"""Holds every sentence of an explanation against the whole timeline, whatever less it was made from.

It knows nothing of netsim.analysis and netsim.explain but their sentences: each is read back into its parts by a
template, and each part is looked up among the raw events. A sentence of an unknown form is unchecked, and so false.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from netsim.model.event import Call, Kernel, Packet, Tcp
from netsim.model.explanation import Explanation, Failure, Reset
from netsim.model.result import Errno, Ready, Signalled
from netsim.model.timeline import Timeline
from tests.stories.claims_of_evidence import of_evidence
from tests.stories.claims_of_failures import of_failure
from tests.stories.claims_of_resets import of_reset
from tests.stories.facts import Facts
from tests.stories.sentence import Sentence


def false_sentences(
    story_timeline_full: Timeline | Facts, explanation: Explanation, explained_timeline: Timeline
) -> list[str]:
    """Everything that an explanation says and that is not so, and why.

    Indexes in the explanation are of `explained_timeline`; the truth is in `story_timeline_full`, which may be given
    as Facts where many explanations of one run are checked.
    """
    full = story_timeline_full if isinstance(story_timeline_full, Facts) else Facts(story_timeline_full)
    told = full if explained_timeline is full.timeline else Facts(explained_timeline)
    found: list[str] = []
    subjects: tuple[Reset | Failure, ...] = (*explanation.resets, *explanation.failures)
    for subject in subjects:
        found += _of_subject(full, told, subject)
    found += _of_all_resets(full, told, explanation)
    for text in explanation.unmet:
        found += [f"{text!r}: {why}" for why in _unmet(text, explanation, told)]
    for text in explanation.hints:
        found += [f"{text!r}: {why}" for why in _hint(text, told)]
    return found


def _of_subject(full: Facts, told: Facts, subject: Reset | Failure) -> Iterator[str]:
    name = _name(full, subject)
    said = Sentence(subject.because, full, told, subject)
    check = of_reset if isinstance(subject, Reset) else of_failure
    yield from (f"{name}: {subject.because!r}: {why}" for why in check(said))
    for one in subject.evidence:
        sentence = Sentence(one.text, full, told, subject, one.events)
        yield from (f"{name}: evidence {one.text!r}: {why}" for why in of_evidence(sentence))
    if isinstance(subject, Reset):
        yield from (f"{name}: felt by {why}" for why in _felt(said, subject))


def _name(full: Facts, subject: Reset | Failure) -> str:
    if isinstance(subject, Failure):
        return f"{subject.who} {subject.call} = {subject.errno} ({subject.cause})"
    return f"RST {full.name(subject.src)} > {full.name(subject.dst)} {subject.flags} ({subject.cause})"


def _felt(s: Sentence, subject: Reset) -> Iterator[str]:
    """The calls that are to have felt it: on the socket at its target, with such a result, and not before it came."""
    node = s.full.owner(subject.dst)
    rst = s.rst
    for index in subject.felt:
        call = s.event(index)
        if not isinstance(call, Call):
            yield f"{call}, which is no call"
            continue
        is_so = (
            (isinstance(call.result, Errno) and call.result.name in {"ECONNREFUSED", "ECONNRESET", "EPIPE"})
            or call.result == Signalled("SIGPIPE")
            or (isinstance(call.result, Ready) and "ERR" in call.result.events)
        )
        came = rst.came_to(call.node) if rst else None
        sockets = s.full.sockets(call.node, subject.dst, subject.src, s.until_ns)[:1]
        if not is_so:
            yield f"{call.name}() of {call.process}, which gave {call.result}"
        if node not in {None, call.node} or (sockets and call.socket not in sockets):
            yield f"{call.name}() of {call.process}, on another socket {call.socket}, not {sockets}"
        if call.name == "connect" and call.local is not None and call.local.port != subject.dst.port:
            yield f"{call.name}() of {call.process}, which was made from {call.local}"
        if came is None or came > call.end_ns + 1_000_000:
            yield f"{call.name}() of {call.process}, which it had not reached"


def _of_all_resets(full: Facts, told: Facts, explanation: Explanation) -> Iterator[str]:
    """Each RST is told once, and each tracepoint is about one; no more come from a TCP than it counted."""
    rsts = {id(j): j for j in full.journeys if isinstance(j.segment, Tcp) and "R" in j.segment.flags}
    seen = {
        id(journey)
        for _, packet in told.of(Packet)
        if isinstance(packet.segment, Tcp) and "R" in packet.segment.flags and (journey := full.journey(packet))
    }
    if len(explanation.resets) != len(seen & set(rsts)):
        yield f"{len(explanation.resets)} resets are told of, and {len(seen)} were seen"
    cited = Counter(
        index
        for reset in explanation.resets
        for index in {i for one in reset.evidence if "says tcp_send_reset" in one.text for i in one.events}
    )
    for index, count in cited.items():
        if count > 1 and isinstance(told.timeline.events[index], Kernel):
            yield f"event {index}, a tcp_send_reset, is cited for {count} resets"
    by_tcp = Counter(r.sent_by for r in explanation.resets if r.sent_by and " itself: " in r.because)
    for node, count in by_tcp.items():
        grew = full.grew(node, "TcpOutRsts")
        if grew is not None and count > grew:
            yield f"{count} resets are to be of {node}'s TCP, and its OutRsts grew by {grew}"
    felt = Counter(index for reset in explanation.resets for index in reset.felt)
    felt.update(failure.event for failure in explanation.failures)
    yield from (f"call {index} is told of {count} times" for index, count in felt.items() if count > 1)


# --- unmet and hints ---------------------------------------

_NONE = re.compile(r"expected (a reset|a failure)(.*), and (?:there was none|none was seen where somebody watched)")
_NO_RESET = re.compile(r"expected no reset, and (\d+ came|one came): (.*)")
_PART = re.compile(r"([a-z ]+): expected (.+), got (.+)")
_NEAREST = re.compile(r"expected (a reset|a failure|no reset)(.*); the nearest was (.+) \((.+)\)")


def _unmet(text: str, explanation: Explanation, told: Facts) -> Iterator[str]:
    if text == "expected no reset; none was seen, and not everything was watched":
        if explanation.resets:
            yield f"{len(explanation.resets)} are told of"
    elif text.endswith(", and there are fewer of these than expected"):
        if not explanation.resets and not explanation.failures:
            yield "there are none"
    elif found := _NONE.fullmatch(text):
        some = explanation.resets if found[1] == "a reset" else explanation.failures
        if some:
            yield f"there were {len(some)}"
    elif found := _NO_RESET.fullmatch(text):
        count = 1 if found[1] == "one came" else int(found[1].split()[0])
        if count != len(explanation.resets):
            yield f"{len(explanation.resets)} came"
        yield from _is_one(found[2], explanation, told)
    elif found := _NEAREST.fullmatch(text):
        yield from _is_one(found[3], explanation, told)
        for part in found[4].split(", "):
            yield from _part(part, found[3], told)
    else:
        yield "unchecked: no form reads it"


def _part(text: str, nearest: str, told: Facts) -> Iterator[str]:
    """`felt by: expected client, got nobody`: what came must be what the nearest one is said to be."""
    found = _PART.fullmatch(text)
    if found is None:
        return  # the second name of a list
    key, want, came = found.groups()
    if want == came:
        yield f"{key} was as expected"
    if key in {"sent by", "cause", "errno", "call", "who"} and came not in nearest:
        yield f"{key} is not {came} in {nearest!r}"
    if key == "felt by" and came == "nobody" and "felt by" in nearest:
        yield f"somebody felt it: {nearest!r}"
    names = {*told.network.nodes, *(call.process for call in told.calls), "nobody", "unknown"}
    if key == "felt by" and came not in names:
        yield f"there is no {came}"


def _is_one(text: str, explanation: Explanation, told: Facts) -> Iterator[str]:
    resets = [(f"one sent by {r.sent_by or 'unknown'}", f", cause {r.cause}") for r in explanation.resets]
    failures = [(f"{f.call} of {f.who} = {f.errno}", f", cause {f.cause}") for f in explanation.failures]
    felt = [
        (f"{call.name} of {call.process} = {call.result}", f", cause {reset.cause}")
        for reset in explanation.resets
        for call in (told.timeline.events[index] for index in reset.felt)
        if isinstance(call, Call)
    ]
    if not any(text.startswith(start) and text.endswith(end) for start, end in (*resets, *failures, *felt)):
        yield "there is no such one"


_MISSING = re.compile(r"(\d+) events of '([^']+)' are missing: more came than could be taken in")
_STILL = re.compile(r"(\S+): (.+) had not returned after ([\d.e+]+) s; write 'within' to wait longer")


def _hint(text: str, told: Facts) -> Iterator[str]:
    if text == "the kernel's own reasons are missing: they take root and BPF ('netsim doctor' says more)":
        if "tcp_send_reset" in told.timeline.sources:
            yield "they are there"
    elif found := _MISSING.fullmatch(text):
        if (int(found[1]), found[2]) not in {(one.count, one.of) for one in told.missed}:
            yield f"missing are {told.missed}"
    elif found := _STILL.fullmatch(text):
        script = {step.index: step for step in told.timeline.script}
        results = [r for r in told.timeline.steps if str(r.observed) == "timeout"]
        steps = [script[r.index] for r in results]
        if not any((step.who, step.line_text, f"{step.limit_s:g}") == found.groups() for step in steps):
            yield f"timed out have {[step.text for step in steps]}"
    else:
        yield "unchecked: no form reads it"
