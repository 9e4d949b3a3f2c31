"""One line of the script: who, what, and what must come of it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from netsim.errors import InputError
from netsim.model.action import Action
from netsim.model.names import nearest, shown
from netsim.model.result import Result, parse_result
from netsim.model.verbs import BY_NAME, STARTABLE, VERBS, Verb, limited_duration, verb_of

DEFAULT_WITHIN_S = 10.0
"""How long a call may block before its step is given up, where the step does not say `within`."""

_SPACES = re.compile(r"""('[^']*'|"(?:\\.|[^"\\])*"|\\.)|\s+""")
"""White space between words counts as one space; what a command's argument has in quotes is the argument's own."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step, as written and as read."""

    index: int
    who: str
    """A node, `node.name` for a further process on it, a link's id, or `lab`."""
    action: Action
    text: str
    """What is done, as written, without its expected result."""
    expected: Result | None = None
    within_s: float | None = None
    start: bool = False
    """Begin the call and go on; a later `finish` of the same process takes its result."""
    line: int = 0

    @property
    def verb(self) -> Verb:
        return verb_of(self.action)

    @property
    def line_text(self) -> str:
        """What is done, on one line, whatever a program's arguments hold."""
        return " ".join(self.text.split())

    @property
    def node(self) -> str:
        """The node of a process or a node step; '' for links and the lab."""
        return self.who.partition(".")[0] if self.verb.who in {"process", "node"} else ""

    @property
    def limit_s(self) -> float:
        return DEFAULT_WITHIN_S if self.within_s is None else self.within_s


def parse_step(index: int, who: str, text: str, line: int = 0) -> Step:
    """Read one line of a script; raises InputError that says what would be right."""
    words = _SPACES.sub(lambda found: found[1] or " ", text).strip()
    what, separator, outcome = (" " + words + " ").rpartition(" = ")
    if not separator or _is_open(what):  # that one is inside a program's argument
        what, separator, outcome = words, "", ""
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
    action = verb.read(rest)
    if action is None:
        raise InputError(f"{shown(what)} does not read as '{verb.usage}'")
    expected, within_s = _parse_outcome(outcome) if outcome else (None, None)
    if start and expected:
        raise InputError(f"{shown(words)}: a call that is started has no result yet; put it on its 'finish'")
    return Step(index, who, action, what, expected, within_s, start, line)


def _is_open(text: str) -> bool:
    """Is a quote open at the end of a text, as a shell reads it?"""
    if "'" not in text and '"' not in text:
        return False
    try:
        shlex.split(text)
    except ValueError:
        return True
    return False


def _parse_outcome(outcome: str) -> tuple[Result, float | None]:
    result, separator, limit = (" " + outcome).rpartition(" within ")
    if not separator:
        return parse_result(outcome), None
    return parse_result(result.strip()), limited_duration(limit)
