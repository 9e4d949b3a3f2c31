"""A program's socket calls, as strace(1) tells them: each on the one socket that it was made on, from birth to close.

strace stops the program twice a call, which costs it some 30 µs each time; with --seccomp-bpf only at the calls that
are asked for. Descriptors are followed through dup(), fork(), exec() and exit: a close() ends a socket only where
nobody else has it open.
"""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace

from netsim.model import action as act
from netsim.model.action import Action
from netsim.model.duration import write_duration
from netsim.model.endpoint import WILDCARDS, Endpoint, parse_endpoint
from netsim.model.event import Call, ProcessEnd
from netsim.model.result import POLL_EVENTS, Count, Eof, Errno, Exited, Ok, Ready, Result, Signalled

_CALLS = (
    "read", "write", "readv", "writev", "splice", "sendfile", "sendfile64", "poll", "ppoll", "epoll_ctl", "epoll_wait",
    "epoll_pwait", "epoll_pwait2", "close", "close_range", "dup", "dup2", "dup3", "fcntl", "fcntl64", "clone", "clone3",
    "fork", "vfork", "execve", "ioctl", "io_uring_setup", "io_setup",
)  # fmt: skip
_ASKED = ("-f", "-ttt", "-T", "-yy", "-e", f"trace=%network,{','.join(f'?{call}' for call in _CALLS)}")
"""Not every machine has all of them: what has a question mark may be missing (strace(1))."""

OPTIONS = (("-DDD", "--seccomp-bpf", *_ASKED), ("-D", *_ASKED))
"""What to try, in this order; the first that works is taken. -D: the program itself is our child, strace is not."""

_MISSING = re.compile(r"\.\.\. (\d+) lines are missing")
_LINE = re.compile(
    r"(?:(?P<pid>\d{1,10})\s+)?(?P<seconds>\d{1,12})\.(?P<fraction>\d+)\s+(?P<rest>.*?)(?: @(?P<seen>\d{1,20}))?",
    re.ASCII,
)
_RESUMED = re.compile(r"<\.\.\. (?P<call>\w+) resumed>(?P<rest>.*)")
_TOOK = re.compile(r" <(?P<seconds>\d{1,12})\.(?P<fraction>\d+)>$")
_CALL = re.compile(r"(?P<call>\w+)\((?P<args>.*)\)\s+= (?P<result>.*)")
_SAME = re.compile(r"\w+\(\d+<")
"""A call and its descriptor, which one that begins again has in common with its beginning."""
_UNFINISHED = " <unfinished ...>"
_FD = re.compile(
    r"(?P<fd>\d{1,10})<(?P<kind>[A-Z][A-Za-z0-9-]{0,20}):"
    r"\[(?P<about>[^\]\[]{0,90}(?:\[[^\]]{0,90}\][^\]\[]{0,90}){0,2})\]>"
)
"""All that repeats is bounded, here and below: a program can write lines on which it would take hours else."""
_NUMBER = re.compile(r"(\d{1,10})(?:<.*)?$")
_TCP = frozenset({"TCP", "TCPv6", "MPTCP", "MPTCPv6"})
_ADDRESS = re.compile(
    r"\{sa_family=AF_INET6?, sin6?_port=htons\((?P<port>\d+)\),[^{}]{0,200}?"
    r'(?:inet_addr\("(?P<v4>[^"]+)"\)|inet_pton\(AF_INET6, "(?P<v6>[^"]+)")'
)
_DIED = re.compile(r"(?: <unfinished \.\.\.>)?\) += \?(?: <unavailable>)?$")
_ENDED = re.compile(r"\+\+\+ (?:exited with (?P<code>\d{1,3})|killed by (?P<signal>\S+))")
_NAMES = {
    "accept4": "accept", "recvfrom": "recv", "sendto": "send", "ppoll": "poll", "epoll_pwait": "epoll_wait",
    "epoll_pwait2": "epoll_wait", "fcntl64": "fcntl", "sendfile64": "sendfile",
}  # fmt: skip
"""The one name of a call that has several."""
_TRANSFERS = frozenset({
    "read", "readv", "write", "writev", "send", "sendmsg", "recv", "recvmsg", "splice", "sendfile",
})  # fmt: skip
"""Those that give a number of bytes; recvmmsg() and sendmmsg() give one of messages."""
_READS = frozenset({"read", "readv", "recv", "recvmsg"})
_FORKS = frozenset({"clone", "clone3", "fork", "vfork"})
_IP = (["AF_INET"], ["AF_INET6"])
_EPOLLED = re.compile(r"\{events=(?P<events>[A-Z0-9x|]+), data=(?P<data>\{[^}]{0,90}\}|\w{1,20})\}")
_RIGHTS = re.compile(
    r"cmsg_type=SCM_RIGHTS, cmsg_data=\[(?:[^\[\]]|\[[^\[\]]{0,90}(?:\[[^\]]{0,90}\][^\[\]]{0,90}){0,2}\]){0,999}\]"
)
_DUPS = frozenset({"dup", "dup2", "dup3"})


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
class _Sock:
    """One socket, with its addresses as last seen: a reset one has none any more."""

    name: str
    local: Endpoint | None = None
    remote: Endpoint | None = None
    bound: bool = False
    """bind() gave it its port."""
    open: int = 0
    """How many descriptors lead to it, in all processes, and on their way from one to another (SCM_RIGHTS)."""
    passed: int = 0
    """How many of these are on their way."""


@dataclass(slots=True)
class _Table:
    """A descriptor table: threads share one, a fork copies it."""

    sockets: dict[int, _Sock] = field(default_factory=dict)
    on_exec: set[int] = field(default_factory=set)
    """Descriptors that an exec closes (FD_CLOEXEC)."""
    users: set[int] = field(default_factory=set)
    watched: dict[tuple[int, str], tuple[_Sock, str]] = field(default_factory=dict)
    """What epoll_ctl() asked for: by the epoll descriptor and the data that epoll_wait() gives back."""

    def put(self, fd: int, sock: _Sock, cloexec: bool) -> None:
        self.drop(fd)
        self.sockets[fd] = sock
        sock.open += 1
        (self.on_exec.add if cloexec else self.on_exec.discard)(fd)

    def drop(self, fd: int) -> _Sock | None:
        """Forget a descriptor; gives the socket that it led to."""
        sock = self.sockets.pop(fd, None)
        if sock is not None:
            sock.open -= 1
        self.on_exec.discard(fd)
        return sock

    def copy(self) -> _Table:
        made = _Table()
        for fd, sock in self.sockets.items():
            made.put(fd, sock, fd in self.on_exec)
        made.watched.update(self.watched)
        return made


@dataclass(slots=True)
class _Reader:
    """What is known while the lines go by."""

    node: str
    process: str
    step: int | None
    calls: list[Call] = field(default_factory=list)
    ends: list[ProcessEnd] = field(default_factory=list)
    begun: dict[int, _Begun] = field(default_factory=dict)
    """By pid, as are the rest."""
    tables: dict[int, _Table] = field(default_factory=dict)
    last_ns: dict[int, int] = field(default_factory=dict)
    passed: list[_Sock] = field(default_factory=list)
    """Sockets that were ever sent to another process."""
    early: set[_Begun] = field(default_factory=set)
    """The sendmsg() calls whose descriptors had come before strace told of their return."""
    previous: dict[int, int] = field(default_factory=dict)
    """The place in `calls` of the last one, whose end the next line bounds."""
    made: int = 0
    first: int | None = None


@dataclass(frozen=True, slots=True)
class Traced:
    """What strace told of a program: its calls, in the order in which they began, and the ends of its processes."""

    calls: list[Call]
    ends: list[ProcessEnd]
    """Those whose end closed a socket, and the first process's own end, if it was told."""
    first: int | None
    """The pid of the program itself."""
    missing: int = 0
    """Lines that were too many to be kept."""


def lines_missing(count: int) -> str:
    """The line that stands for lines that were not kept: what descriptors mean after it is not known any more."""
    return f"... {count} lines are missing"


def parse(text: str, node: str, process: str, step: int | None, clock_offset_ns: int) -> Traced:
    """Read the calls on TCP sockets from `strace -f -ttt -T -yy`, whose lines may end with ` @NS`.

    NS is when the line was read, on the monotonic clock: strace tells of a call's end by its duration, which it counts
    from after its own work at the beginning; so a call has surely ended only when its line was there, or at the next
    call of its thread. Other sockets' calls are left out (getaddrinfo() connects UDP sockets just to see which address
    would do, RFC 6724), but for the making of raw ones.

    `clock_offset_ns` is added to strace's wall clock. Pids are those of the command's own PID namespace. A line cut
    short, or one that is none of strace's (the program itself can write here), is passed over.
    """
    reader = _Reader(node, process, step)
    last_ns = missing = 0
    for line in text.splitlines():
        if gap := _MISSING.fullmatch(line):
            missing += int(gap[1])
            reader.tables.clear()
            reader.begun.clear()
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        pid = int(found["pid"] or 0)
        reader.first = pid if reader.first is None else reader.first
        last_ns = _ns(found["seconds"], found["fraction"]) + clock_offset_ns
        seen_ns = max(last_ns, int(found["seen"])) if found["seen"] else None
        with suppress(*_UNREADABLE):
            _read(reader, pid, (last_ns, seen_ns), found["rest"])
        reader.last_ns[pid] = last_ns
    for pid in list(reader.begun):
        with suppress(*_UNREADABLE):
            _end_of_process(reader, pid, last_ns, None)
    return Traced(_with_locals(reader.calls), reader.ends, reader.first, missing)


_UNREADABLE = (ValueError, IndexError, OverflowError)
"""What comes of a line that only looks like strace's."""

Times = tuple[int, int | None]
"""When strace began its line, and when the line was read."""


def _read(reader: _Reader, pid: int, times: Times, rest: str) -> None:
    time_ns = times[0]
    table = _table(reader, pid)
    if not rest.startswith("<..."):
        _bound(reader, pid, time_ns)
    if rest.startswith("+++"):  # +++ exited with 0 +++, +++ killed by SIGPIPE +++
        _end_of_process(reader, pid, time_ns, _ENDED.match(rest))
    elif rest.startswith("---"):  # a signal: the call that it interrupts says so itself
        return
    elif resumed := _RESUMED.fullmatch(rest):
        begun = reader.begun.pop(pid, None)
        if begun is not None and begun.text.startswith(resumed["call"] + "("):
            _returned(reader, table, begun, begun.text + resumed["rest"], times)
    else:
        begun = _Begun(pid, time_ns, rest.removesuffix(_UNFINISHED), _first_ns(reader, pid, time_ns, rest))
        if rest.endswith(_UNFINISHED):
            reader.begun[pid] = begun
        else:
            _returned(reader, table, begun, rest, times)


def _table(reader: _Reader, pid: int) -> _Table:
    """A thread's descriptors. One that is new was made by a clone() that may not have returned yet."""
    if pid not in reader.tables:
        parents = [begun for begun in reader.begun.values() if begun.text.partition("(")[0] in _FORKS]
        table = _child_table(reader, parents[-1]) if parents else _Table()
        table.users.add(pid)
        reader.tables[pid] = table
    return reader.tables[pid]


def _child_table(reader: _Reader, begun: _Begun) -> _Table:
    parent = reader.tables[begun.pid]
    return parent if "CLONE_FILES" in begun.text else parent.copy()


def _bound(reader: _Reader, pid: int, time_ns: int) -> None:
    """A thread's next line: the call before it has returned by then."""
    place = reader.previous.pop(pid, None)
    if place is not None and reader.calls[place].time_ns <= time_ns < reader.calls[place].end_ns:
        reader.calls[place] = replace(reader.calls[place], end_ns=time_ns)


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
    _take(reader, reader.tables[pid], before, before.text + ") = -1 EINTR", before.left_ns)
    return time_ns


def _end_of_process(reader: _Reader, pid: int, time_ns: int, how: re.Match[str] | None) -> None:
    """A thread is gone; the last of its process takes the descriptors with it."""
    killed = Signalled(how["signal"]) if how and how["signal"] else None
    begun, table = reader.begun.pop(pid, None), reader.tables.pop(pid, None)
    if begun is not None and table is not None:
        _take(reader, table, begun, begun.text.rstrip(", ") + f") = ? {killed or ''}", time_ns)
    if table is None or how is None:
        return
    table.users.discard(pid)
    if table.users:
        return
    gone = [table.drop(fd) for fd in list(table.sockets)]
    closed = dict.fromkeys(sock.name for sock in gone if sock is not None and not sock.open)
    if not closed and pid != reader.first:
        return
    outcome = killed or Exited(int(how["code"]))
    began = reader.last_ns.get(pid, time_ns)
    reader.ends.append(
        ProcessEnd(time_ns, reader.node, reader.process, outcome, began, pid, reader.step, "", tuple(closed))
    )


def _returned(reader: _Reader, table: _Table, begun: _Begun, text: str, times: Times) -> None:
    """Take in a call that has returned: after what -T says of its duration, and before its line was read."""
    found = _TOOK.search(text)
    end_ns = begun.time_ns + _ns(found["seconds"], found["fraction"]) if found else times[0]
    end_ns = max(end_ns, times[1]) if times[1] is not None else end_ns
    text = text[: found.start()] if found else text
    call, interrupted, _ = text.rpartition(") = ? ERESTART")
    if interrupted:
        reader.begun[begun.pid] = replace(begun, text=call, left_ns=end_ns)
    elif died := _DIED.search(text):  # its process has, in this call; the next line says how
        reader.begun[begun.pid] = replace(begun, text=text[: died.start()])
    else:
        _take(reader, table, begun, text, end_ns)


def _take(reader: _Reader, table: _Table, begun: _Begun, text: str, end_ns: int) -> None:
    """Follow what a call does to descriptors, and keep it if it is one on a TCP socket."""
    found = _CALL.fullmatch(text)
    if found is None:
        return
    name = _NAMES.get(found["call"], found["call"])
    args, result = list(_split(found["args"])), found["result"]
    call = (name, args, result)
    if name in _FORKS:
        _fork(reader, begun, text, result)
    elif not _follow(reader, table, begun, call, end_ns) and not _waited(reader, table, begun, call, end_ns):
        _on_socket(reader, table, begun, call, end_ns)


TextOfCall = tuple[str, list[str], str]
"""Its name, its arguments, and its result, as strace writes them."""


def _follow(reader: _Reader, table: _Table, begun: _Begun, call: TextOfCall, end_ns: int) -> bool:
    """Follow what a call does to descriptors that is no call on a socket itself; False where it is another one."""
    name, args, result = call
    if name == "execve":
        for fd in list(table.on_exec) if result.startswith("0") else ():
            _drop(reader, table, begun, (name, fd), end_ns)
    elif name == "ioctl":
        _keep_on_exec(table, args, {"FIOCLEX": True, "FIONCLEX": False}.get(args[1] if args[1:] else ""))
    elif name in _DUPS or name == "fcntl":
        if name in {"dup2", "dup3"} and (new := _NUMBER.match(result)) and args[0].split("<")[0] != new[1]:
            _drop(reader, table, begun, (name, int(new[1])), end_ns)  # what was there is closed
        _dup(table, name, args, result)
    elif name in {"sendmsg", "sendmmsg", "recvmsg", "recvmmsg"} and "SCM_RIGHTS" in " ".join(args):
        if not result.startswith("-1") and begun not in reader.early:
            _pass(reader, table, name, args)
    elif name == "epoll_ctl":
        _watch(table, args)
    else:
        return False
    return True


def _waited(reader: _Reader, table: _Table, begun: _Begun, call: TextOfCall, end_ns: int) -> bool:
    """Take a call that tells of several sockets at once; False where it is another one."""
    name, args, result = call
    if name == "poll":
        _polled(reader, table, begun, ", ".join(args), result, end_ns)
    elif name == "epoll_wait":
        _epoll(reader, table, begun, ", ".join(args), end_ns)
    elif name == "close_range":
        if result.startswith("0"):
            _close_range(reader, table, begun, args, end_ns)
    else:
        return False
    return True


def _is_tcp(table: _Table, arg: str) -> bool:
    fd, about = _NUMBER.match(arg), _FD.match(arg)
    return (fd is not None and int(fd[1]) in table.sockets) or (about is not None and about["kind"] in _TCP)


def _fork(reader: _Reader, begun: _Begun, text: str, result: str) -> None:
    child = _NUMBER.match(result)
    if child is None or int(child[1]) in reader.tables or not int(child[1]):
        return
    table = _child_table(reader, replace(begun, text=text))
    table.users.add(int(child[1]))
    reader.tables[int(child[1])] = table


def _dup(table: _Table, name: str, args: list[str], result: str) -> None:
    old, new = _NUMBER.match(args[0]) if args else None, _NUMBER.match(result)
    if old is None:
        return
    if name == "fcntl":
        if args[1:2] == ["F_SETFD"]:
            _keep_on_exec(table, args, "FD_CLOEXEC" in args[2:3])
        if not (args[1:2] and args[1].startswith("F_DUPFD")):
            return
    sock = table.sockets.get(int(old[1]))
    if new is None or result.startswith("-1"):
        return
    if sock is not None and new[1] != old[1]:
        table.put(int(new[1]), sock, "CLOEXEC" in " ".join(args[1:]))


def _keep_on_exec(table: _Table, args: list[str], closes: bool | None) -> None:
    """Note whether an exec closes a descriptor; None: nothing was said of that."""
    fd = _NUMBER.match(args[0]) if args else None
    if fd is not None and closes is not None and int(fd[1]) in table.sockets:
        (table.on_exec.add if closes else table.on_exec.discard)(int(fd[1]))


def _polled(reader: _Reader, table: _Table, begun: _Begun, args: str, result: str, end_ns: int) -> None:
    """poll() tells of several descriptors: a call for each TCP socket of which it tells anything."""
    for about in _FD.finditer(args):
        if int(about["fd"]) in table.sockets:
            _learn(table.sockets[int(about["fd"])], about["about"])
    told = dict(re.findall(r"fd=(\d{1,10})(?:<[^>]{0,200}(?:->[^>]{0,200})?>)?, revents=([A-Z|]+)", result))
    asked = dict(re.findall(r"fd=(\d{1,10})(?:<[^>]{0,200}(?:->[^>]{0,200})?>)?, events=([A-Z0-9|]+)", args))
    for fd, words in told.items():
        sock = table.sockets.get(int(fd))
        if sock is not None:
            _ready(reader, begun, "poll", sock, (asked.get(fd, ""), words), end_ns)


def _watch(table: _Table, args: list[str]) -> None:
    """Note which socket epoll_wait() means by the data that it gives back."""
    epoll, fd = _NUMBER.match(args[0]), _NUMBER.match(args[2])
    asked = _EPOLLED.match(args[3])
    sock = table.sockets.get(int(fd[1])) if fd else None
    if epoll is not None and asked is not None and sock is not None and args[1] != "EPOLL_CTL_DEL":
        table.watched[int(epoll[1]), asked["data"]] = (sock, asked["events"])


def _epoll(reader: _Reader, table: _Table, begun: _Begun, args: str, end_ns: int) -> None:
    """epoll_wait() tells of several sockets: a call for each of them, as for poll()."""
    epoll = _NUMBER.match(args)
    for told in _EPOLLED.finditer(args):
        sock, asked = table.watched.get((int(epoll[1]) if epoll else -1, told["data"]), (None, ""))
        if sock is not None:
            _ready(reader, begun, "epoll_wait", sock, (asked, told["events"]), end_ns)


def _ready(reader: _Reader, begun: _Begun, name: str, sock: _Sock, events: tuple[str, str], end_ns: int) -> None:
    """Keep what a waiting call told of one socket; `events` are what was asked for, and what there was."""
    asked, told = (
        tuple(
            event for event in POLL_EVENTS if event in re.findall(r"[A-Z0-9]+", re.sub(r"E?POLL(?=[A-Z])", "", words))
        )
        for words in events
    )
    _keep(reader, Call(
        begun.first_ns, reader.node, reader.process, name, Ready(told), end_ns, act.Poll(asked), "", sock.name, "",
        True, True, sock.local, sock.remote, reader.step, begun.pid,
    ))  # fmt: skip


def _close_range(reader: _Reader, table: _Table, begun: _Begun, args: list[str], end_ns: int) -> None:
    """close() of many descriptors at once; without CLOSE_RANGE_CLOEXEC."""
    first, last = (int(word) if word.isdigit() else 1 << 32 for word in args[:2])
    for fd in [fd for fd in table.sockets if first <= fd <= last]:
        if "CLOSE_RANGE_CLOEXEC" in args[2]:
            table.on_exec.add(fd)
            continue
        _drop(reader, table, begun, ("close_range", fd), end_ns)


def _drop(reader: _Reader, table: _Table, begun: _Begun, closing: tuple[str, int], end_ns: int) -> None:
    """A call that closes descriptors by the way is one on a socket where it ends it."""
    name, fd = closing
    sock = table.drop(fd)
    if sock is not None and not sock.open:
        _keep(reader, Call(
            begun.first_ns, reader.node, reader.process, name, Ok(), end_ns, act.Close(), "", sock.name, "",
            True, True, sock.local, sock.remote, reader.step, begun.pid,
        ))  # fmt: skip


def _pass(reader: _Reader, table: _Table, name: str, args: list[str]) -> None:
    """Follow descriptors that go over a Unix socket (SCM_RIGHTS, unix(7)) to another process that is traced too."""
    for control in _RIGHTS.finditer(" ".join(args)):
        for about in _FD.finditer(control[0]):
            if name.startswith("send") and (sock := table.sockets.get(int(about["fd"]))) is not None:
                _learn(sock, about["about"])
                sock.open += 1
                sock.passed += 1
                reader.passed.append(sock)
            elif name.startswith("recv") and (sock := _arrived(reader, about)) is not None:
                table.put(int(about["fd"]), sock, "MSG_CMSG_CLOEXEC" in args[-1])


def _arrived(reader: _Reader, about: re.Match[str]) -> _Sock | None:
    """The socket that a descriptor that came is of: by its addresses, as nothing else is shown of it."""
    for begun in reader.begun.values():
        if begun.text.startswith("sendmsg(") and "SCM_RIGHTS" in begun.text and begun not in reader.early:
            reader.early.add(begun)
            _pass(reader, reader.tables[begun.pid], "sendmsg", list(_split(begun.text.partition("(")[2])))
    seen = _Sock("")
    _learn(seen, about["about"])
    found = [sock for sock in reader.passed if sock.passed and (sock.local, sock.remote) == (seen.local, seen.remote)]
    if len({id(sock) for sock in found}) != 1:
        return None
    found[0].passed -= 1
    found[0].open -= 1
    return found[0]


def _on_socket(reader: _Reader, table: _Table, begun: _Begun, call: TextOfCall, end_ns: int) -> None:
    name, args, result = call
    into = name == "splice" and len(args) > 2 and _is_tcp(table, args[2])
    if into:
        args = [args[2], *args[1:2], args[0], *args[3:]]
    made = _FD.match(result) if name in {"socket", "accept"} else None
    own = _FD.match(args[0]) if args and name != "socket" else None
    number = _NUMBER.match(args[0]) if args and name != "socket" else None
    sock = table.sockets.get(int(number[1])) if number else None
    if sock is None and own is not None and own["kind"] in _TCP:
        sock = _new(reader, begun.pid)
        table.put(int(own["fd"]), sock, False)
    raw = name == "socket" and (args[:1] == ["AF_PACKET"] or (args[:1] in _IP and "SOCK_RAW" in " ".join(args[1:2])))
    tcp_made = made is not None and made["kind"] in _TCP
    failed = name == "socket" and result.startswith("-1") and "SOCK_STREAM" in " ".join(args[1:2])
    if name in {"io_uring_setup", "io_setup"} and not result.startswith("-1"):  # its calls are not seen
        raw = True
    if sock is None and not tcp_made and not raw and not failed:
        return
    address = next((found for found in map(_address, args[1:]) if found), None)
    if sock is not None:
        _learn(sock, own["about"] if own else "")
        if name == "connect":
            _connects(sock, address, own is not None and not own["about"].isdigit())
        opens = name == "send" and "MSG_FASTOPEN" in " ".join(args[3:4])
        _given(sock, name, address if name == "connect" or opens or not result.startswith("-1") else None)
    fresh = _new(reader, begun.pid) if tcp_made else None
    if fresh is not None and made is not None:
        table.put(int(made["fd"]), fresh, "CLOEXEC" in " ".join(args))
        _learn(fresh, made["about"])
        if name == "accept" and sock is not None:  # one that was reset in the queue no longer tells
            fresh.local, fresh.remote = fresh.local or sock.local, fresh.remote or address
    final = True
    if name == "close" and number is not None and result == "0":
        table.drop(int(number[1]))
        final = sock is not None and not sock.open
    on = fresh if name == "socket" else sock
    ends = fresh if fresh is not None else sock
    local = address if name == "bind" and address else ends.local if ends else None
    action, detail = _action(name, args, sock)
    if into:
        action = act.Send(action.size) if isinstance(action, act.Recv) else action
    _keep(reader, Call(
        begun.first_ns, reader.node, reader.process, name, _result(name, args, result), end_ns, action, detail,
        on.name if on else "", fresh.name if fresh and name == "accept" else "", True, final,
        local, ends.remote if ends else None, reader.step, begun.pid,
    ))  # fmt: skip


def _keep(reader: _Reader, call: Call) -> None:
    reader.previous[call.pid] = len(reader.calls)
    reader.calls.append(call)


def _new(reader: _Reader, pid: int) -> _Sock:
    reader.made += 1
    return _Sock(f"{reader.process}:{reader.step}:{pid}.{reader.made}")


def _learn(sock: _Sock, about: str) -> None:
    """The two addresses of a socket as -yy shows them; a number is the inode of one that has none."""
    if about and not about.isdigit():
        near, _, far = about.partition("->")
        sock.local, sock.remote = _end(near) or sock.local, _end(far) or sock.remote


def _connects(sock: _Sock, address: Endpoint | None, connected: bool) -> None:
    """A socket that is connected again has another port, unless it was bound; AF_UNSPEC takes its other end away."""
    if address is None or (sock.remote is not None and not connected):
        sock.local = sock.local if sock.bound else None
        sock.remote = None


def _given(sock: _Sock, name: str, address: Endpoint | None) -> None:
    """What a call itself says of its socket's addresses."""
    if address is None or not address.port:
        return
    if name in {"connect", "send", "sendmsg"}:
        sock.remote = address
    elif name in {"bind", "getsockname"}:
        sock.local = address
        sock.bound = sock.bound or name == "bind"


def _with_locals(calls: list[Call]) -> list[Call]:
    """Tell connect() and accept() the new socket's own address, where only a later line of that socket knows it."""
    known: dict[tuple[str, Endpoint | None], Endpoint] = {}
    told = []
    for call in reversed(calls):
        key = (call.made or call.socket, call.remote)
        if not _vague(call.local) and call.local is not None and call.name != "accept":
            known[key] = call.local
        elif call.name in {"connect", "accept"} and key in known:  # what is before it is another attempt's
            told.append(replace(call, local=known.pop(key)))
            continue
        told.append(call)
    told.reverse()
    return sorted(told, key=lambda call: call.time_ns)


def _vague(end: Endpoint | None) -> bool:
    return end is None or not end.port or end.address in WILDCARDS


def _result(name: str, args: list[str], result: str) -> Result | None:
    """strace's words for a result in ours; None where the process ended in the call and nobody knows how."""
    value, _, more = result.partition(" ")
    if value == "-1":
        return Errno(more.partition(" ")[0] or "EUNKNOWN")
    if value == "?":
        return Signalled(more.removeprefix("signal ")) if more else None
    if name == "getsockopt" and len(args) > 3 and args[2] == "SO_ERROR":
        error = args[3].strip("[]")
        return Ok() if error == "0" else Errno(
            errno.errorcode.get(int(error), f"E{error}") if error.isdigit() else error
        )  # fmt: skip
    if name in _TRANSFERS:
        asked_nothing = name in {"read", "recv"} and args[2:3] == ["0"]
        return Eof() if value == "0" and name in _READS and not asked_nothing else Count(int(value))
    return Ok()


def _action(name: str, args: list[str], sock: _Sock | None) -> tuple[Action | None, str]:
    """What a call does, as a script would have it; else its arguments for people."""
    size = int(args[2]) if len(args) > 2 and args[2].isdigit() else 0
    match name:
        case "connect" if address := _address(args[1] if len(args) > 1 else ""):
            return act.Connect(address.address, address.port), ""
        case "listen":
            port = sock.local.port if sock and sock.local else 0
            return act.Listen(port, int(args[1]) if args[1:2] and args[1].isdigit() else 0), ""
        case "bind" if address := _address(args[1] if len(args) > 1 else ""):
            return act.Bind(address.port), ""
        case "accept":
            return act.Accept(), ""
        case "send" | "write":
            return act.Send(size), "MSG_FASTOPEN" if "MSG_FASTOPEN" in " ".join(args[3:4]) else ""
        case "splice" | "sendfile" if args[-2:]:
            length = args[-2] if name == "splice" else args[-1]
            asked = int(length) if length.isdigit() else 0
            return act.Recv(asked) if name == "splice" else act.Send(asked), ""
        case "recv" | "read" if args[2:]:
            return act.Recv(size, "MSG_WAITALL" in args[3:4]), "MSG_PEEK" if "MSG_PEEK" in " ".join(args[3:4]) else ""
        case "recvmsg" if found := re.search("MSG_PEEK|MSG_ERRQUEUE", args[-1]):
            return None, found[0]
        case "close":
            return act.Close(), ""
        case "shutdown" if args[1:2] and args[1] in _HOW:
            return act.Shutdown(_HOW[args[1]]), ""  # type: ignore[arg-type]
        case "setsockopt" if len(args) > 3:
            return act.SetOption(*_option(args[2], args[3])), ""
        case "getsockopt" if args[2:3] == ["SO_ERROR"]:
            return act.FetchError(), ""
    shown = (
        args if name == "socket" else args[2:3] if name == "getsockopt" else [str(a) for a in map(_address, args) if a]
    )
    return None, ", ".join(shown)


_HOW = {"SHUT_RD": "rd", "SHUT_WR": "wr", "SHUT_RDWR": "rdwr"}
_SWITCHES = frozenset({"keepalive", "nodelay", "reuseaddr", "reuseport"})


def _option(option: str, value: str) -> tuple[str, str]:
    """A socket option and its value as `set` has them: linger 0, keepalive on, rcvtimeo 2s."""
    name = re.sub(r"^(SO|TCP|IP|IPV6)_|_(OLD|NEW)$", "", option).lower()
    numbers = re.findall(r"(?:=|\[)(-?\d+)", value)
    if name == "linger" and len(numbers) == 2:
        return name, numbers[1] if numbers[0] != "0" else "off"
    if name in _SWITCHES and len(numbers) == 1:
        return name, "off" if numbers[0] == "0" else "on"
    if name == "user_timeout" and len(numbers) == 1:
        return name, write_duration(int(numbers[0]) / 1e3)
    if name in {"rcvtimeo", "sndtimeo"} and value.startswith('"'):  # most versions show struct timeval as its bytes
        shown = _bytes(value.strip('"'))
        seconds, us = (
            int.from_bytes(half, sys.byteorder) for half in (shown[: len(shown) // 2], shown[len(shown) // 2 :])
        )
        return name, write_duration(seconds + us / 1e6)
    if name == "bindtodevice":  # four letters are shown as the number that their bytes are
        shown = int(numbers[0]).to_bytes(4, sys.byteorder) if numbers else _bytes(value.strip('"'))
        return name, shown.rstrip(b"\0").decode(errors="replace")
    if name in {"rcvtimeo", "sndtimeo"} and len(numbers) == 2:
        return name, write_duration(int(numbers[0]) + int(numbers[1]) / 1e6)
    return name, value.strip("[]")


_ESCAPED = {"n": 10, "t": 9, "v": 11, "f": 12, "r": 13}


def _bytes(shown: str) -> bytes:
    """Read what strace shows as a string: bytes that are no letters by their octal numbers, or as C has them."""
    parts = re.findall(r"\\([0-7]{1,3})|\\(.)|([^\\])", shown)
    return bytes(
        int(octal, 8) if octal else _ESCAPED.get(escaped, ord((escaped or plain)[0])) for octal, escaped, plain in parts
    )


def _end(text: str) -> Endpoint | None:
    try:
        end = parse_endpoint(text)
    except ValueError:
        return None
    return Endpoint(end.address.removeprefix("::ffff:"), end.port) if end.port else None


def _address(text: str) -> Endpoint | None:
    found = _ADDRESS.search(text)
    if found is None:
        return None
    return Endpoint((found["v6"] or found["v4"]).removeprefix("::ffff:"), int(found["port"]))


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
        elif not quoted and not args.startswith(("->", "=>"), i - 1):
            depth += _BRACKETS.get(letter, 0)
            if letter == "," and depth == 0:
                yield args[start:i].strip()
                start = i + 1
        i += 1
    if last := args[start:].strip():
        yield last


def _ns(seconds: str, fraction: str) -> int:
    return int(seconds) * 1_000_000_000 + int(fraction[:9].ljust(9, "0"))
