"""netsim builds a real Linux network, breaks it in one precise way, and explains why the connection died.

The Python API; everything else is private.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from netsim.errors import HostError, InputError, LabError, NetsimError
    from netsim.explain import explain
    from netsim.files.library import load
    from netsim.files.recording import read, write
    from netsim.runner import run

__version__ = "0.1.0"

__all__ = [
    "HostError",
    "InputError",
    "LabError",
    "NetsimError",
    "__version__",
    "explain",
    "load",
    "read",
    "run",
    "write",
]

_HOMES = {
    "HostError": "netsim.errors",
    "InputError": "netsim.errors",
    "LabError": "netsim.errors",
    "NetsimError": "netsim.errors",
    "explain": "netsim.explain",
    "load": "netsim.files.library",
    "read": "netsim.files.recording",
    "run": "netsim.runner",
    "write": "netsim.files.recording",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: `netsim --help` needs none of it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'netsim' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
