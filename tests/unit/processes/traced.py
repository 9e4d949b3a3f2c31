"""What is made of strace's text, in lines that a test can be read by."""

from __future__ import annotations

from netsim.model.action import Close
from netsim.model.event import Call, ProcessEnd
from netsim.processes.strace import Traced, parse


def read(text: str, offset_ns: int = 0) -> Traced:
    return parse(text, "client", "client.web", 3, offset_ns)


def calls(text: str, offset_ns: int = 0) -> list[Call]:
    return read(text, offset_ns).calls


def told(text: str) -> list[str]:
    """The calls as `connect 10.0.0.2:80 = EINPROGRESS`, those that no script can make as `getsockname(...) = ok`."""
    return [said(call) for call in calls(text)]


def said(call: Call) -> str:
    if call.action is None:
        return f"{call.name}({call.detail}) = {call.result}"
    asked = " ".join(filter(None, (call.name, str(call.action), call.detail)))
    return f"{asked} = {call.result}"


def on_sockets(text: str) -> list[str]:
    """The calls and the ends of processes, by time, with sockets by letters in the order of their first mention.

    `a: close = ok` is no end of the socket, which somebody else has open; `a: close = ok, its end` is.
    """
    letters: dict[str, str] = {}

    def letter(socket: str) -> str:
        return letters.setdefault(socket, chr(ord("a") + len(letters)))

    traced = read(text)
    lines = []
    for event in sorted([*traced.calls, *traced.ends], key=lambda event: event.time_ns):
        if isinstance(event, ProcessEnd):
            closed = " ".join(map(letter, event.closed))
            lines.append(f"{event.pid} ends: {event.outcome}" + (f", closing {closed}" if closed else ""))
        else:
            on = f"{letter(event.socket)}: " if event.socket else ""
            end = ", its end" if isinstance(event.action, Close) and event.final else ""
            made = f", which is {letter(event.made)}" if event.made else ""
            lines.append(f"{on}{said(event)}{made}{end}")
    return lines


def trace(*lines: str, since_s: int = 100) -> str:
    """A text of strace's from its lines, each `PID CALL`, one a millisecond; durations are left out."""
    return "".join(
        f"{pid} {since_s}.{number:03d}000 {rest}\n"
        for number, (pid, _, rest) in enumerate(line.partition(" ") for line in lines)
    )
