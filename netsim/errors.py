"""What netsim says when it cannot go on.

    NetsimError                 carries the exit code
    ├── InputError         2    something a person wrote is wrong: what, where, and what to do
    ├── HostError          3    this machine cannot do it: what is missing, and how to get it
    └── LabError           1    the kernel refused something inside a lab: errno, node, operation

A connection that dies inside a lab is no error of netsim's: that is an Event.
"""

from __future__ import annotations

import errno
import os
from typing import ClassVar


class NetsimError(Exception):
    """The root of everything that netsim raises on purpose; `str()` is one sentence for a person."""

    exit_code: ClassVar[int] = 1


class InputError(NetsimError):
    """A file, a name or an argument that netsim cannot accept.

    `subject` is the Node, Link or Route that it is about, if any: whoever read that from a file
    knows its line.
    """

    exit_code = 2

    def __init__(self, sentence: str, subject: object = None) -> None:
        self.subject = subject
        super().__init__(sentence)


class HostError(NetsimError):
    """Something that this machine does not have or does not allow."""

    exit_code = 3


class LabError(NetsimError):
    """The kernel's refusal of one operation on one node, with the errno that it gave."""

    def __init__(self, operation: str, node: str, number: int, detail: str = "") -> None:
        self.operation, self.node, self.errno, self.detail = operation, node, number, detail
        super().__init__(operation, node, number, detail)

    def __str__(self) -> str:
        name = errno.errorcode.get(self.errno, str(self.errno))
        said = self.detail or os.strerror(self.errno)
        return f"{self.operation} on {self.node} failed: {name} ({said})"
