"""The report that a program reads, and its JSON Schema; one table of fields makes both."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain
from typing import Generic, TypeVar

from netsim.model.cause import CAUSES
from netsim.model.endpoint import Endpoint
from netsim.model.explanation import Evidence, Explanation, Failure, Reset
from netsim.model.result import Result
from netsim.model.step import Step
from netsim.model.timeline import StepResult, Timeline
from netsim.report import words

SCHEMA_VERSION = 1
"""Grows when a key goes away or changes its meaning; new keys may come at any time."""

T = TypeVar("T")
Schema = dict[str, object]

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_TIME_NS: Schema = {"type": "integer"}
_TIME_NS_OR_NULL: Schema = {"type": ["integer", "null"]}
_SECONDS: Schema = {"type": "number", "minimum": 0}
_INDEX: Schema = {"type": "integer", "minimum": 0}
_INDEX_OR_NULL: Schema = {"type": ["integer", "null"], "minimum": 0}
_INDEXES: Schema = {"type": "array", "items": _INDEX, "uniqueItems": True}
_SENTENCES: Schema = {"type": "array", "items": _TEXT}
_CAUSE: Schema = {"type": "string", "enum": list(CAUSES)}
_EVIDENCE = "The events that prove it: their indexes in the recording."
_PROOF = "What proves it, sentence by sentence, each with the events that it is about."


@dataclass(frozen=True, slots=True)
class _Field(Generic[T]):
    """A key of an object: what it may be, what it means, and how it is found."""

    name: str
    schema: Schema
    about: str
    get: Callable[[T], object]


@dataclass(frozen=True, slots=True)
class _Played:
    """A step of the script, with what came of it; None where the run did not get there."""

    step: Step
    result: StepResult | None


@dataclass(frozen=True, slots=True)
class _Run:
    timeline: Timeline
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class _ResetOf:
    """A reset, and the run that it belongs to."""

    reset: Reset
    timeline: Timeline

    def name(self, end: Endpoint) -> str:
        return str(words.end(self.timeline.network, end))


def _text(result: Result | None) -> str | None:
    return None if result is None else str(result)


def _object(fields: tuple[_Field[T], ...], value: T) -> dict[str, object]:
    return {field.name: field.get(value) for field in fields}


def _objects(fields: tuple[_Field[T], ...], values: Iterable[T]) -> list[dict[str, object]]:
    return [_object(fields, value) for value in values]


def _schema(fields: tuple[_Field[T], ...]) -> Schema:
    properties = {field.name: {"description": field.about, **field.schema} for field in fields}
    return {"type": "object", "properties": properties, "required": list(properties)}


def _list(fields: tuple[_Field[T], ...]) -> Schema:
    return {"type": "array", "items": _schema(fields)}


_STEP: tuple[_Field[_Played], ...] = (
    _Field("index", _INDEX, "The step's place in the script, from 0.", lambda p: p.step.index),
    _Field("who", _TEXT, "A node, NODE.NAME, a link `a -- b`, or `lab`.", lambda p: p.step.who),
    _Field("text", _TEXT, "What is done, as written.", lambda p: p.step.text),
    _Field("expected", _TEXT_OR_NULL, "The result that was written behind `=`; null for a step that is free.",
           lambda p: _text(p.step.expected)),
    _Field("observed", _TEXT_OR_NULL, "The result; null where a call was only begun, or the run did not get there.",
           lambda p: _text(p.result.observed) if p.result else None),
    _Field("ok", {"type": "boolean"}, "Whether it came as expected, and in time.",
           lambda p: bool(p.result and p.result.ok)),
    _Field("start_ns", _TIME_NS_OR_NULL, "When it began, in ns since the script did.",
           lambda p: p.result and p.result.start_ns),
    _Field("end_ns", _TIME_NS_OR_NULL, "When it ended.", lambda p: p.result and p.result.end_ns),
)  # fmt: skip

_SENTENCE: tuple[_Field[Evidence], ...] = (
    _Field("text", _TEXT, "The sentence.", lambda e: e.text),
    _Field("events", _INDEXES, "The events that it is about.", lambda e: list(dict.fromkeys(e.events))),
)

_RESET: tuple[_Field[_ResetOf], ...] = (
    _Field("time_ns", _TIME_NS, "When it was first seen, in ns since the script began.", lambda r: r.reset.time_ns),
    _Field("from", _TEXT, "NODE:PORT that the packet claims to come from.", lambda r: r.name(r.reset.src)),
    _Field("to", _TEXT, "NODE:PORT that it goes to.", lambda r: r.name(r.reset.dst)),
    _Field("flags", {"type": "string", "pattern": "^[SFRPAU]*R[SFRPAU]*$"}, "TCP flags, in the order S F R P A U.",
           lambda r: r.reset.flags),
    _Field("sent_by", _TEXT_OR_NULL, "The node that really made the packet; null where that is not known.",
           lambda r: r.reset.sent_by),
    _Field("cause", _CAUSE, "Why, in a word.", lambda r: r.reset.cause),
    _Field("because", _TEXT, "Why, in a sentence.", lambda r: r.reset.because),
    _Field("evidence", _INDEXES, _EVIDENCE, lambda r: _events(r.reset.evidence)),
    _Field("proof", _list(_SENTENCE), _PROOF, lambda r: _objects(_SENTENCE, r.reset.evidence)),
    _Field("felt_by", _INDEXES, "The steps that the reset made fail.", lambda r: list(r.reset.felt_by)),
    _Field("felt", _INDEXES, "The calls that the reset made fail: their events.", lambda r: list(r.reset.felt)),
    _Field("felt_known", {"type": "boolean"}, "False where another call may have felt it, unseen or unexplained.",
           lambda r: r.reset.felt_known),
)  # fmt: skip

_FAILURE: tuple[_Field[Failure], ...] = (
    _Field("who", _TEXT, "The process whose call failed.", lambda f: f.who),
    _Field("call", _TEXT, "The call.", lambda f: f.call),
    _Field("errno", _TEXT, "Its errno by name; `timeout` for a call that was given up.", lambda f: _text(f.errno)),
    _Field("step", _INDEX_OR_NULL, "The step that made it; null where none did.", lambda f: f.step),
    _Field("event", _INDEX, "The call's event.", lambda f: f.event),
    _Field("cause", _CAUSE, "Why, in a word.", lambda f: f.cause),
    _Field("because", _TEXT, "Why, in a sentence.", lambda f: f.because),
    _Field("evidence", _INDEXES, _EVIDENCE, lambda f: _events(f.evidence)),
    _Field("proof", _list(_SENTENCE), _PROOF, lambda f: _objects(_SENTENCE, f.evidence)),
)  # fmt: skip

_REPORT: tuple[_Field[_Run], ...] = (
    _Field("schema", {"const": SCHEMA_VERSION}, "The version of this schema.", lambda _: SCHEMA_VERSION),
    _Field("scenario", _TEXT_OR_NULL, "The scenario's name; null where nobody wrote a script.",
           lambda r: r.timeline.scenario.name if r.timeline.scenario else None),
    _Field("engine", _TEXT, "Where the lab's Linux was: host, rootless or virtual.", lambda r: r.timeline.engine),
    _Field("kernel", _TEXT, "The kernel's release; empty where it is not known.", lambda r: r.timeline.kernel),
    _Field("verdict", {"enum": ["pass", "fail", "unknown"]}, "Whether everything came as the scenario expects.",
           lambda r: r.explanation.verdict),
    _Field("lab_s", _SECONDS, "How long the script took on the lab's clock.", lambda r: r.timeline.lab_ns / 1e9),
    _Field("wall_s", _SECONDS, "How long everything took on yours, building and tearing down included.",
           lambda r: r.timeline.wall_ns / 1e9),
    _Field("steps", _list(_STEP), "The script, step by step.",
           lambda r: _steps(r.timeline)),
    _Field("resets", _list(_RESET), "Every RST, in time order.",
           lambda r: _objects(_RESET, (_ResetOf(reset, r.timeline) for reset in r.explanation.resets))),
    _Field("failures", _list(_FAILURE), "Calls that failed without a RST.",
           lambda r: _objects(_FAILURE, r.explanation.failures)),
    _Field("unmet", _SENTENCES, "What was expected and did not come.",
           lambda r: list(r.explanation.unmet)),
    _Field("hints", _SENTENCES, "What else is worth knowing.", lambda r: list(r.explanation.hints)),
)  # fmt: skip


def report(timeline: Timeline, explanation: Explanation) -> dict[str, object]:
    """One run as an object for json.dumps(); `report_schema()` describes it."""
    return _object(_REPORT, _Run(timeline, explanation))


def report_schema() -> Schema:
    """The JSON Schema (draft 2020-12) of a report."""
    head: Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "netsim report",
        "description": "What `netsim run NAME --json` prints.",
    }
    return head | _schema(_REPORT)


def _steps(timeline: Timeline) -> list[dict[str, object]]:
    results = {result.index: result for result in timeline.steps}
    return _objects(_STEP, (_Played(step, results.get(step.index)) for step in timeline.script))


def _events(evidence: tuple[Evidence, ...]) -> list[int]:
    return sorted(set(chain.from_iterable(one.events for one in evidence)))
