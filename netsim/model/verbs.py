"""Every word that a step can start with: who may do it, how it is written, what it means.

Data only. A verb of a process is carried out by netsim/processes, a fault by its file in
netsim/faults; a test holds the three together.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Who = Literal["process", "node", "link", "lab"]


@dataclass(frozen=True, slots=True)
class Verb:
    """One word of the script language.

    `pattern` reads what follows the word; its group names are the names of the action's arguments.
    """

    name: str
    who: Who
    usage: str
    pattern: str
    about: str
    fault: bool = False

    def read(self, text: str) -> dict[str, str] | None:
        """Split the text behind the verb into arguments; None where it does not fit `usage`."""
        found = re.fullmatch(self.pattern, text, re.ASCII)
        return None if found is None else {k: v for k, v in found.groupdict().items() if v is not None}


_ON = r"(?:(?:^| )on (?P<socket>[a-z][a-z0-9-]*))?"
_AS = r"(?:(?:^| )as (?P<socket>[a-z][a-z0-9-]*))?"

VERBS: tuple[Verb, ...] = (
    Verb("listen", "process", "listen PORT [backlog N] [as SOCKET]",
         rf"(?P<port>\d+)(?: backlog (?P<backlog>\d+))?{_AS}", "socket(), bind() and listen()"),
    Verb("bind", "process", "bind PORT [on SOCKET]", rf"(?P<port>\d+){_ON}", "bind() to a local port"),
    Verb("connect", "process", "connect NODE:PORT [as SOCKET]",
         rf"(?P<host>\S+):(?P<port>\d+){_AS}", "connect() to a port of a node"),
    Verb("accept", "process", "accept [on LISTENER] [as SOCKET]",
         rf"(?:on (?P<listener>[a-z][a-z0-9-]*))?{_AS}", "accept() one connection"),
    Verb("send", "process", "send BYTES [on SOCKET]", rf"(?P<size>\d+){_ON}", "send() that many bytes"),
    Verb("recv", "process", "recv [BYTES] [waitall] [on SOCKET]",
         rf"(?P<size>\d+)?(?:(?:^| )(?P<waitall>waitall))?{_ON}",
         "recv() at most that many bytes (65536); waitall: exactly that many (MSG_WAITALL)"),
    Verb("shutdown", "process", "shutdown rd|wr|rdwr [on SOCKET]", rf"(?P<how>rd|wr|rdwr){_ON}", "shutdown()"),
    Verb("close", "process", "close [SOCKET]", r"(?P<socket>[a-z][a-z0-9-]*)?", "close()"),
    Verb("set", "process", "set OPTION VALUE [on SOCKET]",
         rf"(?P<option>[a-z_]+) (?P<value>\S+){_ON}",
         "setsockopt(): linger SECONDS|off, keepalive, nodelay, reuseaddr, reuseport on|off, "
         "user_timeout, rcvtimeo, sndtimeo DURATION, rcvbuf, sndbuf BYTES"),
    Verb("poll", "process", "poll [IN] [OUT] [RDHUP] [on SOCKET]",
         rf"(?P<events>(?:(?:^| )(?:IN|OUT|PRI|RDHUP))+)?{_ON}",
         "poll() until one of these is ready; ERR and HUP always end it"),
    Verb("error", "process", "error [on SOCKET]", rf"{_ON}", "getsockopt(SO_ERROR), which also clears it"),
    Verb("signal", "process", "signal SIGNAME default|ignore", r"(?P<signal>SIG[A-Z0-9]+) (?P<action>default|ignore)",
         "how this process takes a signal; SIGPIPE is ignored unless a step says default"),
    Verb("kill", "process", "kill [SIGNAME]", r"(?P<signal>SIG[A-Z0-9]+)?", "end the process, by SIGKILL or another"),
    Verb("finish", "process", "finish", r"", "wait for the call that an earlier 'start' began, or for the command"),
    Verb("run", "process", "run COMMAND [ARGUMENT]...", r"(?P<command>\S.*)",
         "any program, without root's rights and with a read-only view of the files; no shell"),
    Verb("cut", "link", "cut [to NODE]", r"(?:to (?P<to>\S+))?",
         "cut the cable: frames vanish, the carrier stays; 'to' cuts one direction only", fault=True),
    Verb("heal", "link", "heal", r"", "mend the cable", fault=True),
    Verb("crash", "node", "crash", r"", "power loss: everything on the node is gone, and not one packet says so",
         fault=True),
    Verb("boot", "node", "boot", r"", "power on again: the same addresses, nothing remembered", fault=True),
    Verb("reject", "node", "reject ... (a firewall rule)", r"(?P<rule>.+)", "put a reject rule in place", fault=True),
    Verb("drop", "node", "drop ... (a firewall rule)", r"(?P<rule>.+)", "put a drop rule in place", fault=True),
    Verb("sysctl", "node", "sysctl NAME=VALUE", r"(?P<key>[^=\s]+)=(?P<value>\S.*)", "set a sysctl of the node",
         fault=True),
    Verb("wait", "lab", "wait DURATION", r"(?P<duration>\S+)", "let the lab's clock run"),
)  # fmt: skip

BY_NAME = {verb.name: verb for verb in VERBS}

STARTABLE = frozenset({"connect", "accept", "send", "recv", "poll", "close", "run"})
"""Calls that can block, and so can be begun by `start` and ended by `finish`."""
