"""What may be called what: the names of nodes, labs and sockets."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from netsim.errors import InputError

NAME_PATTERN = "[a-z](?:[a-z0-9-]*[a-z0-9])?"

NAME_MAX = 40
"""Letters in a name: `LAB.NODE` must fit a file name, and a person's eye."""

RESERVED = frozenset({"lab", "localhost", "all"})


def name_fault(name: str) -> str | None:
    """Say why a name is none, or None where it is one (a host name label, RFC 1123, in lower case)."""
    if not name:
        return "a name cannot be empty"
    if len(name) > NAME_MAX:
        return f"a name has at most {NAME_MAX} letters, this one has {len(name)}"
    if not re.fullmatch(NAME_PATTERN, name):
        return "a name is made of a-z, 0-9 and '-', starts with a letter and does not end with '-'"
    if name in RESERVED:
        return f"{name!r} is a word of netsim's own"
    return None


def nearest(word: str, known: Iterable[str]) -> str:
    """Offer the known word nearest to a mistyped one, as the end of a sentence; '' where none is near."""
    found = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {found[0]!r}?" if found else ""


def shown(value: object, limit: int = 60) -> str:
    """Quote what a person wrote, shortened and with its control characters escaped."""
    text = ascii(value) if isinstance(value, str) else str(value)
    return text if len(text) <= limit else text[: limit - 4] + "...'"


def checked_name(name: str, what: str) -> str:
    """Give a name back; raises InputError where it can be none."""
    fault = name_fault(name)
    if fault is not None:
        raise InputError(f"{shown(name)} cannot be the name of a {what}: {fault}")
    return name


_SYSCTL = re.compile(r"net(?:\.[a-z0-9_-]+){2,8}\Z")
_SYSCTL_VALUE_MAX = 200


def sysctl_name(name: str) -> str:
    """Bring the name of a kernel setting to its dotted form; raises InputError.

    Only names under net.: the others are the machine's, not the node's (ip-netns(8)).
    """
    dotted = name.replace("/", ".")
    if not _SYSCTL.match(dotted):
        raise InputError(
            f"{shown(name)} is no setting of a node; only names under net. are, such as net.ipv4.tcp_retries2"
        )
    return dotted


def sysctl_value(text: str) -> str:
    """Read what a kernel setting is set to; raises InputError."""
    words = " ".join(text.split())
    if not words.isascii() or len(words) > _SYSCTL_VALUE_MAX:
        raise InputError(f"{shown(text)} is no value for a kernel setting; most are a number")
    return words
