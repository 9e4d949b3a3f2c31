"""The grammar of steps: every verb, every result, and what does not read."""

from __future__ import annotations

import pytest

from netsim.errors import InputError
from netsim.model.step import DEFAULT_WITHIN_S, parse_result, parse_step
from netsim.model.verbs import BY_NAME, STARTABLE, VERBS

STEPS: list[tuple[str, dict[str, str]]] = [
    ("listen 80", {"port": "80"}),
    ("listen 80 backlog 1 as door", {"port": "80", "backlog": "1", "socket": "door"}),
    ("bind 4000 on b", {"port": "4000", "socket": "b"}),
    ("connect server:80", {"host": "server", "port": "80"}),
    ("connect 10.0.0.1:80 as b", {"host": "10.0.0.1", "port": "80", "socket": "b"}),
    ("connect fd00::1:80", {"host": "fd00::1", "port": "80"}),
    ("accept", {}),
    ("accept on door as b", {"listener": "door", "socket": "b"}),
    ("accept as b", {"socket": "b"}),
    ("send 5000", {"size": "5000"}),
    ("recv", {}),
    ("recv waitall", {"waitall": "waitall"}),
    ("recv 4096 waitall on b", {"size": "4096", "waitall": "waitall", "socket": "b"}),
    ("recv on b", {"socket": "b"}),
    ("shutdown wr", {"how": "wr"}),
    ("close", {}),
    ("close listener", {"socket": "listener"}),
    ("set linger 0", {"option": "linger", "value": "0"}),
    ("set user_timeout 3s on b", {"option": "user_timeout", "value": "3s", "socket": "b"}),
    ("poll", {}),
    ("poll IN RDHUP on b", {"events": "IN RDHUP", "socket": "b"}),
    ("error", {}),
    ("error on b", {"socket": "b"}),
    ("signal SIGPIPE default", {"signal": "SIGPIPE", "action": "default"}),
    ("kill", {}),
    ("kill SIGTERM", {"signal": "SIGTERM"}),
    ("finish", {}),
    ("run curl -s http://server:80/", {"command": "curl -s http://server:80/"}),
    ("cut", {}),
    ("cut to server", {"to": "server"}),
    ("heal", {}),
    ("crash", {}),
    ("boot", {}),
    ("reject tcp dport 80 with tcp-reset", {"rule": "tcp dport 80 with tcp-reset"}),
    ("drop udp", {"rule": "udp"}),
    ("sysctl net.ipv4.tcp_rmem=4096 87380 6291456", {"key": "net.ipv4.tcp_rmem", "value": "4096 87380 6291456"}),
    ("wait 2.5s", {"duration": "2.5s"}),
]


@pytest.mark.parametrize(("text", "args"), STEPS)
def test_a_verb_reads_its_arguments(text: str, args: dict[str, str]) -> None:
    step = parse_step(0, "client", text)
    assert step.verb.name == text.partition(" ")[0]
    assert step.args == args
    assert (step.text, step.expected, step.within_s, step.start) == (text, None, None, False)


def test_every_verb_is_tried_above() -> None:
    tried = {text.split()[0] for text, _ in STEPS}
    assert tried == set(BY_NAME)
    assert len(BY_NAME) == len(VERBS)
    assert set(BY_NAME) >= STARTABLE


@pytest.mark.parametrize(
    ("text", "what", "expected", "within_s"),
    [
        ("recv = ECONNRESET within 1s", "recv", "ECONNRESET", 1.0),
        ("  connect   server:80  =  ok ", "connect server:80", "ok", None),
        ("poll = HUP  ERR within 250ms", "poll", "ERR HUP", 0.25),
        ("run test 1 = 1 = exit 0", "run test 1 = 1", "exit 0", None),
        ("send 5 = 007", "send 5", "7", None),
        ("send 5=5", None, None, None),
    ],
)
def test_an_expected_result(text: str, what: str | None, expected: str | None, within_s: float | None) -> None:
    if what is None:
        with pytest.raises(InputError):
            parse_step(0, "client", text)
        return
    step = parse_step(3, "client", text, line=9)
    assert (step.index, step.line, step.text, step.expected, step.within_s) == (3, 9, what, expected, within_s)
    assert step.limit_s == (DEFAULT_WITHIN_S if within_s is None else within_s)


def test_a_call_that_is_started() -> None:
    step = parse_step(0, "client.b", "start recv on b")
    assert step.start
    assert (step.text, step.args, step.node) == ("start recv on b", {"socket": "b"}, "client")


@pytest.mark.parametrize(("who", "text", "node"), [("a -- b", "cut", ""), ("lab", "wait 1s", ""), ("a", "crash", "a")])
def test_whose_node(who: str, text: str, node: str) -> None:
    assert parse_step(0, who, text).node == node


@pytest.mark.parametrize(
    "text",
    ["ok", "eof", "timeout", "0", "4096", "ECONNRESET", "EPIPE", "EWOULDBLOCK", "signal SIGPIPE", "exit 141", "IN HUP"],
)
def test_a_result(text: str) -> None:
    if text == "EWOULDBLOCK":
        with pytest.raises(InputError, match="unknown errno EWOULDBLOCK"):
            parse_result(text)  # Linux gives it the name EAGAIN, and a call can have one name only
    else:
        assert parse_result(text) == text


def test_poll_events_are_put_in_order() -> None:
    assert parse_result("RDHUP HUP ERR OUT PRI IN") == "IN PRI OUT ERR HUP RDHUP"


@pytest.mark.parametrize("text", ["OK", "reset", "-1", "1.5", "exit 256", "signal 13", "IN OK", "econnreset", "\u0665"])
def test_what_is_no_result(text: str) -> None:
    with pytest.raises(InputError, match="is no result"):
        parse_result(text)


@pytest.mark.parametrize("text", ["", "start", "start ", "= ok", "  "])
def test_a_step_without_a_verb(text: str) -> None:
    with pytest.raises(InputError, match="unknown verb"):
        parse_step(0, "client", text)
