"""A command's socket calls, as strace(1) tells them.

strace stops the program twice a call, which costs it some 30 µs each time; with --seccomp-bpf only
at the calls that are asked for. Its times are taken in strace, so a call seems to begin and end a
little later than it did.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from netsim.model.event import Call

_ASKED = ("-f", "-ttt", "-T", "-yy", "-e", "trace=%network,close,read,write,readv,writev")

OPTIONS = (("-DDD", "--seccomp-bpf", *_ASKED), ("-D", *_ASKED))
"""What to try, in this order; the first that works is taken. -D: the program itself is our child, strace is not."""

_LINE = re.compile(r"(?:(?P<pid>\d{1,10})\s+)?(?P<seconds>\d{1,12})\.(?P<fraction>\d+)\s+(?P<rest>.*)", re.ASCII)
_RESUMED = re.compile(r"<\.\.\. (?P<call>\w+) resumed>(?P<rest>.*)")
_TOOK = re.compile(r" <(?P<seconds>\d{1,12})\.(?P<fraction>\d+)>$")
_CALL = re.compile(r"(?P<call>\w+)\((?P<args>.*)\)\s+= (?P<result>.*)")
_SAME = re.compile(r"\w+\(\d+<")
"""A call and its descriptor, which one that begins again has in common with its beginning."""
_UNFINISHED = " <unfinished ...>"
_FD = re.compile(r"(?P<fd>\d{1,10})<(?P<kind>[A-Z][A-Za-z0-9-]*):\[(?P<about>[^\]\[]*(?:\[[^\]]*\][^\]\[]*)*)\]>")
_TCP = frozenset({"TCP", "TCPv6", "MPTCP", "MPTCPv6"})
_ADDRESS = re.compile(
    r"\{sa_family=AF_INET6?, sin6?_port=htons\((?P<port>\d+)\),[^{}]*?"
    r'(?:inet_addr\("(?P<v4>[^"]*)"\)|inet_pton\(AF_INET6, "(?P<v6>[^"]*)")'
)
_TRANSFERS = frozenset({"read", "readv", "write", "writev", "sendto", "sendmsg", "sendmmsg", "recvfrom", "recvmsg",
                        "recvmmsg"})  # fmt: skip
_READS = frozenset({"read", "readv", "recvfrom", "recvmsg"})
_SIZED = {"read": 2, "write": 2, "sendto": 2, "recvfrom": 2}
"""Which argument is the size, for the calls that have one."""
_MAKERS = frozenset({"socket", "accept", "accept4"})

_Ends = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Begun:
    """A call whose return is yet to come, or that a signal took out of the kernel."""

    pid: int
    time_ns: int
    text: str
    first_ns: int
    """When it began, where the kernel began it again after a signal; else the same as `time_ns`."""
    left_ns: int | None = None
    """When a signal took it out of the kernel, if one did."""


@dataclass(slots=True)
class _Reader:
    """What is known while the lines go by."""

    node: str
    process: str
    step: int | None
    calls: list[Call] = field(default_factory=list)
    begun: dict[int, _Begun] = field(default_factory=dict)
    """By pid."""
    ends: dict[int, _Ends] = field(default_factory=dict)
    """By descriptor, threads have them in common: the addresses as last seen. A reset socket has none any more."""
    connecting: dict[int, int] = field(default_factory=dict)
    """By descriptor: the place in `calls` of a connect() whose local address is not known yet."""


def parse(text: str, node: str, process: str, step: int | None, clock_offset_ns: int) -> list[Call]:
    """Read the calls on TCP sockets from `strace -f -ttt -T -yy`, in the order in which they began.

    Others are left out: getaddrinfo() connects UDP sockets just to see which address would do
    (RFC 6724), and what it gets looks like failures.

    `clock_offset_ns` is added to strace's wall clock. A call that never returned has the result
    `timeout`, and ends when its process did. getsockopt(SO_ERROR) has as its result the error that
    it fetched. Pids are those of the command's own PID namespace. A line cut short, or one that is
    none of strace's, is passed over.
    """
    reader = _Reader(node, process, step)
    last_ns = 0
    for line in text.splitlines():
        found = _LINE.fullmatch(line)
        if found is not None:
            last_ns = _ns(found["seconds"], found["fraction"]) + clock_offset_ns
            _read(reader, int(found["pid"] or 0), last_ns, found["rest"])
    for pid in list(reader.begun):
        _end_of_process(reader, pid, last_ns)
    return sorted(reader.calls, key=lambda call: call.time_ns)


def _read(reader: _Reader, pid: int, time_ns: int, rest: str) -> None:
    if rest.startswith("+++"):  # +++ exited with 0 +++, +++ killed by SIGPIPE +++
        _end_of_process(reader, pid, time_ns)
    elif rest.startswith("---"):  # a signal: the call that it interrupts says so itself
        return
    elif resumed := _RESUMED.fullmatch(rest):
        begun = reader.begun.pop(pid, None)
        if begun is not None and begun.text.startswith(resumed["call"] + "("):
            _returned(reader, begun, begun.text + resumed["rest"], time_ns)
    else:
        begun = _Begun(pid, time_ns, rest.removesuffix(_UNFINISHED), _first_ns(reader, pid, time_ns, rest))
        if rest.endswith(_UNFINISHED):
            reader.begun[pid] = begun
        else:
            _returned(reader, begun, rest, time_ns)


def _first_ns(reader: _Reader, pid: int, time_ns: int, rest: str) -> int:
    """When the call on this line began: a signal may have interrupted it on an earlier line of the process's.

    Where the next call is another one, the interrupted one gave EINTR to the program.
    """
    before = reader.begun.pop(pid, None)
    if before is None or before.left_ns is None:
        return time_ns
    same, now = _SAME.match(before.text), _SAME.match(rest)
    if same and now and same[0] == now[0]:
        return before.first_ns
    _take(reader, before, before.text + ") = -1 EINTR", before.left_ns)
    return time_ns


def _end_of_process(reader: _Reader, pid: int, time_ns: int) -> None:
    begun = reader.begun.pop(pid, None)
    if begun is not None:
        _take(reader, begun, begun.text.rstrip(", ") + ") = ?", time_ns)


def _returned(reader: _Reader, begun: _Begun, text: str, time_ns: int) -> None:
    """Take in a call that has returned, by what -T says of its duration."""
    found = _TOOK.search(text)
    end_ns = begun.time_ns + _ns(found["seconds"], found["fraction"]) if found else time_ns
    text = text[: found.start()] if found else text
    call, interrupted, _ = text.rpartition(") = ? ERESTART")
    if interrupted:
        reader.begun[begun.pid] = replace(begun, text=call, left_ns=end_ns)
    else:
        _take(reader, begun, text, end_ns)


def _take(reader: _Reader, begun: _Begun, text: str, end_ns: int) -> None:
    """Keep a call, if it is one on a TCP socket."""
    found = _CALL.fullmatch(text) if "TCP" in text or text.startswith("socket(AF_INET") else None
    if found is None:
        return
    name, result, args = found["call"], found["result"], list(_split(found["args"]))
    made = _FD.match(result) if name in _MAKERS else None
    own = made or (_FD.match(args[0]) if args else None)
    none_made = own is None and text.startswith("socket(AF_INET") and "SOCK_STREAM" in text
    if not none_made and (own is None or own["kind"] not in _TCP):
        return
    fd = int(own["fd"]) if own else -1
    known = ("", "") if made else reader.ends.get(fd, ("", ""))
    local, remote = _ends(known, own["about"] if own else "", name, args, result)
    call = Call(
        begun.first_ns, reader.node, reader.process, name, _shown(name, args), _result(name, args, result), end_ns,
        reader.step, begun.pid, local, remote,
    )  # fmt: skip
    _remember(reader, call, fd)
    reader.calls.append(call)


def _ends(known: _Ends, about: str, name: str, args: list[str], result: str) -> _Ends:
    """The two addresses of a socket: as -yy shows them, as the call gives them, or as they were last seen."""
    local, remote = known
    if about and not about.isdigit():  # a number is the inode of a socket without addresses
        local, _, far = about.partition("->")
        remote = far or remote
    address = next((found for found in map(_address, args[1:]) if found), "")
    if name in {"connect", "sendto", "sendmsg"}:
        remote = address or remote
    elif name in {"bind", "getsockname"} and result == "0":
        local = address or local
    return local, remote


def _remember(reader: _Reader, call: Call, fd: int) -> None:
    """Keep a socket's addresses for later lines, and tell them to the connect() that was too early to know."""
    place = reader.connecting.get(fd)
    if place is not None and call.local and call.remote == reader.calls[place].remote:
        reader.calls[place] = replace(reader.calls[place], local=call.local)
        del reader.connecting[fd]
    if call.call == "connect" and not call.local:
        reader.connecting[fd] = len(reader.calls)
    if call.call == "close":
        reader.ends.pop(fd, None)
        reader.connecting.pop(fd, None)
    else:
        reader.ends[fd] = (call.local, call.remote)


def _result(name: str, args: list[str], result: str) -> str:
    """strace's words for a result in ours: ok, a number, an errno, eof, timeout."""
    value, _, more = result.partition(" ")
    if value == "-1":
        return more.partition(" ")[0] or "-1"
    if value == "?":
        return "timeout"
    if name == "getsockopt" and len(args) > 3 and args[2] == "SO_ERROR":
        error = args[3].strip("[]")
        return "ok" if error == "0" else error
    if name in _TRANSFERS:
        asked_nothing = name in _SIZED and args[_SIZED[name] :][:1] == ["0"]
        return "eof" if value == "0" and name in _READS and not asked_nothing else value
    return "ok"


def _shown(name: str, args: list[str]) -> str:
    """The arguments as a person would put them: an address, a size, an option and its value."""
    shown = [found for found in map(_address, args) if found]
    if name in _SIZED:
        shown = args[_SIZED[name] :][:1] + shown
    elif name == "setsockopt":
        shown = [arg.strip("[]") for arg in args[2:4]]
    elif name == "getsockopt":
        shown = args[2:3]
    elif name in {"shutdown", "listen"}:
        shown = args[1:]
    elif name == "socket":
        shown = args
    return ", ".join(shown)


def _address(text: str) -> str:
    found = _ADDRESS.search(text)
    if found is None:
        return ""
    return f"[{found['v6']}]:{found['port']}" if found["v6"] else f"{found['v4']}:{found['port']}"


_BRACKETS = {"(": 1, "[": 1, "{": 1, "<": 1, ")": -1, "]": -1, "}": -1, ">": -1}


def _split(args: str) -> Iterator[str]:
    """Divide arguments at their own commas, not at those in strings, structures and descriptors."""
    depth, start, i, quoted = 0, 0, 0, False
    while i < len(args):
        letter = args[i]
        if letter == "\\" and quoted:
            i += 1
        elif letter == '"':
            quoted = not quoted
        elif not quoted and not args.startswith("->", i - 1):
            depth += _BRACKETS.get(letter, 0)
            if letter == "," and depth == 0:
                yield args[start:i].strip()
                start = i + 1
        i += 1
    if last := args[start:].strip():
        yield last


def _ns(seconds: str, fraction: str) -> int:
    return int(seconds) * 1_000_000_000 + int(fraction[:9].ljust(9, "0"))
