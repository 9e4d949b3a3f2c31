"""Plays the steps of a script on a lab, one after the other, and notes what came of each."""

from __future__ import annotations

import errno
import os
import select
import shlex
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from netsim.errors import LabError
from netsim.faults import FAULTS
from netsim.linux import channel, children
from netsim.linux.lab import Child, Lab, hosts_text
from netsim.model.duration import parse_duration
from netsim.model.event import Call, Event, Fault, ProcessEnd
from netsim.model.step import Step
from netsim.model.timeline import StepResult
from netsim.probes.session import Session
from netsim.processes import command, scripted, strace
from netsim.processes.scripted import CANCEL, Done, Request

_CANCEL_S = 2.0


@dataclass(slots=True)
class _Actor:
    """A process of the script, and the step whose call it has begun and not finished."""

    child: Child
    pending: Step | None = None
    asked_ns: int = 0


@dataclass(slots=True)
class ScriptRunner:
    """Where a script is played: the processes that are alive, the faults in effect, the events so far.

    Times here are CLOCK_MONOTONIC; the runner counts them from the script's beginning.
    """

    lab: Lab
    session: Session
    events: list[Event] = field(default_factory=list)
    cuts: set[tuple[int, str]] = field(default_factory=set)
    running: set[str] = field(default_factory=set)
    rebooted: set[str] = field(default_factory=set)
    _actors: dict[str, _Actor] = field(default_factory=dict)
    _commands: dict[str, _Actor] = field(default_factory=dict)
    _lost: list[Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.running.update(node.node.name for node in self.lab.plan.nodes)

    def rehearse(self, script: Iterable[Step]) -> None:
        """Fork every process of the script beforehand, so that no step has to wait for it."""
        for step in script:
            if step.verb.name in scripted.VERBS:
                self._actor(step.who)

    def play(self, step: Step) -> StepResult:
        """Do one step. What a program gets is a result, not an error; LabError is for what netsim cannot do."""
        if step.verb.fault:
            return self._fault(step)
        if step.verb.name == "wait":
            start = time.monotonic_ns()
            time.sleep(parse_duration(step.args["duration"]))  # to let the lab's clock run is what this step is
            return StepResult(step.index, "ok", start, time.monotonic_ns(), True)
        if step.verb.name == "finish":
            return self._finish(step)
        if step.verb.name == "run":
            return self._run(step)
        return self._call(step)

    def end(self, end_ns: int) -> None:
        """The script is over: end the programs that still run, and note the calls that never returned."""
        for who, actor in list(self._actors.items()):
            if actor.pending is not None:
                done = Done("timeout", actor.asked_ns, end_ns)
                self.events.append(_call(actor.pending, actor.pending.index, actor.child.pid, done))
                del self._actors[who]
        for who in list(self._commands):
            actor = self._commands.pop(who)
            self._collect(actor, actor.pending.index if actor.pending else None, kill=True)

    def leave(self, node: str) -> None:
        """Forget what runs on a node that is about to lose power."""
        self._must_run(node)
        self.session.leave(node)
        self.running.discard(node)
        for who in [who for who in self._actors if who.partition(".")[0] == node]:
            self._lost.append(self._actors.pop(who).child)  # closed now, it would end in peace and send FIN
        for who in [who for who in self._commands if who.partition(".")[0] == node]:
            self._lost.append(self._commands.pop(who).child)

    def enter(self, node: str) -> None:
        """Listen to a node that has power again."""
        while self._lost:
            self._lost.pop().close()
        self.session.listen((node,))
        self.running.add(node)
        self.rebooted.add(node)

    def _must_run(self, node: str) -> None:
        if node not in self.running:
            raise LabError("act", node, errno.EHOSTDOWN, "it is switched off; 'boot' comes first")

    def _fault(self, step: Step) -> StepResult:
        start = time.monotonic_ns()
        FAULTS[step.verb.name](self, step)
        end = time.monotonic_ns()
        self.events.append(Fault(start, step.who, step.verb.name, step.text, end, step.index))
        return StepResult(step.index, "ok", start, end, step.expected in {None, "ok"})

    def _actor(self, who: str) -> _Actor:
        if who not in self._actors:
            node = who.partition(".")[0]
            self._must_run(node)
            self._actors[who] = _Actor(self.lab.fork(node, scripted.serve))
        return self._actors[who]

    def _call(self, step: Step) -> StepResult:
        actor = self._actor(step.who)
        if actor.pending is not None:
            raise LabError(step.text, step.who, errno.EBUSY, f"'{actor.pending.text}' is not finished")
        args = dict(step.args)
        if "host" in args:
            args["host"] = str(self.lab.plan.address(args["host"]))
        actor.pending, actor.asked_ns = step, time.monotonic_ns()
        with suppress(channel.ChannelClosed):  # somebody has killed it: _outcome finds out how
            channel.send(actor.child.sock, Request(step.verb.name, args))
        if step.start:
            return StepResult(step.index, "started", actor.asked_ns, time.monotonic_ns(), True)
        return self._outcome(step, actor)

    def _finish(self, step: Step) -> StepResult:
        if step.who in self._commands:
            return self._command_outcome(step, self._commands.pop(step.who))
        actor = self._actors.get(step.who)
        if actor is None or actor.pending is None:
            raise LabError("finish", step.who, errno.EINVAL, "no call was started, or its machine lost power")
        return self._outcome(step, actor)

    def _run(self, step: Step) -> StepResult:
        """Start a program, beside the scripted process that may have the same name."""
        self._must_run(step.node)
        argv = shlex.split(step.args["command"])
        child = self.lab.fork(step.node, command.serve, argv, hosts_text(self.lab.plan), True)
        started, _ = channel.receive(child.sock)
        if isinstance(started, command.Refused):
            child.close()
            raise started.error
        self._commands[step.who] = _Actor(child, step, started.start_ns)
        if step.start:
            return StepResult(step.index, "started", started.start_ns, time.monotonic_ns(), True)
        return self._command_outcome(step, self._commands.pop(step.who))

    def _command_outcome(self, step: Step, actor: _Actor) -> StepResult:
        """Wait for the end of a program, no longer than the step allows; then it is killed."""
        in_time = _readable(actor.child, step.limit_s)
        ended = self._collect(actor, step.index, kill=not in_time)
        end = ProcessEnd(ended.end_ns, step.node, step.who, ended.outcome, actor.child.pid, step.index, ended.output)
        self.events.append(end)
        observed = ended.outcome if in_time else "timeout"
        ok = step.expected is None or matches(step.expected, observed)
        return StepResult(step.index, observed, actor.asked_ns, ended.end_ns, ok)

    def _collect(self, actor: _Actor, step: int | None, kill: bool) -> command.Ended:
        """Take in the calls that a program made, when it has ended."""
        begun = actor.pending
        assert begun is not None
        if kill:
            channel.send(actor.child.sock, command.Signal(signal.SIGKILL))
        ended: command.Ended = channel.receive(actor.child.sock)[0]
        self.lab.bury(actor.child)
        actor.child.close()
        self.events += strace.parse(ended.strace, begun.node, begun.who, step, ended.clock_offset_ns)
        return ended

    def _outcome(self, step: Step, actor: _Actor) -> StepResult:
        """Wait for the pending call's result, no longer than the step allows."""
        begun = actor.pending
        assert begun is not None
        if not _readable(actor.child, step.limit_s):
            self.lab.keeper.ask(children.kill_child, actor.child.pid, CANCEL)
            if not _readable(actor.child, _CANCEL_S):  # stuck in the kernel, or stopped
                self.lab.keeper.ask(children.kill_child, actor.child.pid, signal.SIGKILL)
        try:
            done: Done = channel.receive(actor.child.sock)[0]
        except channel.ChannelClosed:
            done = self._end(step.who, begun, actor)
        actor.pending = None
        self.events.append(_call(begun, step.index, actor.child.pid, done))
        ok = step.expected is None or matches(step.expected, done.result)
        return StepResult(step.index, done.result, done.start_ns, done.end_ns, ok)

    def _end(self, who: str, begun: Step, actor: _Actor) -> Done:
        """The process is gone instead of answering: say how."""
        status = self.lab.bury(actor.child)
        now = time.monotonic_ns()
        actor.child.close()
        del self._actors[who]
        outcome = ending(status)
        self.events.append(ProcessEnd(now, begun.node, begun.who, outcome, actor.child.pid, begun.index))
        return Done(outcome, actor.asked_ns, now)


def _call(begun: Step, step: int, pid: int, done: Done) -> Call:
    args = begun.text.removeprefix("start ").partition(" ")[2]
    return Call(
        done.start_ns,
        begun.node,
        begun.who,
        begun.verb.name,
        args,
        done.result,
        done.end_ns,
        step,
        pid,
        done.local,
        done.remote,
    )


def _readable(child: Child, limit_s: float) -> bool:
    poll = select.poll()
    poll.register(child.sock, select.POLLIN)
    return bool(poll.poll(limit_s * 1000))


def ending(status: int) -> str:
    """Say how a process ended, from its waitpid(2) status."""
    if os.WIFSIGNALED(status):
        return f"signal {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit {os.waitstatus_to_exitcode(status)}"


def matches(expected: str, observed: str) -> bool:
    """Compare a result with what was expected: `ok` takes an `exit 0` too, and `exit 141` a death by SIGPIPE (13)."""
    if expected == observed or (expected == "ok" and observed == "exit 0"):
        return True
    number = signal.Signals.__members__.get(observed.removeprefix("signal "))
    return number is not None and expected == f"exit {128 + number}"
