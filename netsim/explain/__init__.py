"""Why: a pure function of a timeline. It never sees a lab, so it works on a recording, anywhere.

A cause is a function here: of a RST (RESET_CAUSES), or of a call that failed without one (FAILURE_CAUSES). The first
that recognises itself is the one; what none of them recognises is `unknown`.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from netsim.analysis import Analysis, analyse
from netsim.explain import aborted, filtered, refused, strangers
from netsim.explain.failing import Failing, failure
from netsim.explain.felt import all_felt, felt, is_felt
from netsim.explain.given_up import given_up
from netsim.explain.icmp import icmp_answer
from netsim.explain.limits import keepalive_expired, user_timeout
from netsim.explain.local import address_in_use, echo, own_route, own_shutdown, ports_exhausted
from netsim.explain.makers import find_rsts
from netsim.explain.rst import Finding, Rst, evidence
from netsim.explain.silence import silent
from netsim.explain.unseen import rejected_unseen
from netsim.explain.verdict import unmet, verdict
from netsim.explain.words import Words
from netsim.explain.zero_window import zero_window
from netsim.model.event import Call
from netsim.model.explanation import Explanation, Failure, Reset
from netsim.model.result import Errno, Ready, Signalled, TimedOut
from netsim.model.timeline import Timeline

__all__ = ["FAILURE_CAUSES", "RESET_CAUSES", "explain"]

RESET_CAUSES: tuple[Callable[[Rst], Finding | None], ...] = (
    filtered.firewall_reject,
    filtered.written_by_a_program,
    refused.service_stopped,
    refused.closed_port,
    refused.abort_on_overflow,
    aborted.unread_data,
    aborted.died_unread,
    aborted.linger_zero,
    aborted.closed_listener,
    aborted.died_before_accept,
    aborted.keepalive_expired,
    aborted.told_by_the_kernel,
    strangers.rebooted,
    strangers.gave_up,
    strangers.half_open_expired,
    strangers.closed_socket,
    strangers.died_before,
    strangers.told_by_the_kernel,
)
FAILURE_CAUSES: tuple[Callable[[Failing], Failure | None], ...] = (
    own_shutdown,
    echo,
    address_in_use,
    ports_exhausted,
    icmp_answer,
    own_route,
    keepalive_expired,
    user_timeout,
    zero_window,
    rejected_unseen,
    silent,
    given_up,
)

_NOT_YET = {"EINPROGRESS", "EAGAIN", "EWOULDBLOCK", "EALREADY", "EINTR"}
"""Answers of sockets that do not block, and of calls that begin again: nothing has failed, but by a limit."""

_ASKS = frozenset({"getpeername", "getsockname", "setsockopt", "ioctl", "fcntl", "socket"})
"""What they fail of is no connection that died."""


def explain(timeline: Timeline, analysis: Analysis | None = None) -> Explanation:
    """Explain every RST, and every call that failed or was given up without one."""
    with _uncollected():
        return _explain(analysis if analysis is not None else analyse(timeline))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let the garbage collector rest: it would look through all that there is again and again, a third of the time."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


def _explain(a: Analysis) -> Explanation:
    words = Words(a.network)
    rsts = tuple(find_rsts(a, words))
    found = tuple(_resets(rsts))
    felt_calls = {index for reset in found for index in reset.felt}
    failures = tuple(_failures(a, words, felt_calls))
    loose = {a.timeline.events[one.event].node for one in failures if one.cause == "unknown"}
    resets = tuple(
        replace(reset, felt_known=bool(reset.felt) or all_felt(rst, loose))
        for rst, reset in zip(rsts, found, strict=True)
    )
    missing = tuple(unmet(a.index, resets, failures))
    return Explanation(
        verdict(a.timeline, missing), resets, failures, tuple(one.sentence for one in missing), tuple(_hints(a))
    )


def _resets(rsts: Iterable[Rst]) -> Iterator[Reset]:
    taken: set[int] = set()
    for rst in rsts:
        found = None
        if rst.maker is not None and rst.part is not None:
            found = next((finding for cause in RESET_CAUSES if (finding := cause(rst))), None)
        found = found or _unknown(rst)
        calls = [(index, call) for index, call in felt(rst) if index not in taken]
        taken.update(index for index, _ in calls)
        steps = dict.fromkeys(call.step for _, call in calls if call.step is not None)
        yield Reset(
            rst.time_ns, rst.source, rst.target, rst.tcp.flags, rst.maker, found.cause, found.because, found.evidence,
            tuple(steps), tuple(index for index, _ in calls),
        )  # fmt: skip


def _unknown(rst: Rst) -> Finding:
    if rst.maker is None:
        because = "What was seen does not single out where the reset was made."
        return Finding("unknown", because, evidence(rst.left()))
    because = f"The reset came from {rst.maker}; the evidence does not single out why."
    return Finding("unknown", because, evidence(rst.left(), rst.tcp_made_it() if rst.part == "tcp" else None))


def _failures(a: Analysis, words: Words, felt_calls: set[int]) -> Iterator[Failure]:
    for index, call in a.index.calls:
        if index in felt_calls or not _has_failed(call):
            continue
        f = Failing(a, words, index, call)
        found = next((told for cause in FAILURE_CAUSES if (told := cause(f))), None)
        if found is None and (is_transient(call) or isinstance(call.result, TimedOut)):
            continue
        yield found or failure(f, "unknown", f"{f.said()} gave {call.result}; what was seen does not explain it.")


def _has_failed(call: Call) -> bool:
    if call.name in _ASKS or (call.name == "getsockopt" and not isinstance(call.result, Errno)):
        return False
    return (
        isinstance(call.result, Errno | TimedOut)
        or call.result == Signalled("SIGPIPE")
        or (isinstance(call.result, Ready) and is_felt(call))
    )


def is_transient(call: Call) -> bool:
    """Did a call merely say that it is not done yet?"""
    return isinstance(call.result, Errno) and call.result.name in _NOT_YET


def _hints(a: Analysis) -> Iterator[str]:
    if not a.index.on("tcp_send_reset"):
        yield "the kernel's own reasons are missing: they take root and BPF ('netsim doctor' says more)"
    for _, missed in a.index.missed:
        yield f"{missed.count} events of '{missed.of}' are missing: more came than could be taken in"
    script = {step.index: step for step in a.timeline.script}
    for result in a.timeline.steps:
        step = script[result.index]
        if step.expected is None and isinstance(result.observed, TimedOut):
            limit = f"{step.limit_s:g} s"
            yield f"{step.who}: {step.line_text} had not returned after {limit}; write 'within' to wait longer"
