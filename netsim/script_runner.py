"""Plays the steps of a script on a lab, one after the other, and notes what came of each.

A step is begun and completed. While one is waited for, whatever else has been begun may finish too: one poll looks
over all of it, and takes in each result when it is there.
"""

from __future__ import annotations

import errno
import select
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from netsim.errors import LabError
from netsim.faults import Effect, FaultyLab, carry_out
from netsim.linux import channel
from netsim.linux.lab import Child, hosts_text
from netsim.model import action as act
from netsim.model.endpoint import Endpoint
from netsim.model.event import Call, Event, Fault, Missed, ProcessEnd
from netsim.model.result import Ok, Result, Signalled, TimedOut, ending, matches
from netsim.model.step import Step
from netsim.model.timeline import StepResult
from netsim.processes import command, scripted, strace
from netsim.processes.scripted import CANCEL, Done

_CANCEL_S = 2.0
"""How long a process may take to come out of a call that is cancelled; then it is killed."""
_CANCEL_AGAIN_NS = 20_000_000
_ENDS_S = 10.0
"""How long a killed program may take to be gone."""


class PlayedLab(FaultyLab, Protocol):
    """What a script needs of a lab."""

    def fork(self, node: str, target: Callable[..., None], *args: object) -> Child: ...
    def wait(self, child: Child) -> int: ...
    def kill(self, child: Child, number: int) -> None: ...


class Listener(Protocol):
    """Who watches the lab's nodes."""

    def listen(self, nodes: tuple[str, ...]) -> None: ...
    def leave(self, node: str) -> None: ...


@dataclass(slots=True)
class _Scripted:
    """A process of the script; `begun` is the step whose call it is in, and `done` how that went, once it is there."""

    who: str
    child: Child
    begun: Step | None = None
    asked_ns: int = 0
    killed_ns: int = 0
    asked: act.Action | None = None
    """That call, with an address for its host."""
    done: Done | None = None
    ended: Result | None = None
    sockets: dict[str, Done] = field(default_factory=dict)
    """By the script's name of a socket: how the last call on it went, with its number and ends."""
    made: int = 0
    """How many sockets it has made: they are numbered."""


@dataclass(slots=True)
class _Program:
    """A program that a `run` step started."""

    who: str
    child: Child
    begun: Step
    start_ns: int
    killed_ns: int | None = None
    ended: command.Ended | None = None


@dataclass(slots=True)
class ScriptRunner:
    """Where a script is played: the processes that are alive, the faults in force, the events so far.

    Times here are CLOCK_MONOTONIC; the runner counts them from the script's beginning.
    """

    lab: PlayedLab
    listener: Listener
    events: list[Event] = field(default_factory=list)
    in_force: list[Effect] = field(default_factory=list)
    powered: set[str] = field(default_factory=set)
    rebooted: set[str] = field(default_factory=set)
    about_to_leave: Callable[[str], None] = lambda _: None
    """Told before a node loses power: what only it knows must be read by then."""
    untraced: bool = False
    """Some program's calls were not seen."""
    _scripted: dict[str, _Scripted] = field(default_factory=dict)
    _programs: dict[str, _Program] = field(default_factory=dict)
    _died: dict[str, _Scripted] = field(default_factory=dict)
    """Processes that ended in a call whose result nobody has asked for yet."""
    _lost: list[Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.powered.update(node.node.name for node in self.lab.plan.nodes)

    def __enter__(self) -> ScriptRunner:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the processes that live; it is the lab that ends them."""
        living = [program.child for program in self._programs.values() if program.ended is None]
        for child in [*living, *self._lost, *(process.child for process in self._scripted.values())]:
            child.close()

    def rehearse(self, script: Iterable[Step]) -> None:
        """Fork every process of the script beforehand, so that no step has to wait for it."""
        for step in script:
            if isinstance(step.action, scripted.ACTIONS) and not isinstance(step.action, act.Kill):
                self._process(step.who)

    def play(self, step: Step) -> StepResult:
        """Do one step. What a program gets is a result, not an error; LabError is for what netsim cannot do."""
        match step.action:
            case act.Wait(duration_s=duration_s):
                start = time.monotonic_ns()
                self._poll(start + round(duration_s * 1e9), lambda: False)
                return StepResult(step.index, Ok(), start, time.monotonic_ns(), True)
            case act.Finish():
                return self._finish(step)
            case act.Run():
                return self._run(step)
            case act.Kill():
                return self._kill(step, step.action)
        if step.verb.fault:
            return self._fault(step)
        return self._call(step)

    def end(self, end_ns: int) -> None:
        """The script is over: end the programs that still run, and note the calls that have not returned."""
        self._poll(0, lambda: False)
        for process in [*self._scripted.values(), *self._died.values()]:
            if process.begun is not None:
                self._note_call(process, process.begun, process.begun.index, process.done, end_ns)
        for program in list(self._programs.values()):
            if program.ended is None:
                self._kill_program(program, signal.SIGKILL)
            if program.ended is not None:
                self._note_program(program, program.begun.index)
        self._programs.clear()

    def leave(self, node: str) -> None:
        """Forget what runs on a node that is about to lose power."""
        self._must_run(node)
        self._poll(0, lambda: False)  # what has returned by now has its result
        now = time.monotonic_ns()
        self.about_to_leave(node)
        self.listener.leave(node)
        self.powered.discard(node)
        for process in [p for p in self._scripted.values() if p.who.partition(".")[0] == node]:
            if process.begun is not None:  # what has not returned goes with its machine
                self._note_call(process, process.begun, process.begun.index, process.done, now)
            self._lost.append(self._scripted.pop(process.who).child)  # closed now, it would end in peace and send FIN
        for program in [p for p in self._programs.values() if p.who.partition(".")[0] == node]:
            self.untraced = True
            self._lost.append(self._programs.pop(program.who).child)

    def enter(self, node: str) -> None:
        """Listen to a node that has power again."""
        while self._lost:
            self._lost.pop().close()
        self.listener.listen((node,))
        self.powered.add(node)
        self.rebooted.add(node)

    def _must_run(self, node: str) -> None:
        if node not in self.powered:
            raise LabError("act", node, errno.EHOSTDOWN, "it is switched off; 'boot' comes first")

    def _fault(self, step: Step) -> StepResult:
        start = time.monotonic_ns()
        carry_out(self, step.who, step.action)  # type: ignore[arg-type]
        end = time.monotonic_ns()
        self.events.append(Fault(start, step.who, step.action, end, step.index))
        return _result(step, Ok(), start, end)

    def _process(self, who: str) -> _Scripted:
        if who not in self._scripted:
            node = who.partition(".")[0]
            self._must_run(node)
            self._scripted[who] = _Scripted(who, self.lab.fork(node, scripted.serve))
        return self._scripted[who]

    def _call(self, step: Step) -> StepResult:
        process = self._process(step.who)
        if process.begun is not None:
            raise LabError(step.text, step.who, errno.EBUSY, f"'{process.begun.text}' is not finished")
        self._begin(process, step)
        if step.start:
            return StepResult(step.index, None, process.asked_ns, time.monotonic_ns(), True)
        return self._complete(process, step)

    def _begin(self, process: _Scripted, step: Step) -> None:
        action = step.action
        if isinstance(action, act.Connect):
            action = act.Connect(str(self.lab.plan.address(action.host)), action.port, action.socket)
        process.begun, process.asked, process.asked_ns = step, action, time.monotonic_ns()
        process.done = process.ended = None
        try:
            channel.send(process.child.sock, action)
        except channel.ChannelClosed:  # somebody has killed it
            self._end_of_process(process)

    def _complete(self, process: _Scripted, step: Step) -> StepResult:
        """Wait for the result of a call that was begun, no longer than the step allows."""
        begun = process.begun
        assert begun is not None
        self._poll(time.monotonic_ns() + round(step.limit_s * 1e9), lambda: process.done is not None)
        cancelled_ns = time.monotonic_ns() + round(_CANCEL_S * 1e9)
        while process.done is None and time.monotonic_ns() < cancelled_ns:
            self.lab.kill(process.child, CANCEL)  # once more where it came before the call
            self._poll(time.monotonic_ns() + _CANCEL_AGAIN_NS, lambda: process.done is not None)
        if process.done is None:  # stuck in the kernel, or stopped
            self.lab.kill(process.child, signal.SIGKILL)
            self._poll(time.monotonic_ns() + round(_ENDS_S * 1e9), lambda: process.done is not None)
        done = process.done or _untold(process, TimedOut(), time.monotonic_ns())
        self._note_call(process, begun, step.index, done)
        process.begun = process.done = None
        if self._died.get(step.who) is process:
            del self._died[step.who]
        return _result(step, done.result, done.start_ns, done.end_ns)

    def _finish(self, step: Step) -> StepResult:
        if step.who in self._programs:
            return self._program_outcome(step, self._programs[step.who])
        process = self._died.get(step.who) or self._scripted.get(step.who)
        if process is None or process.begun is None:
            raise LabError("finish", step.who, errno.EINVAL, "no call was started, or its machine lost power")
        return self._complete(process, step)

    def _kill(self, step: Step, action: act.Kill) -> StepResult:
        """Send a process a signal, and wait for its end where the signal is one that ends it."""
        number = signal.Signals[action.signal]
        if step.who in self._programs and self._programs[step.who].ended is None:
            program = self._programs[step.who]
            start = time.monotonic_ns()
            self._kill_program(program, number, step.limit_s)
            return _result(step, Ok(), start, time.monotonic_ns())
        process = self._process(step.who)
        if process.begun is None:  # it does so itself: then its end is the call's
            self._begin(process, step)
            return self._complete(process, step)
        start = process.killed_ns = time.monotonic_ns()
        self.lab.kill(process.child, number)
        self._poll(start + round(step.limit_s * 1e9), lambda: process.ended is not None)
        return _result(step, process.ended or Ok(), start, time.monotonic_ns())

    def _run(self, step: Step) -> StepResult:
        """Start a program, beside the scripted process that may have the same name."""
        assert isinstance(step.action, act.Run)
        self._must_run(step.node)
        before = self._programs.get(step.who)
        if before is not None:  # killed, and nobody asked what came of it
            if before.ended is None:
                raise LabError(step.text, step.who, errno.EBUSY, f"'{before.begun.text}' has not ended")
            self._note_program(before, before.begun.index)
            del self._programs[step.who]
        child = self.lab.fork(step.node, command.serve, step.action.argv, hosts_text(self.lab.plan), True)
        started, _ = channel.receive(child.sock)
        if isinstance(started, command.Refused):
            child.close()
            raise started.error
        program = _Program(step.who, child, step, started.start_ns)
        self._programs[step.who] = program
        if step.start:
            return StepResult(step.index, None, started.start_ns, time.monotonic_ns(), True)
        return self._program_outcome(step, program)

    def _program_outcome(self, step: Step, program: _Program) -> StepResult:
        """Wait for the end of a program, no longer than the step allows; then it is killed."""
        self._poll(time.monotonic_ns() + round(step.limit_s * 1e9), lambda: program.ended is not None)
        in_time = program.ended is not None
        if not in_time:
            self._kill_program(program, signal.SIGKILL)
        ended = program.ended
        if ended is None:
            raise LabError("end", step.who, errno.ETIMEDOUT, f"'{program.begun.text}' does not end")
        del self._programs[step.who]
        self._note_program(program, step.index)
        return _result(step, ended.outcome if in_time else TimedOut(), program.start_ns, ended.end_ns)

    def _kill_program(self, program: _Program, number: int, limit_s: float = _ENDS_S) -> None:
        program.killed_ns = time.monotonic_ns()
        try:
            channel.send(program.child.sock, command.Signal(number))
        except channel.ChannelClosed:  # somebody has killed its overseer
            self._take(program)
        self._poll(program.killed_ns + round(limit_s * 1e9), lambda: program.ended is not None)

    def _poll(self, until_ns: int, enough: Callable[[], bool]) -> None:
        """Take in whatever finishes, until it is enough or the time is up."""
        while not enough():
            waiting: dict[int, _Scripted | _Program] = {}
            poll = select.poll()
            everybody: list[_Scripted | _Program] = [*self._scripted.values(), *self._programs.values()]
            for one in everybody:
                if (one.begun is not None and one.done is None) if isinstance(one, _Scripted) else one.ended is None:
                    waiting[one.child.sock.fileno()] = one
                    poll.register(one.child.sock, select.POLLIN)
            left_ms = max(0.0, (until_ns - time.monotonic_ns()) / 1e6)
            ready = poll.poll(left_ms)
            for fd, _ in ready:
                self._take(waiting[fd])
            if not ready:
                return

    def _take(self, one: _Scripted | _Program) -> None:
        try:
            told: Any = channel.receive(one.child.sock)[0]
        except channel.ChannelClosed:
            told = None
        if isinstance(one, _Program):
            one.ended = told if told is not None else _vanished(one)
            self.lab.wait(one.child)
        elif told is not None:
            one.done = told
            _learn(one, told)
        else:
            self._end_of_process(one)

    def _end_of_process(self, process: _Scripted) -> None:
        """The process is gone instead of answering: say how."""
        outcome = ending(self.lab.wait(process.child))
        now = time.monotonic_ns()  # its sockets are closed by now
        process.child.close()
        del self._scripted[process.who]
        node = process.who.partition(".")[0]
        step = process.begun.index if process.begun else None
        began = max(process.asked_ns, process.killed_ns)
        self.events.append(ProcessEnd(now, node, process.who, outcome, began, process.child.pid, step))
        process.done, process.ended = _untold(process, outcome, now), outcome
        if process.begun is not None:
            before = self._died.get(process.who)
            if before is not None and before.begun is not None:  # nobody has asked for that one, or ever will
                self._note_call(before, before.begun, before.begun.index, before.done)
            self._died[process.who] = process

    def _note_call(self, process: _Scripted, begun: Step, step: int, done: Done | None, now_ns: int = 0) -> None:
        """Put a call on the timeline; `done` None: it had not returned when its machine lost power, or at the end."""
        if not begun.verb.call:
            return
        pid = process.child.pid
        done_ = done or _untold(process, TimedOut(), now_ns)
        self.events.append(
            Call(
                done_.start_ns,
                begun.node,
                begun.who,
                begun.verb.call,
                done_.result if done else None,
                done_.end_ns,
                _resolved(begun.action, done_),
                socket=_socket(begun.who, pid, done_.socket),
                made=_socket(begun.who, pid, done_.made),
                local=done_.local,
                remote=done_.remote,
                step=step,
                pid=pid,
            )
        )

    def _note_program(self, program: _Program, step: int) -> None:
        """Put a program's calls and its end on the timeline."""
        ended, begun = program.ended, program.begun
        assert ended is not None
        closed: tuple[str, ...] = ()
        began = program.killed_ns
        if ended.strace is None:
            self.untraced = True
        else:
            told = strace.parse(ended.strace, begun.node, begun.who, step, ended.clock_offset_ns)
            self.events += told.calls
            if told.missing:
                self.events.append(Missed(ended.end_ns, begun.node, "call", told.missing))
            for end in told.ends:
                if end.pid == told.first:
                    closed, began = end.closed, max(end.began_ns or 0, program.killed_ns or 0)
                else:
                    self.events.append(end)
        self.events.append(
            ProcessEnd(
                ended.end_ns, begun.node, begun.who, ended.outcome, began, program.child.pid, step, ended.output, closed
            )
        )


def _learn(process: _Scripted, done: Done) -> None:
    """Remember which socket a name of the script's means by now."""
    process.made = max(process.made, done.socket, done.made)
    name = getattr(process.asked, "socket", "")
    if name and (done.made or (done.socket and not isinstance(process.asked, act.Accept))):
        process.sockets[name] = done


def _untold(process: _Scripted, result: Result, end_ns: int) -> Done:
    """How a call went that its process says nothing of; the calls before it tell which socket it was made on."""
    action, done = process.asked, Done(result, process.asked_ns, end_ns)
    name = action.listener if isinstance(action, act.Accept) else getattr(action, "socket", "")
    known = process.sockets.get(name)
    if isinstance(action, act.Connect):
        done = replace(done, socket=process.made + 1, remote=Endpoint(action.host, action.port))
        if known is None or known.remote is not None:  # it makes one
            return done
    if known is None:
        return done
    return replace(done, socket=known.made or known.socket, local=known.local, remote=done.remote or known.remote)


def _resolved(action: act.Action, done: Done) -> act.Action:
    """A connect() by the address that it was really made to."""
    if isinstance(action, act.Connect) and done.remote is not None:
        return act.Connect(done.remote.address, done.remote.port, action.socket)
    return action


def _socket(who: str, pid: int, number: int) -> str:
    return f"{who}:{pid}.{number}" if number else ""


def _vanished(program: _Program) -> command.Ended:
    """Its overseer was killed, and so was the program."""
    now = time.monotonic_ns()
    return command.Ended(Signalled("SIGKILL"), "", None, program.start_ns, now, now - time.time_ns())


def _result(step: Step, observed: Result, start_ns: int, end_ns: int) -> StepResult:
    ok = step.expected is None or matches(step.expected, observed)
    if step.verb.fault:
        ok = step.expected is None or step.expected == Ok()
    return StepResult(step.index, observed, start_ns, end_ns, ok)
