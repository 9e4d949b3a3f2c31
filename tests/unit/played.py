"""A script, played on this machine's loopback, and what came of it in lines that a test can be read by."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from netsim.model.event import Call, Event, Fault, ProcessEnd
from netsim.model.plan import Plan
from netsim.model.step import Step, parse_step
from netsim.model.timeline import StepResult
from netsim.model.verbs import written
from netsim.script_runner import ScriptRunner
from tests.unit.builders import THREE
from tests.unit.local_lab import LocalLab, free_port

Between = Callable[["Played"], None]
"""Something that a test does between two steps."""


@dataclass(slots=True)
class Played:
    """A lab on which some steps have been played. `port` stands for PORT in them, `other` for OTHER."""

    lab: LocalLab
    runner: ScriptRunner
    results: list[StepResult] = field(default_factory=list)
    port: int = field(default_factory=free_port)
    other: int = field(default_factory=free_port)

    @property
    def events(self) -> list[Event]:
        return sorted(self.runner.events, key=lambda event: event.time_ns)

    @property
    def calls(self) -> list[Call]:
        return [event for event in self.events if isinstance(event, Call)]

    @property
    def ends(self) -> list[ProcessEnd]:
        return [event for event in self.events if isinstance(event, ProcessEnd)]

    def play(self, *script: str | Between) -> list[str]:
        """Play some steps, each as `client: recv = eof`, and say what came of each; `...` of one that only begins.

        A result that was not expected, or not in time, has a `!` behind it.
        """
        said = []
        for text in script:
            if callable(text):
                text(self)
                continue
            result = self.runner.play(self.step(text))
            self.results.append(result)
            said.append(("..." if result.observed is None else str(result.observed)) + ("" if result.ok else " !"))
        return said

    def step(self, text: str) -> Step:
        text = text.replace("PORT", str(self.port)).replace("OTHER", str(self.other))
        who, _, what = text.partition(": ")
        return parse_step(len(self.results), who, what)

    def end(self) -> list[str]:
        """End the script; gives the transcript."""
        self.runner.end(time.monotonic_ns())
        return self.transcript()

    def transcript(self) -> list[str]:
        """The events by their steps, and sockets by letters in the order of their first mention.

        `3 server a: accept = ok, which is c`; a call that never returned has no result. A call is its finishing step's.
        """
        letters: dict[str, str] = {}

        def letter(socket: str) -> str:
            return letters.setdefault(socket, chr(ord("a") + len(letters)))

        lines = []
        for event in sorted(self.events, key=lambda event: getattr(event, "step", None) or 0):
            match event:
                case Call(action=action):
                    assert action is not None
                    on = f" {letter(event.socket)}" if event.socket else ""
                    made = f", which is {letter(event.made)}" if event.made else ""
                    result = "" if event.result is None else f" = {event.result}"
                    line = f"{event.step} {event.process}{on}: {written(action)}{result}{made}"
                case ProcessEnd():
                    line = f"{'-' if event.step is None else event.step} {event.process} ends: {event.outcome}"
                case Fault():
                    line = f"{event.step} {event.node}: {written(event.action)}"
                case _:
                    raise AssertionError(f"{event} is none of a script's")
            lines.append(line.replace(str(self.port), "PORT").replace(str(self.other), "OTHER"))
        return lines


@dataclass(frozen=True, slots=True)
class Ears:
    """A Listener that writes down whom it listens to, in between what is done to the network."""

    heard: list[str]

    def listen(self, nodes: tuple[str, ...]) -> None:
        self.heard.append(f"listen {' '.join(nodes)}")

    def leave(self, node: str) -> None:
        self.heard.append(f"stop listening {node}")


def local(plan: Plan = THREE) -> Played:
    """A lab on which nothing has been played yet; to be left as a context by `with played.lab, played.runner`."""
    lab = LocalLab(plan)
    return Played(lab, ScriptRunner(lab, Ears(lab.done)))
