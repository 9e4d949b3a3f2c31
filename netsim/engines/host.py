"""The `host` engine's claims on this machine: root, and nothing left over from killed runs."""

from __future__ import annotations

import os
import sys

from netsim.errors import HostError
from netsim.linux import stale


def check(command: str) -> None:
    """Raise HostError where this user cannot build networks."""
    if os.geteuid() != 0:
        raise HostError(f"building networks needs root; run: sudo {command}")


def recover() -> None:
    """Give back what killed runs left, as `netsim clean` does, and say so on stderr."""
    for lab in dict.fromkeys(one.lab for one in stale.clean()):
        print(f"netsim: gave back what a killed run of {lab} had left", file=sys.stderr)
