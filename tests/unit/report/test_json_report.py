"""The report for programs keeps to its schema, whatever the run was."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from jsonschema import Draft202012Validator

from netsim.model.cause import CAUSES
from netsim.model.endpoint import Endpoint
from netsim.model.explanation import Evidence, Explanation, Failure, Reset
from netsim.model.result import Errno, TimedOut
from netsim.model.timeline import Timeline
from netsim.report.json_report import report, report_schema
from tests.unit.builders import CLIENT, SERVER, call, result, rst, syn, timeline

SCRIPT = (
    ("client", "connect server:60000 = ECONNREFUSED"),
    ("client", "send 5"),
    ("client", "start recv"),
    ("lab", "wait 1s"),
)
RUN = timeline(
    call(1, "client", "connect server:60000", "ECONNREFUSED", took_us=8, step=0),
    syn(2),
    rst(5),
    call(9, "client", "send 5", "EPIPE", took_us=1, step=1),
    script=SCRIPT,
    results=(result(0, "ECONNREFUSED", 1, 8), result(1, "EPIPE", 9, 0.1), result(2, None, 10, 0.1)),
)
RESET = Reset(
    5000, SERVER, CLIENT, "RA", "fw", "firewall-reject", "The reset came from fw.",
    (Evidence("one", (3, 2)), Evidence("two"), Evidence("three", (0, 3))), (0,), (0,),
)  # fmt: skip
FAILURE = Failure("client", "send", Errno("EPIPE"), "unknown", "No idea.", (Evidence("one", (1,)),), 1, 5)
EXPLAINED = Explanation("pass", (RESET,), (FAILURE,), ("expected more",), ("look at fw",))


def test_the_object() -> None:
    told = report(RUN, EXPLAINED)
    assert {key: told[key] for key in ("schema", "scenario", "engine", "kernel", "verdict", "lab_s", "wall_s")} == {
        "schema": 1,
        "scenario": "firewall-reset",
        "engine": "host",
        "kernel": "6.18.44",
        "verdict": "pass",
        "lab_s": 0.02,
        "wall_s": 0.31,
    }
    assert told["resets"] == [
        {
            "time_ns": 5000,
            "from": "server:60000",
            "to": "client:41234",
            "flags": "RA",
            "sent_by": "fw",
            "cause": "firewall-reject",
            "because": "The reset came from fw.",
            "evidence": [0, 2, 3],
            "proof": [
                {"text": "one", "events": [3, 2]},
                {"text": "two", "events": []},
                {"text": "three", "events": [0, 3]},
            ],
            "felt_by": [0],
            "felt": [0],
            "felt_known": True,
        }
    ]
    assert told["failures"] == [
        {
            "who": "client",
            "call": "send",
            "errno": "EPIPE",
            "step": 1,
            "event": 5,
            "cause": "unknown",
            "because": "No idea.",
            "evidence": [1],
            "proof": [{"text": "one", "events": [1]}],
        }
    ]
    assert told["unmet"] == ["expected more"]
    assert told["hints"] == ["look at fw"]


def test_every_step_is_told_and_one_that_was_not_reached_has_no_result() -> None:
    steps = report(RUN, EXPLAINED)["steps"]
    assert steps == [
        {
            "index": 0,
            "who": "client",
            "text": "connect server:60000",
            "expected": "ECONNREFUSED",
            "observed": "ECONNREFUSED",
            "ok": True,
            "start_ns": 1000,
            "end_ns": 9000,
        },
        {
            "index": 1,
            "who": "client",
            "text": "send 5",
            "expected": None,
            "observed": "EPIPE",
            "ok": True,
            "start_ns": 9000,
            "end_ns": 9100,
        },
        {
            "index": 2,
            "who": "client",
            "text": "start recv",
            "expected": None,
            "observed": None,
            "ok": True,
            "start_ns": 10000,
            "end_ns": 10100,
        },
        {
            "index": 3,
            "who": "lab",
            "text": "wait 1s",
            "expected": None,
            "observed": None,
            "ok": False,
            "start_ns": None,
            "end_ns": None,
        },
    ]


def test_what_is_not_known_is_null() -> None:
    stranger = replace(RESET, src=Endpoint("fd00::9", 80), sent_by=None)
    given_up = replace(FAILURE, errno=TimedOut(), step=None)
    told = json.loads(json.dumps(report(timeline(scenario=False), Explanation("unknown", (stranger,), (given_up,)))))
    assert told["scenario"] is None
    assert told["steps"] == []
    assert (told["resets"][0]["from"], told["resets"][0]["sent_by"]) == ("[fd00::9]:80", None)
    assert (told["failures"][0]["errno"], told["failures"][0]["step"]) == ("timeout", None)


@pytest.mark.parametrize(
    ("of", "explained"),
    [
        (RUN, EXPLAINED),
        (timeline(), Explanation("unknown")),
        (timeline(scenario=False), Explanation("pass", (replace(RESET, sent_by=None),))),
        (replace(timeline(), kernel="", wall_ns=0), Explanation("fail", unmet=("nothing came",))),
        (RUN, Explanation("pass", tuple(replace(RESET, cause=cause, flags="R") for cause in CAUSES))),
        (RUN, Explanation("pass", (), (replace(FAILURE, errno=TimedOut(), step=None, evidence=()),))),
    ],
)
def test_reports_keep_to_the_schema(of: Timeline, explained: Explanation) -> None:
    Draft202012Validator.check_schema(report_schema())
    Draft202012Validator(report_schema()).validate(json.loads(json.dumps(report(of, explained))))


def test_the_schema_refuses_what_is_no_report() -> None:
    told = json.loads(json.dumps(report(RUN, EXPLAINED)))
    (reset,), (failure,) = told["resets"], told["failures"]
    wrong = [
        {**told, "schema": 2},
        {**told, "verdict": "maybe"},
        {key: value for key, value in told.items() if key != "steps"},
        {**told, "resets": [{**reset, "cause": "gremlins"}]},
        {**told, "resets": [{**reset, "flags": "SA"}]},
        {**told, "resets": [{**reset, "proof": [{"text": "one"}]}]},
        {**told, "resets": [{**reset, "felt": [-1]}]},
        {**told, "failures": [{**failure, "event": None}]},
        {**told, "steps": [{**told["steps"][0], "start_ns": "soon"}]},
    ]
    assert [Draft202012Validator(report_schema()).is_valid(one) for one in wrong] == [False] * len(wrong)


def test_every_key_is_described() -> None:
    def undescribed(schema: object, path: str = "") -> list[str]:
        if not isinstance(schema, dict):
            return []
        here = [path] if path and "description" not in schema else []
        below = [f for name, one in schema.get("properties", {}).items() for f in undescribed(one, f"{path}.{name}")]
        items = schema.get("items", {})
        return here + below + [f for name, one in items.get("properties", {}).items() for f in undescribed(one, name)]

    assert undescribed(report_schema()) == []
