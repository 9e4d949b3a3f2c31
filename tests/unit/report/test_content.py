"""What a report says, whoever paints it."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

import netsim.report
from netsim.explain import explain
from netsim.model.endpoint import Endpoint
from netsim.model.explanation import Evidence, Explanation, Failure, Reset
from netsim.model.result import Errno, Result, TimedOut
from netsim.report.content import FaultSaid, RuleSaid, report_of
from netsim.report.outcomes import outcomes_of
from netsim.report.why import Felt, whys_of
from tests.unit.builders import (
    CLIENT,
    REJECTING,
    SERVER,
    Part,
    analysis,
    call,
    counted,
    ended,
    fault,
    hit,
    result,
    rst,
    syn,
    timeline,
)

SCRIPT = (("client", "start connect server:60000"), ("client", "finish = ECONNREFUSED"))
RESET = Reset(
    430_000, SERVER, CLIENT, "RA", "fw", "firewall-reject", "The reset came from fw.", (Evidence("one", (1,)),)
)
FAILURE = Failure("client", "recv", Errno("ETIMEDOUT"), "silent-drop", "The cable was cut.")


def test_a_report_says_the_same_whoever_paints_it() -> None:
    of = analysis(
        call(400, "client", "connect server:60000", "ECONNREFUSED", took_us=310, step=0),
        syn(412),
        rst(430),
        hit("fw"),
        counted("fw"),
        counted("client", TcpActiveOpens=1),
        script=SCRIPT,
        results=(result(0, None), result(1, "ECONNREFUSED")),
        of=REJECTING,
    )
    said = report_of(of, explain(of.timeline, of))
    assert (said.name, said.longest_ns) == ("firewall-reset", 10_000_000)
    assert [(why.cause, why.sender) for why in said.whys.shown] == [("firewall-reject", "fw")]
    assert said.whys.shown[0].felt == (Felt("client", "connect server:60000", "ECONNREFUSED"),)
    assert [(one.who, one.what, str(one.result)) for one in said.outcomes.shown] == [
        ("client", "connect server:60000", "ECONNREFUSED")
    ]
    assert [(one.node, one.counters) for one in said.counters] == [("client", (("TcpActiveOpens", 1),))]
    assert said.verdict.word == "pass"


def test_faults_and_the_rules_that_stopped_something() -> None:
    of = analysis(
        fault(1, "client -- fw", "cut to fw"),
        hit("fw", "forward reject tcp dport 80", number=2, packets=3),
        hit("fw", "accept tcp", number=3, packets=9),
        hit("fw", "drop udp", number=4, packets=0),
    )
    said = report_of(of, Explanation("pass")).faults
    assert [(type(one), getattr(one, "text", None) or getattr(one, "rule", None)) for one in said] == [
        (FaultSaid, "client -- fw: cut to fw"),
        (RuleSaid, "reject tcp dport 80"),
    ]


def test_without_a_script_there_is_no_verdict() -> None:
    of = analysis(syn(1), scenario=False)
    said = report_of(of, Explanation("pass"))
    assert (said.name, said.verdict.word, said.surprises) == ("", None, ())


def test_a_call_is_a_long_time_too() -> None:
    assert (
        report_of(analysis(call(1, "client", "recv", "5", took_us=2e6)), Explanation("pass")).longest_ns
        == 2_000_001_000
    )


# --- why --------------------------------------------------------------------------------------------------------------


def test_resets_that_are_alike_are_told_once_and_so_are_failures() -> None:
    other = replace(RESET, because="It was fw again.")
    found = whys_of(Explanation("pass", (RESET, other, RESET), (FAILURE, FAILURE)), timeline())
    assert [(why.because, len(why.of)) for why in found.shown] == [
        ("The reset came from fw.", 2),
        ("It was fw again.", 1),
        ("The cable was cut.", 2),
    ]
    assert [why.felt for why in found.shown] == [(), (), None]


def test_many_of_them_are_counted() -> None:
    found = whys_of(
        Explanation("pass", (RESET,) * 40, tuple(replace(FAILURE, because=str(i)) for i in range(99))), timeline()
    )
    assert (len(found.shown[0].of), found.shown[0].more) == (5, 35)
    assert (len(found.shown), found.more) == (40, 60)


def test_who_stopped_waiting_or_had_been_told_before_is_told_last() -> None:
    causes = ("given-up", "echo", "silent-drop", "given-up")
    found = whys_of(
        Explanation("pass", (), tuple(replace(FAILURE, cause=cause, because=cause) for cause in causes)), timeline()
    )
    assert [(why.cause, len(why.of)) for why in found.shown] == [("silent-drop", 1), ("given-up", 2), ("echo", 1)]


def test_a_wait_in_vain_that_was_expected_needs_no_why() -> None:
    idle = Failure("client", "poll", TimedOut(), "given-up", "It was given up.", (), 0)
    script = (("client", "poll = timeout within 1s"), ("client", "poll = IN within 1s"))
    told = Explanation("pass", (), (idle, replace(idle, step=1), replace(idle, evidence=(Evidence("a loss", (0,)),))))
    assert [len(why.of) for why in whys_of(told, timeline(script=script)).shown] == [2]
    assert whys_of(told, timeline(script=script)).shown[0].evidence == ()


def test_a_sender_that_is_not_known() -> None:
    unknown = replace(RESET, sent_by=None, cause="unknown", src=Endpoint("192.0.2.1", 80))
    (why,) = whys_of(Explanation("pass", (unknown,)), timeline()).shown
    assert (why.sender, [str(one.src) for one in why.of if hasattr(one, "src")]) == (None, ["192.0.2.1:80"])


@pytest.mark.parametrize(
    ("script", "observed", "felt"),
    [
        ((("client", "recv"),), ("ECONNRESET",), Felt("client", "recv", "ECONNRESET")),
        ((("client", "start recv"),), (None,), Felt("client", "recv", "ECONNRESET")),
        (
            (("client", "run curl server"),),
            ("exit 56",),
            Felt("client", "recv()", "ECONNRESET", "run curl server = exit 56"),
        ),
        (
            (("client", "start run curl server"), ("client", "finish")),
            (None, "exit 56"),
            Felt("client", "recv()", "ECONNRESET", "run curl server = exit 56"),
        ),
        ((("client", "start run curl server"),), (None,), Felt("client", "recv()", "ECONNRESET", "run curl server")),
        ((), (), Felt("client", "recv()", "ECONNRESET")),
    ],
    ids=["a step", "a begun step", "a program", "a begun program", "a program that goes on", "no script"],
)
def test_who_felt_a_reset(script: tuple[tuple[str, str], ...], observed: tuple[str | None, ...], felt: Felt) -> None:
    of = timeline(
        call(1, "client", "recv", "ECONNRESET", step=0 if script else None),
        script=script,
        results=[result(i, one) for i, one in enumerate(observed)],
    )
    (why,) = whys_of(Explanation("pass", (replace(RESET, felt=(0,)),)), of).shown
    assert why.felt == (felt,)


# --- what each program got --------------------------------------------------------------------------------------------


def told(*parts: Part, **more: object) -> list[tuple[str, str, Result | None]]:
    return [(one.who, one.what, one.result) for one in outcomes_of(timeline(*parts, **more)).shown]  # type: ignore[arg-type]


def test_each_programs_calls_stand_together() -> None:
    script = [("client", "send 5"), ("server", "recv"), ("client", "set linger 0"), ("lab", "wait 1s")]
    calls = [call(10 * i, who, text, "ok", took_us=1 + i, step=i) for i, (who, text) in enumerate(script[:3])]
    of = timeline(calls, script=script, results=[result(i, "ok", took_us=99) for i in range(4)])
    assert [(one.who, one.what, one.took_ns) for one in outcomes_of(of).shown] == [
        ("client", "send 5", 1_000),
        ("client", "set linger 0", 3_000),
        ("server", "recv", 2_000),
    ]


def test_a_begun_call_has_the_time_of_the_call_and_not_of_finish() -> None:
    of = timeline(
        call(10, "client", "connect server:60000", "timeout", took_us=500, step=0),
        script=SCRIPT,
        results=(result(0, None), result(1, "timeout", took_us=5, ok=False)),
    )
    assert [(one.what, one.took_ns, one.ok) for one in outcomes_of(of).shown] == [
        ("connect server:60000", 500_000, False)
    ]


@pytest.mark.parametrize(
    ("ends", "also"),
    [
        ([ended(5, "client", "exit 0")], []),
        ([ended(5, "client", "exit 1")], [("client", "ended", "exit 1")]),
        ([ended(5, "client", "signal SIGPIPE")], []),
        ([ended(5, "client.b", "signal SIGKILL")], [("client.b", "ended", "signal SIGKILL")]),
    ],
)
def test_ends_that_no_step_tells(ends: Iterable[Part], also: list[tuple[str, str, str]]) -> None:
    of = timeline(ends, script=(("client", "send 5"),), results=(result(0, "signal SIGPIPE"),))
    assert [(one.who, one.what, str(one.result)) for one in outcomes_of(of).shown[1:]] == also


def test_a_run_without_a_script_has_its_calls() -> None:
    calls = [call(1, "client", "connect 10.0.1.2:60000", "timeout"), call(2, "client", "recv", None)]
    assert told(calls, scenario=False) == [
        ("client", "connect(server:60000)", TimedOut()),
        ("client", "recv()", None),
    ]


def test_many_outcomes_are_counted() -> None:
    found = outcomes_of(timeline(call(i, f"client.p{i % 3}", "send 5", "5") for i in range(100)))
    assert (len(found.shown), found.more) == (40, 60)
    assert {one.who for one in found.shown} == {"client.p0", "client.p1"}


# --- the shape --------------------------------------------------------------------------------------------------------


def test_content_knows_no_painter_and_nobody_loads_rich_before_printing() -> None:
    root = Path(netsim.report.__file__).parent
    for path in root.rglob("*.py"):
        tree = ast.parse(path.read_text())
        top = {name for node in tree.body for name in _imports(node)}
        assert not any(name.startswith("rich") for name in top), path
        if "terminal" not in path.relative_to(root).parts:
            assert not any("terminal" in name for node in ast.walk(tree) for name in _imports(node)), path


def _imports(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{name.name}" for name in node.names]
    return [name.name for name in node.names] if isinstance(node, ast.Import) else []
