"""What the sentence of a reset says, and what must be so."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netsim.model.action import Boot, Shutdown
from netsim.model.event import Call, Packet
from netsim.model.explanation import Reset
from tests.stories.claims_of_evidence import count_probes, count_syn_acks, ended, is_what
from tests.stories.facts import SLACK_NS
from tests.stories.sentence import Sentence, compiled, read


def of_reset(s: Sentence) -> Iterator[str]:
    """The sentence, and what the reset says besides: who made it."""
    assert isinstance(s.subject, Reset)
    if s.rst is None:
        yield "there is no such RST"
        return
    if s.subject.sent_by not in {None, s.rst.maker}:
        yield f"sent by {s.subject.sent_by}, and {s.rst.maker} made it"
    yield from read(_FORMS, s, s.text)


def came_from(s: Sentence, node: str) -> Iterator[str]:
    if s.rst is not None and s.rst.maker != node:
        yield f"{s.rst.maker} made it"


def nothing_claimed(s: Sentence) -> Iterator[str]:
    if s.subject.sent_by is not None:  # type: ignore[union-attr]
        yield "and yet it says who sent it"


def itself(s: Sentence, node: str, text: str) -> Iterator[str]:
    """From a machine's own TCP, and why."""
    yield from came_from(s, node)
    if s.full.owner(s.subject.src) not in {None, node}:  # type: ignore[union-attr]
        yield f"it bears {s.full.owner(s.subject.src)}'s address"  # type: ignore[union-attr]
    if s.told_all and s.kernel_said is None:
        yield "its TCP did not send it"
    yield from read(_OF_TCP, s, text)


def of_reason(s: Sentence, *reasons: str) -> Iterator[str]:
    """The kernel's own reason, where the whole timeline has it."""
    if s.told_all and s.kernel_said is not None and s.kernel_said.reason not in reasons:
        yield f"the kernel's reason is {s.kernel_said.reason}"


def answers_a_syn(s: Sentence) -> Iterator[str]:
    yield from of_reason(s, "NO_SOCKET")
    segment = s.full.answered_by(s.rst) if s.rst else None
    if segment is None or segment.tcp.flags != "S":
        yield f"it answers no SYN: {segment}"
    elif segment.came_to(s.node) is None:
        yield "the SYN had not come to it"


def nothing_listens(s: Sentence, n: str) -> Iterator[str]:
    yield from answers_a_syn(s)
    if s.subject.src.port != int(n):  # type: ignore[union-attr]
        yield "it is another port"
    alive = [one for one in s.full.listeners(s.node, int(n), s.until_ns) if one[2]]
    if alive:
        yield f"{alive[0][1].process} listens on it: {alive[0][1].local}"


def no_longer(s: Sentence, n: str, ended_: str = "", proc: str = "") -> Iterator[str]:
    yield from nothing_listens(s, n)
    if not list(s.full.listeners(s.node, int(n), s.until_ns)):
        yield "nothing ever listened there"
    yield from ended(s, ended_ or f"{proc} closed it")


def nothing_there(s: Sentence, host: str, n: str) -> Iterator[str]:
    yield from answers_a_syn(s)
    own, _ = s.ends
    if own is None or (own.address, own.port) != (host, int(n)):
        yield f"it is {own}"
    elif s.full.listens(s.node, own, s.until_ns):
        yield "something listens on it"


def listens_elsewhere(s: Sentence, host: str, n: str, proc: str, bound: str) -> Iterator[str]:
    yield from answers_a_syn(s)
    if str(s.subject.src).rpartition(":")[0].strip("[]") != host:  # type: ignore[union-attr]
        yield "it is another address"
    own, _ = s.ends
    if own and s.full.listens(s.node, own, s.until_ns):
        yield "something listens on it"
    alive = [one[1] for one in s.full.listeners(s.node, int(n), s.until_ns) if one[2]]
    if proc not in {call.process for call in alive}:
        yield f"{proc} does not listen"
    addresses = sorted({call.local.address for call in alive if call.local})
    if ", ".join(addresses) != bound:
        yield f"it listens on {addresses}"


def since_boot(s: Sentence, n: str, node: str) -> Iterator[str]:
    yield from nothing_listens(s, n)
    if node != s.node:
        yield f"it is about {s.node}"
    yield from lost_power(s, 0)


def lost_power(s: Sentence, since_ns: int) -> Iterator[str]:
    crashes = s.full.crashes(s.node, since_ns, s.until_ns)
    if not crashes:
        yield "it lost no power then"
    elif not any(
        f.node == s.node and isinstance(f.action, Boot) and crashes[-1].time_ns < f.time_ns <= s.until_ns
        for f in s.full.faults
    ):
        yield "it has not booted since"


def queue_was_full(s: Sentence, n: str) -> Iterator[str]:
    yield from of_reason(s, "INVALID_SYN")
    own, other = s.ends
    if own is not None and own.port != int(n):
        yield f"it is port {own.port}"
    if s.full.sysctl(s.node, "net.ipv4.tcp_abort_on_overflow", s.until_ns) != "1":
        yield "net.ipv4.tcp_abort_on_overflow is not 1"
    segment = s.full.answered_by(s.rst) if s.rst else None
    if segment is None or "A" not in segment.tcp.flags or "S" in segment.tcp.flags:
        yield f"no ACK came: {segment}"
    elif own and other:
        listening = s.full.listens(s.node, own, s.until_ns)
        waiting = s.full.waiting(s.node, own, segment.made_ns - 1)
        if not listening or waiting <= getattr(listening[-1].action, "backlog", 0):
            yield f"{waiting} waited"
    if not s.full.grew(s.node, "TcpExtListenOverflows"):
        yield "ListenOverflows did not grow"


def own_death(s: Sentence, text: str) -> Iterator[str]:
    """The end of its maker's own socket was going on."""
    own, other = s.ends
    socket = s.full.socket(s.node, own, other, s.until_ns) if own and other else None
    death = s.full.death(socket) if socket else None
    if death is None:
        yield "the socket did not end"
        return
    if not death[0] - SLACK_NS <= s.until_ns <= death[1] + SLACK_NS:
        yield "the socket's end was not going on"
    yield from ended(s, text)


def unread(s: Sentence, proc: str = "", n: str | None = None, ended_: str = "", call: str = "") -> Iterator[str]:
    yield from of_reason(s, "TCP_ABORT_ON_CLOSE")
    yield from own_death(s, ended_ or f"{proc} closed it")
    own, other = s.ends
    socket = s.full.socket(s.node, own, other, s.until_ns) if own and other else None
    death = s.full.death(socket) if socket else None
    if call and death and isinstance(death[2], Call) and death[2].name != call:
        yield f"it was {death[2].name}()"
    yield from left_unread(s, n)


def left_unread(s: Sentence, n: str | None) -> Iterator[str]:
    own, other = s.ends
    if own is None or other is None:
        return
    came = s.full.received(other, own, s.node, s.until_ns)
    socket = s.full.socket(s.node, own, other, s.until_ns)
    if came is None or socket is None:
        return
    left = came - s.full.bytes_read(socket, s.until_ns)
    if n is not None and left != int(n):
        yield f"{left} bytes were unread"
    elif left <= 0:
        yield "nothing was unread"


def kernel_says_unread(s: Sentence) -> Iterator[str]:
    yield from of_reason(s, "TCP_ABORT_ON_CLOSE")
    own, other = s.ends
    if own and other and s.full.received(other, own, s.node, s.until_ns) == 0:
        yield "nothing had come"


def lingered(s: Sentence, proc: str, ended_: str = "") -> Iterator[str]:
    yield from of_reason(s, "TCP_STATE", "TCP_ABORT_ON_LINGER", "TCP_ABORT_ON_DATA")
    own, other = s.ends
    socket = s.full.socket(s.node, own, other, s.until_ns) if own and other else None
    if socket is not None and s.full.option(socket, "linger", s.until_ns) != "0":
        yield f"SO_LINGER was {s.full.option(socket, 'linger', s.until_ns)}"
    yield from own_death(s, ended_ or f"{proc} closed it")


def closed_listener(s: Sentence, proc: str) -> Iterator[str]:
    yield from unaccepted(s, f"{proc} closed it")


def died_listener(s: Sentence, ended_: str) -> Iterator[str]:
    yield from unaccepted(s, ended_)


def unaccepted(s: Sentence, text: str) -> Iterator[str]:
    """Nobody had accepted it, and the listener's end was going on."""
    yield from of_reason(s, "TCP_STATE")
    yield from not_accepted(s)
    own, _ = s.ends
    names = [name for name, _, _ in s.full.listeners(s.node, own.port if own else 0, s.until_ns)]
    deaths = [death for name in names if (death := s.full.death(name)) is not None]
    if not any(d[0] - SLACK_NS <= s.until_ns <= d[1] + SLACK_NS for d in deaths):
        yield "no listener's end was going on"
    yield from ended(s, text)


def not_accepted(s: Sentence) -> Iterator[str]:
    own, other = s.ends
    for call in s.full.calls:
        mine = call.made and call.node == s.node and call.remote == other and call.local in {None, own}
        if mine and s.begun_ns() <= call.end_ns and call.time_ns <= s.until_ns:
            yield f"it had been accepted: {call}"


def probed(s: Sentence, n: str | None = None) -> Iterator[str]:
    yield from of_reason(s, "TCP_KEEPALIVE_TIMEOUT")
    if n is not None:
        yield from count_probes(s, int(n))


def rebooted(s: Sentence, end: str = "") -> Iterator[str]:
    yield from of_reason(s, "NO_SOCKET", "TCP_FLAGS", "INVALID_SYN")
    yield from lost_power(s, s.begun_ns())
    yield from found_out(s, end)


def found_out(s: Sentence, end: str) -> Iterator[str]:
    """The other side still had its socket when it sent what drew the reset, and got the reset."""
    if end:
        yield from still_held(s, end)
    if "and found out" not in s.text:
        return
    node = s.full.owner(s.subject.dst)  # type: ignore[union-attr]
    if node and s.rst is not None and not s.full.delivered(s.rst):
        yield f"the reset never came to {node}"


def still_held(s: Sentence, end: str) -> Iterator[str]:
    """The other side still had its socket when it sent what drew the reset."""
    own, other = s.ends
    if other is None or own is None:
        return
    if s.full.name(other) != end:
        yield f"the other end is {s.full.name(other)}"
    node = s.full.owner(other)
    segment = s.full.answered_by(s.rst) if s.rst else None
    socket = s.full.socket(node, other, own, s.until_ns) if node else None
    death = s.full.death(socket) if socket else None
    if death is not None and segment is not None and death[0] < segment.made_ns:
        yield f"its program had let go of it: {death[2]}"
    if node and segment is not None and s.full.crashes(node, s.begun_ns(), segment.made_ns):
        yield f"{node} had lost power"


def came_afterwards(s: Sentence, what: str, proc: str = "", ended_: str = "") -> Iterator[str]:
    yield from of_reason(
        s, "NO_SOCKET", "TCP_ABORT_ON_DATA", "TCP_TIMEWAIT_SOCKET", "TCP_FLAGS", "TCP_INVALID_ACK_SEQUENCE"
    )
    own, other = s.ends
    socket = s.full.socket(s.node, own, other, s.until_ns) if own and other else None
    death = s.full.death(socket) if socket else None
    if (proc or ended_) and death is None:
        yield "its socket had not ended"
    yield from ended(s, ended_ or f"{proc} closed it") if proc or ended_ else ()
    segment = s.full.answered_by(s.rst) if s.rst else None
    if segment is None:
        yield "nothing is known that came"
        return
    yield from is_what(segment.tcp, what)
    came = segment.came_to(s.node)
    if came is None or (death is not None and came < death[0]):
        yield f"it came before, or never: {came}"


def kernel_says_afterwards(s: Sentence, what: str) -> Iterator[str]:
    yield from of_reason(s, "TCP_ABORT_ON_DATA", "TCP_TIMEWAIT_SOCKET")
    segment = s.full.answered_by(s.rst) if s.rst else None
    yield from is_what(segment.tcp, what) if segment else ("nothing is known that came",)


def shut_both_ways(s: Sentence, proc: str, what: str) -> Iterator[str]:
    yield from kernel_says_afterwards(s, what)
    own, other = s.ends
    socket = s.full.socket(s.node, own, other, s.until_ns) if own and other else None
    calls = [call for call in s.full.by_socket.get(socket or "", []) if isinstance(call.action, Shutdown)]
    ways = {call.action.how for call in calls if call.process == proc and call.time_ns < s.until_ns}  # type: ignore[union-attr]
    if "rdwr" not in ways and not {"rd", "wr"} <= ways:
        yield f"it had shut down {ways}"


def forgotten(s: Sentence, end: str = "") -> Iterator[str]:
    yield from of_reason(s, "NO_SOCKET", "TCP_FLAGS", "INVALID_SYN")
    yield from found_out(s, end)


def reset_before(s: Sentence, end: str = "") -> Iterator[str]:
    yield from forgotten(s, end)
    own, other = s.ends
    resets = [
        j
        for j in (s.full.sent(other, own) if own and other else ())
        if "R" in j.tcp.flags and s.begun_ns() - SLACK_NS <= (j.came_to(s.node) or -1) < s.until_ns
    ]
    if not resets:
        yield "no RST had come to it"


def given_up_before(s: Sentence, end: str = "") -> Iterator[str]:
    yield from forgotten(s, end)
    own, other = s.ends
    errors = [
        e
        for e in s.full.kernels
        if (e.node, e.event, e.local, e.remote) == (s.node, "inet_sk_error_report", own, other)
        and e.time_ns <= s.until_ns + SLACK_NS
    ]
    calls = [
        c
        for c in s.full.calls
        if c.node == s.node and c.remote == other and str(c.result) in {"ETIMEDOUT", "EHOSTUNREACH"}
    ]
    if not errors and not calls:
        yield "nothing tells that it had given up"


def half_open(s: Sentence, n: str, what: str, end: str) -> Iterator[str]:
    yield from of_reason(s, "NO_SOCKET", "TCP_FLAGS", "INVALID_SYN")
    yield from count_syn_acks(s, int(n))
    yield from still_held(s, end)
    own, other = s.ends
    segment = s.full.answered_by(s.rst) if s.rst else None
    if segment is None:
        yield "nothing is known that came"
        return
    yield from is_what(segment.tcp, what)
    for journey in s.full.sent(other, own) if own and other else ():
        came = journey.came_to(s.node)
        alike = journey.tcp == segment.tcp
        if came is not None and "A" in journey.tcp.flags and s.begun_ns() <= came < s.until_ns and not alike:
            yield f"an ACK had come there: {journey.packet}"


# --- not by TCP ---------------------------------------


def in_anothers_name(s: Sentence, node: str, host: str, rule: str, name: str) -> Iterator[str]:
    yield from came_from(s, node)
    if s.full.name(s.subject.src).rpartition(":")[0].strip("[]") != host or host != name:  # type: ignore[union-attr]
        yield "it bears another address"
    yield from by_rule(s, node, rule)


def packet_filter(s: Sentence, node: str, rule: str) -> Iterator[str]:
    yield from came_from(s, node)
    yield from by_rule(s, node, rule)


def by_rule(s: Sentence, node: str, rule: str) -> Iterator[str]:
    """That rule answered the segment, and TCP did not."""
    if s.told_all and s.kernel_said is not None:
        yield f"TCP sent it: {s.kernel_said}"
    if s.rst is None:
        return
    segment = s.full.answered_by(s.rst)
    packet = s.rst.packet
    provoked = segment.packet if segment else None
    yield from rule_decides(
        s, node, rule, provoked or Packet(packet.time_ns, node, "", None, "in", packet.dst, packet.src, packet.segment),
        "reject", s.rst.made_ns,
    )  # fmt: skip
    if "with tcp-reset" not in rule:
        yield "it answers otherwise"


_RULE = re.compile(r"rule (\d+) of its ([A-Z]+) chain \((.*)\)")


def rule_decides(s: Sentence, node: str, text: str, packet: Packet, action: str, time_ns: int) -> Iterator[str]:
    """That rule is there with that number, it matches the packet, and no rule before it does."""
    found = _RULE.fullmatch(text)
    assert found is not None
    number, chain, body = int(found[1]), found[2], found[3]
    rules = s.full.rules(node, chain, time_ns)
    if not 1 <= number <= len(rules):
        yield f"{node}'s {chain} chain has {len(rules)} rules then"
        return
    rule = rules[number - 1]
    if rule.body != body or rule.action != action:
        yield f"rule {number} of that chain is {rule.body}"
    if not s.full.fits(rule, packet):
        yield f"it does not match {packet.src} > {packet.dst}"
    for i, earlier in enumerate(rules[: number - 1], 1):
        if s.full.fits(earlier, packet):
            yield f"rule {i} matches before it: {earlier.body}"
    hits = [h for h in s.full.hits if (h.node, h.chain, h.number) == (node, chain, number)]
    if hits and not hits[0].packets and not s.full.crashes(node, time_ns, 1 << 62):
        yield "that rule matched nothing"


def by_a_program(s: Sentence, node: str, other: str, host: str | None = None) -> Iterator[str]:
    yield from came_from(s, node)
    if s.told_all and s.kernel_said is not None:
        yield f"its TCP sent it: {s.kernel_said}"
    claimed = s.full.owner(s.subject.src)  # type: ignore[union-attr]
    if (host is None) != (claimed == node):
        yield f"it bears {claimed}'s address"
    segment = s.full.answered_by(s.rst) if s.rst else None
    if segment is None or s.rst is None:
        return
    for chain in ("INPUT", "FORWARD", "OUTPUT"):
        here = segment.came_to(node) is not None and ((chain == "INPUT") == (s.full.owner(segment.dst) == node))
        for rule in s.full.rules(node, chain, s.rst.made_ns) if here and chain != "OUTPUT" else ():
            if s.full.fits(rule, segment.packet):
                if rule.answers_with == "tcp-reset":
                    yield f"a rule of its {chain} chain answers so: {rule.body}"
                break


_PROGRAM = (
    " no rule of {other:node}'s packet filter answers so, and its TCP did not send it. What is left is a program that "
    "writes packets itself; what was seen does not prove it."
)
_FORMS = compiled((
    ("What was seen does not single out where the reset was made.", nothing_claimed),
    ("The reset came from {node}; the evidence does not single out why.", came_from),
    ("The reset came from {node} itself: {text}", itself),
    ("The reset came from {node}, not from {host}: {rule} answered in {name:host}'s name.", in_anothers_name),
    ("The reset came from {node}'s packet filter, not from its TCP: {rule} answered.", packet_filter),
    ("The reset was made on {node}, and bears {host}'s address:" + _PROGRAM, by_a_program),
    ("The reset was made on {node}:" + _PROGRAM, by_a_program),
))  # fmt: skip

_UNREAD = "unread in the socket, and TCP says so with a reset instead of a FIN."
_STRAY = (
    ", so it means nothing to it",
    ", so it means nothing to it; {end} still held the other end",
    ", so it means nothing to it; {end} still held the other end, and found out when it sent",
)
_OF_TCP = compiled((
    ("its TCP refused, because nothing listens on port {n} any more: {proc} closed its listener.", no_longer),
    ("its TCP refused, because nothing listens on port {n} any more: {proc} shut its listener down.", no_longer),
    ("its TCP refused, because nothing listens on port {n} any more: {ended_:ended}.", no_longer),
    ("its TCP refused, because nothing listens on port {n} any more: its listener has ended.", nothing_listens),
    ("its TCP refused, because nothing listens on port {n} since {node} lost power and booted.", since_boot),
    ("its TCP refused, because nothing listens on port {n}.", nothing_listens),
    ("its TCP refused, because nothing listens on {host}, port {n}.", nothing_there),
    ("its TCP refused, because nothing listens on {host}, port {n}; {proc} listens there on {bound:text} only.",
     listens_elsewhere),
    (("the accept queue of port {n} was full when the handshake's ACK came, and net.ipv4.tcp_abort_on_overflow is 1 "
      "there."), queue_was_full),
    ("{call}() of {proc} left {n} byte{s} " + _UNREAD, unread),
    ("{call}() of {proc} left data " + _UNREAD, unread),
    ("{ended_:ended}, with {n} byte{s} " + _UNREAD, unread),
    ("{ended_:ended}, with data " + _UNREAD, unread),
    (("its kernel says that a socket was closed with received data that nobody had read, and TCP tells the peer so "
     "with a reset instead of a FIN."), kernel_says_unread),
    ("{proc} had set SO_LINGER(1,0), so that its close() aborts the connection instead of ending it.", lingered),
    (("{proc} had set SO_LINGER(1,0), so that the end of its process ({ended_:ended}) aborts the connection instead of "
     "ending it."), lingered),
    ("{proc} closed its listener before it had accepted the connection.", closed_listener),
    ("{proc} shut its listener down before it had accepted the connection.", closed_listener),
    ("{ended_:ended}, and the connection was still waiting in its listener's queue: nobody had accepted it.",
     died_listener),
    ("{n} keepalive probe{s} had gone unanswered, so that its TCP gave the connection up and said so with a reset.",
     probed),
    ("its keepalive probes had gone unanswered, so that its TCP gave the connection up and said so with a reset.",
     probed),
    ("it lost power and has booted since, so the connection means nothing to it.", rebooted),
    ("it lost power and has booted since, so the connection means nothing to it; {end} still held its end.", rebooted),
    (("it lost power and has booted since, so the connection means nothing to it; {end} still held its end, and found "
     "out when it sent."), rebooted),
    ("{proc} had closed the connection, and {what} came for it afterwards.", came_afterwards),
    ("{ended_:ended}, which closed the connection, and {what} came for it afterwards.", came_afterwards),
    ("its kernel says that {what} came when nobody could read it there any more.", kernel_says_afterwards),
    ("{proc} had shut down both directions of the connection, and {what} came for it afterwards.", shut_both_ways),
    *((f"its end of the connection had been reset before{stray}.", reset_before) for stray in _STRAY),
    *((f"its end of the connection had been given up before{stray}.", given_up_before) for stray in _STRAY),
    (("the handshake's last ACK never got there, its half of the connection had expired after {n} SYN ACK{s}, and then "
     "{what} came; to {end} the connection stood."), half_open),
))  # fmt: skip
"""What follows `The reset came from NODE itself:`."""
