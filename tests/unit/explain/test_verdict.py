"""What came, held against what was expected."""

from __future__ import annotations

from typing import Any

import pytest

from netsim.model.explanation import Explanation, Verdict
from netsim.model.scenario import Expectation, FailureExpected, NoReset, ResetExpected
from netsim.model.timeline import Tap
from tests.unit.builders import REJECTING, THREE, Part, call, hit, missed, result, rst, syn
from tests.unit.explain.cases import AT_CLIENT, BARE, LISTENS, REFUSED, explained, received, said

FORGED: tuple[Part, ...] = (LISTENS, REFUSED, syn(100), rst(110), hit("fw"), received(115))
ABORTED = call(300, "client", "recv", "ETIMEDOUT", took_us=900, step=1)


def held(*expect: Expectation, parts: tuple[Part, ...] = FORGED, **more: Any) -> Explanation:
    return explained(*parts, expect=expect, **{"of": REJECTING, **more})


@pytest.mark.parametrize(
    "met",
    [
        ResetExpected(sent_by="fw", felt_by="client", cause="firewall-reject"),
        ResetExpected(sent_by="fw"),
        ResetExpected(felt_by="client"),
        ResetExpected(),
    ],
)
def test_what_came_as_expected(met: ResetExpected) -> None:
    told = held(met)
    assert (told.verdict, told.unmet) == ("pass", ())


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (
            ResetExpected(sent_by="server", felt_by="client", cause="closed-port"),
            (
                "expected a reset sent by server felt by client cause closed-port; the nearest was one sent by fw, "
                "felt by client, cause firewall-reject (sent by: expected server, got fw, cause: expected closed-port, "
                "got firewall-reject)"
            ),
        ),
        (
            ResetExpected(felt_by="server"),
            (
                "expected a reset felt by server; the nearest was one sent by fw, felt by client, cause "
                "firewall-reject (felt by: expected server, got client)"
            ),
        ),
        (NoReset(), "expected no reset, and one came: one sent by fw, felt by client, cause firewall-reject"),
        (
            FailureExpected(who="client", call="recv", errno="ETIMEDOUT"),
            (
                "expected a failure of client in recv with ETIMEDOUT; the nearest was connect of client = "
                "ECONNREFUSED, cause firewall-reject (call: expected recv, got connect, errno: expected ETIMEDOUT, got "
                "ECONNREFUSED)"
            ),
        ),
    ],
)
def test_what_surely_did_not_come_fails(wanted: Expectation, sentence: str) -> None:
    told = held(wanted)
    assert (told.verdict, told.unmet) == ("fail", (sentence,))


def test_one_expectation_that_fails_beats_another_that_is_unknown() -> None:
    unknown = ResetExpected(sent_by="fw", cause="firewall-reject")
    told = held(unknown, FailureExpected(errno="EPIPE"), of=THREE)  # nothing explains this reset
    assert [one.cause for one in told.resets] == ["unknown"]
    assert told.verdict == "fail"
    assert held(unknown, of=THREE).verdict == "unknown"


def test_a_step_that_went_wrong_fails_whatever_else_is_unknown() -> None:
    told = held(ResetExpected(sent_by="server"), of=THREE, results=[result(0, "ok", ok=False)])
    assert told.verdict == "fail"


def test_each_expectation_wants_one_of_its_own() -> None:
    wanted = ResetExpected(sent_by="fw", cause="firewall-reject")
    told = held(wanted, wanted)
    sentence = "expected a reset sent by fw cause firewall-reject, and there are fewer of these than expected"
    assert (told.verdict, told.unmet) == ("fail", (sentence,))
    again = (call(5_000, "client", "connect server:60000", "ECONNREFUSED", took_us=300, socket="second"),
             syn(5_010, seq=77), rst(5_020, ack=78), received(5_030))  # fmt: skip
    assert held(wanted, wanted, parts=(*FORGED[:-2], *again, hit("fw", packets=2), received(115))).verdict == "pass"


def test_what_fits_several_is_given_where_it_is_needed() -> None:
    again = (call(5_000, "client", "connect server:60000", "ECONNREFUSED", took_us=300, socket="second"),
             syn(5_010, seq=77), rst(5_020, ack=78), received(5_030))  # fmt: skip
    strict = ResetExpected(felt_by="client")
    parts = (*FORGED[:-2], *again, hit("fw", packets=2), received(115))
    assert held(ResetExpected(), strict, ResetExpected(sent_by="fw"), parts=parts).verdict == "fail"
    assert held(ResetExpected(), strict, parts=parts).verdict == "pass"


# --- with less to see -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", [ResetExpected(), NoReset(), ResetExpected(sent_by="server", cause="linger-zero")])
@pytest.mark.parametrize("more", [{"taps": [Tap("server", "fw -- server")]}, {"parts": (LISTENS, missed("packet", 9))}])
def test_a_reset_that_nobody_may_have_seen(wanted: Expectation, more: dict[str, Any]) -> None:
    told = held(wanted, **more)
    assert (told.verdict, len(told.unmet)) == ("unknown", 1)


def test_a_reset_that_was_seen_was_sent_all_the_same() -> None:
    assert held(NoReset(), taps=AT_CLIENT).verdict == "fail"


@pytest.mark.parametrize("wanted", [FailureExpected(call="recv"), ResetExpected(felt_by="server")])
def test_a_call_that_nobody_may_have_seen(wanted: Expectation) -> None:
    parts = tuple(part for part in FORGED if part not in {LISTENS, REFUSED})
    assert held(wanted, parts=parts, sources=BARE - {"call"}).verdict == "unknown"


@pytest.mark.parametrize(
    ("wanted", "verdict"),
    [
        (FailureExpected(who="client", call="recv", errno="ETIMEDOUT"), "pass"),
        (FailureExpected(cause="silent-drop"), "unknown"),
        (FailureExpected(errno="ETIMEDOUT", cause="silent-drop"), "unknown"),
        (FailureExpected(errno="EPIPE", cause="silent-drop"), "fail"),
    ],
)
def test_a_failure_whose_cause_is_unknown(wanted: FailureExpected, verdict: Verdict) -> None:
    assert held(wanted, parts=(LISTENS, ABORTED, *said(900))).verdict == verdict


def test_without_a_script_nothing_is_expected() -> None:
    told = explained(*FORGED, of=REJECTING, scenario=False, script=())
    assert (told.verdict, told.unmet) == ("pass", ())
