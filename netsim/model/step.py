"""One line of the script: who, what, and what must come of it."""

from __future__ import annotations

import errno
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass

from netsim.errors import InputError
from netsim.model.duration import parse_duration
from netsim.model.names import nearest, shown
from netsim.model.verbs import BY_NAME, STARTABLE, VERBS, Verb

DEFAULT_WITHIN_S = 10.0
"""How long a call may block before its step is given up, where the step does not say `within`."""

POLL_EVENTS = ("IN", "PRI", "OUT", "ERR", "HUP", "RDHUP")
ERRNOS = frozenset(errno.errorcode.values()) - {"EDEADLOCK"}
_SIGNALS = frozenset(s.name for s in signal.valid_signals() if isinstance(s, signal.Signals))


@dataclass(frozen=True, slots=True)
class Step:
    """One step, as written and as read."""

    index: int
    who: str
    """A node, `node.name` for a further process on it, a link `a -- b`, or `lab`."""
    verb: Verb
    args: Mapping[str, str]
    text: str
    """What is done, as written, without its expected result."""
    expected: str | None = None
    within_s: float | None = None
    start: bool = False
    """Begin the call and go on; a later `finish` of the same process takes its result."""
    line: int = 0

    @property
    def node(self) -> str:
        """The node of a process or a node step; '' for links and the lab."""
        return self.who.partition(".")[0] if self.verb.who in {"process", "node"} else ""

    @property
    def limit_s(self) -> float:
        return DEFAULT_WITHIN_S if self.within_s is None else self.within_s


def parse_step(index: int, who: str, text: str, line: int = 0) -> Step:
    """Read one line of a script; raises InputError that says what would be right."""
    words = " ".join(text.split())
    what, separator, outcome = (" " + words + " ").rpartition(" = ")
    if not separator:
        what, outcome = words, ""
    what, outcome = what.strip(), outcome.strip()
    if separator and not outcome:
        raise InputError(f"{shown(words)} ends with '=' but says no result; write one, or leave the '=' out")
    start = what.startswith("start ")
    name, _, rest = what.removeprefix("start ").partition(" ")
    verb = BY_NAME.get(name)
    if verb is None:
        known = ", ".join(v.name for v in VERBS)
        raise InputError(f"unknown verb {shown(name)}{nearest(name, BY_NAME) or f'; the verbs are {known}'}")
    if start and name not in STARTABLE:
        raise InputError(f"'start' goes with calls that can block ({', '.join(sorted(STARTABLE))}), not with {name}")
    args = verb.read(rest)
    if args is None:
        raise InputError(f"{shown(what)} does not read as '{verb.usage}'")
    expected, within_s = _parse_outcome(outcome) if outcome else (None, None)
    if start and expected:
        raise InputError(f"{shown(words)}: a call that is started has no result yet; put it on its 'finish'")
    return Step(index, who, verb, args, what, expected, within_s, start, line)


def _parse_outcome(outcome: str) -> tuple[str, float | None]:
    result, separator, limit = (" " + outcome).rpartition(" within ")
    if not separator:
        return parse_result(outcome), None
    return parse_result(result.strip()), parse_duration(limit)


def parse_result(text: str) -> str:
    """Read an expected result into its one spelling; raises InputError.

    ok, a number, an errno by name, eof, timeout, `signal SIGPIPE`, `exit 141`, or poll events.
    """
    words = text.split()
    if text in {"ok", "eof", "timeout"} or re.fullmatch(r"[0-9]{1,12}", text):
        return text if not text.isdigit() else str(int(text))
    if text in ERRNOS:
        return text
    if len(words) == 2 and words[0] == "signal" and words[1] in _SIGNALS:
        return text
    if len(words) == 2 and words[0] == "exit" and re.fullmatch(r"[0-9]{1,3}", words[1]) and int(words[1]) < 256:
        return text
    if words and all(word in POLL_EVENTS for word in words):
        return " ".join(event for event in POLL_EVENTS if event in words)
    if re.fullmatch(r"E[A-Z0-9]+", text):
        raise InputError(f"unknown errno {text}{nearest(text, ERRNOS) or '; see errno(3)'}")
    hint = nearest(text, {"ok", "eof", "timeout", *ERRNOS})
    raise InputError(
        f"{shown(text)} is no result; a result is ok, a number, an errno such as ECONNRESET, eof, timeout, "
        f"'signal SIGPIPE', 'exit 1' or poll events such as 'IN HUP'{hint}"
    )
