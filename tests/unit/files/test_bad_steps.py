"""What netsim says to steps and expectations that cannot be."""

from __future__ import annotations

import pytest

from netsim.files.scenario import parse_scenario
from tests.unit.files.texts import GOOD, refusal, with_steps

A_RESULT = (
    "a result is ok, a number, an errno such as ECONNRESET, eof, timeout, 'signal SIGPIPE', 'exit 1' "
    "or poll events such as 'IN HUP'"
)
THE_VERBS = (
    "listen, bind, connect, accept, send, recv, shutdown, close, set, poll, error, signal, kill, finish, run, "
    "cut, heal, crash, boot, reject, drop, sysctl, wait"
)
A_DURATION = "is no duration; write a number and us, ms, s, min or h, as in 100ms"
STARTABLE = "accept, close, connect, poll, recv, run, send"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("conect server:80", "unknown verb 'conect'; did you mean 'connect'?"),
        ("frobnicate", f"unknown verb 'frobnicate'; the verbs are {THE_VERBS}"),
        ("connect server", "'connect server' does not read as 'connect NODE:PORT [as SOCKET]'"),
        ("connect server:0", "port '0' is none: a port is a number from 1 to 65535"),
        ("connect server:70000", "port '70000' is none: a port is a number from 1 to 65535"),
        ("listen 0", "port '0' is none: a port is a number from 1 to 65535"),
        ("bind 70000", "port '70000' is none: a port is a number from 1 to 65535"),
        ("connect sever:80", "there is no node or address 'sever'; did you mean 'server'?"),
        ("connect 10.7.7.7:80", "there is no node or address '10.7.7.7'; there are client, fw, server"),
        ("connect server:80 = ECONREFUSED", "unknown errno ECONREFUSED; did you mean 'ECONNREFUSED'?"),
        ("connect server:80 = EZZZZZZZZ", "unknown errno EZZZZZZZZ; see errno(3)"),
        ("connect server:80 = maybe", f"'maybe' is no result; {A_RESULT}"),
        ("recv =", "'recv =' ends with '=' but says no result; write one, or leave the '=' out"),
        ("recv = signal SIGFOO", f"'signal SIGFOO' is no result; {A_RESULT}"),
        ("recv = exit 300", f"'exit 300' is no result; {A_RESULT}"),
        ("recv = \uff15", rf"'\uff15' is no result; {A_RESULT}"),
        ("recv = ok within soon", f"'soon' {A_DURATION}"),
        ("recv = ok within \uff15s", rf"'\uff15s' {A_DURATION}"),
        ("recv = ok within 99999h", "99999h is too long; a step takes at most 240h"),
        ("recv within 5s", "'recv within 5s' does not read as 'recv [BYTES] [waitall] [on SOCKET]'"),
        ("send", "'send' does not read as 'send BYTES [on SOCKET]'"),
        ("send 0", "size '0' is out of range: it is a number from 1 to 1073741824"),
        ("recv 9999999999", "size '9999999999' is out of range: it is a number from 1 to 1073741824"),
        ("send \uff15", r"'send \uff15' does not read as 'send BYTES [on SOCKET]'"),
        ("recv on a-", ("'a-' cannot be the name of a socket: a name is made of a-z, 0-9 and '-', starts with a letter "
         "and does not end with '-'")),
        ("listen 80 backlog 70000", "backlog '70000' is out of range: it is a number from 0 to 65535"),
        ("set lingr 0", "unknown socket option 'lingr'; did you mean 'linger'?"),
        ("set zzz 0", ("unknown socket option 'zzz'; the options are linger, keepalive, nodelay, reuseaddr, reuseport, "
         "user_timeout, rcvtimeo, sndtimeo, rcvbuf, sndbuf")),
        ("set nodelay 1", "nodelay is on or off, not '1'"),
        ("set linger now", "linger is 'off' or a number of seconds, not 'now'"),
        ("set linger 70000", "linger '70000' is out of range: it is a number from 0 to 65535"),
        ("set rcvbuf off", "rcvbuf is a number of bytes, not 'off'"),
        ("set rcvbuf 0", "rcvbuf '0' is out of range: it is a number from 1 to 1073741824"),
        ("set user_timeout 3", f"'3' {A_DURATION}"),
        ("signal SIGPIP default", "unknown signal SIGPIP; did you mean 'SIGPIPE'?"),
        ("signal SIGKILL ignore", "no process can choose what SIGKILL does to it; see signal(7)"),
        ("kill SIGZZZZZZZZ", "unknown signal SIGZZZZZZZZ; see signal(7)"),
        ("start listen 80", f"'start' goes with calls that can block ({STARTABLE}), not with listen"),
        ("start recv = 5", "'start recv = 5': a call that is started has no result yet; put it on its 'finish'"),
        ("reject tcp dport 0", "port '0' is none: a port is a number from 1 to 65535"),
        ("drop tcp from sever", "there is no node or address 'sever'; did you mean 'server'?"),
        ("sysctl kernel.panic=1", ("'kernel.panic' is no setting of a node; only names under net. are, such as "
         "net.ipv4.tcp_retries2")),
        ("sysctl net.ipv4.ip_forward", "'sysctl net.ipv4.ip_forward' does not read as 'sysctl NAME=VALUE'"),
        ("[recv]", "'client' is a list here; write a text such as 'connect server:80 = ok within 1s'"),
    ],
)  # fmt: skip
def test_what_is_done(text: str, sentence: str) -> None:
    assert refusal(with_steps(f"client: {text}")) == f"11:13: {sentence}"


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("sever: close", "5: there is no node 'sever'; did you mean 'server'?"),
        ("nas: close", "5: there is no node 'nas'; there are client, fw, server, lab"),
        (
            "client.B: close",
            (
                "5: 'B' cannot be the name of a process: a name is made of a-z, 0-9 and '-', starts with a letter "
                "and does not end with '-'"
            ),
        ),
        ("client: cut", "5: cut is done to a link; write 'client -- fw: cut'"),
        ("lab: cut", "5: cut is done to a link; write 'client -- fw: cut'"),
        ("client.b: crash", "5: crash is done to a whole node; write 'client: crash'"),
        ("client: wait 1s", "5: wait is for the lab as a whole; write 'lab: wait 1s'"),
        ("lab: send 5", "5: send is done by a node, not by the lab"),
        ("fw -- client: send 5", "5: send is done by a node, not by a link"),
        ("fw -- client: cut to server", "5: 'server' is no end of client -- fw; write client or fw"),
        ("fw -- client: cut to clent", "5: 'clent' is no end of client -- fw; did you mean 'client'?"),
        ("client -- sever: cut", "5: there is no link 'client -- sever'; did you mean 'client -- fw'?"),
        ("client--fw: cut", "5: link 'client--fw' does not read as 'NODE -- NODE', or 'NODE -- NODE (2)'"),
        ("lab: wait", "10: 'wait' does not read as 'wait DURATION'"),
        ("lab: wait 1", f"10: '1' {A_DURATION}"),
        (
            "client recv",
            "5: a step is the text 'client recv' here; write a mapping such as client: connect server:80 = ok",
        ),
        ("client:", "12: 'client' is empty here; write a text such as 'connect server:80 = ok within 1s'"),
        (
            "{client: recv, server: recv}",
            (
                "5: a step is one 'KEY: VALUE' such as client: connect server:80 = ok, and here are 2; "
                "begin each with a '- ' of its own"
            ),
        ),
    ],
)
def test_who_does_it(step: str, sentence: str) -> None:
    assert refusal(with_steps(step)) == f"11:{sentence}"


@pytest.mark.parametrize(
    ("step", "sentence"),
    [
        ("fw: listen 80", "5: fw is a switch and runs no processes; use a host or a router"),
        ("fw: drop tcp", "5: fw is a switch and has no firewall; use a host or a router"),
        ("client: connect fw:80", "13: fw has no address, as a switch has none; name another node"),
    ],
)
def test_a_switch_is_no_host(step: str, sentence: str) -> None:
    text = GOOD.replace("{kind: router}", "{kind: switch}")
    assert refusal(text + f"  - {step}\n") == f"11:{sentence}"


IN_A_CALL = (
    "5: client is still in the call that 'start recv' began on line 11; "
    "finish it first, or use another process such as client.b"
)


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        (["client: finish"], "5: client has nothing to finish; a 'start' of the same process comes first"),
        (["client: start recv", "client.b: finish"], "5: client.b has nothing to finish"),
        (["client: start recv", "client: start recv"], IN_A_CALL),
        (["client: start recv", "client: send 5"], IN_A_CALL),
        (["client: start recv", "client: finish", "client: finish"], "5: client has nothing to finish"),
        (["server: boot"], "5: server has power already; write 'server: crash' before this"),
        (["server: crash", "server: close"], "5: server has no power since line 11; write 'server: boot' before this"),
        (["server: crash", "server: crash"], "5: server has no power since line 11; write 'server: boot' before this"),
    ],
)
def test_order(steps: list[str], sentence: str) -> None:
    if sentence.endswith("finish"):
        sentence += "; a 'start' of the same process comes first"
    assert refusal(with_steps(*steps)) == f"{10 + len(steps)}:{sentence}"


@pytest.mark.parametrize(
    "steps",
    [
        ["client: start recv", "client.b: start recv", "client: finish", "client.b: finish"],
        ["client: start recv"],
        ["client: start recv", "client: kill", "client: finish = signal SIGKILL"],
        ["client: start recv", "client: crash", "client: finish", "client: boot", "client: start recv"],
        ["client: start recv", "client: crash", "client: boot", "client: send 5"],
        ["fw  --   client: cut to fw", "client -- fw: heal"],
        ["fw: crash", "fw: boot", "fw: sysctl net/ipv4/ip_forward=0"],
    ],
)
def test_order_that_is_fine(steps: list[str]) -> None:
    assert len(parse_scenario(with_steps(*steps), "x", "f.yaml").script) == 1 + len(steps)


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ("no resets", "10: an expectation cannot be 'no resets'; did you mean 'no reset'?"),
        ("{resett: {}}", "11: unknown key 'resett' in an expectation; did you mean 'reset'?"),
        ("{reset: {sent by: sever}}", "28: there is no node 'sever'; did you mean 'server'?"),
        ("{reset: {sendt by: server}}", "19: unknown key 'sendt by' in 'reset'; did you mean 'sent by'?"),
        ("{reset: {cause: closed-prt}}", "26: 'cause' cannot be 'closed-prt'; did you mean 'closed-port'?"),
        ("{reset: {felt by: client.b}}", "28: 'client.b' is a process, and a node belongs here; write client"),
        ("{failure: {errno: ETIMEDOT}}", "28: 'errno' cannot be 'ETIMEDOT'; did you mean 'ETIMEDOUT'?"),
        ("{failure: {errno: X}}", "28: 'errno' cannot be 'X'; write one such as ETIMEDOUT"),
        ("{failure: {who: nas.b}}", "26: there is no node 'nas'; there are client, fw, server"),
        (
            "{failure: {call: crash}}",
            (
                "27: 'call' cannot be 'crash'; it is one of: listen, bind, connect, accept, send, recv, shutdown, "
                "close, setsockopt, poll, getsockopt, sigaction"
            ),
        ),
        (
            "{reset: {}, failure: {}}",
            (
                "10: an expectation is one 'KEY: VALUE' such as reset: {sent by: fw}, and here are 2; "
                "begin each with a '- ' of its own"
            ),
        ),
        ("no reset, reset", "10: 'no reset' contradicts the reset that is expected as well; keep one of them"),
    ],
)
def test_expectations(item: str, sentence: str) -> None:
    assert refusal(GOOD + f"expect: [{item}]\n") == f"11:{sentence}"


def test_expectations_are_a_list() -> None:
    sentence = "11:9: 'expect' is the text 'no reset' here; write a list such as [no reset]"
    assert refusal(GOOD + "expect: no reset\n") == sentence
