"""Every verb: the action that it makes, how that is written again, and what it refuses."""

from __future__ import annotations

import typing

import pytest

from netsim.errors import InputError
from netsim.model import action as act
from netsim.model.action import Action, Fault
from netsim.model.firewall import Rule
from netsim.model.step import parse_step
from netsim.model.verbs import BY_NAME, STARTABLE, VERBS, Verb, verb_of, written

ACTIONS: list[tuple[str, Action]] = [
    ("listen 80", act.Listen(80)),
    ("listen 80 backlog 1 as door", act.Listen(80, 1, "door")),
    ("bind 4000 on b", act.Bind(4000, "b")),
    ("connect server:80", act.Connect("server", 80)),
    ("connect 10.0.0.1:80 as b", act.Connect("10.0.0.1", 80, "b")),
    ("connect fd00::1:80", act.Connect("fd00::1", 80)),
    ("accept", act.Accept()),
    ("accept on door as b", act.Accept("door", "b")),
    ("accept on door", act.Accept("door")),
    ("accept as b", act.Accept(socket="b")),
    ("send 5000", act.Send(5000)),
    ("send 5 on b", act.Send(5, "b")),
    ("recv", act.Recv()),
    ("recv waitall", act.Recv(waitall=True)),
    ("recv 4096 waitall on b", act.Recv(4096, True, "b")),
    ("recv on b", act.Recv(socket="b")),
    ("shutdown wr", act.Shutdown("wr")),
    ("shutdown rdwr on b", act.Shutdown("rdwr", "b")),
    ("close", act.Close()),
    ("close listener", act.Close("listener")),
    ("set linger 0", act.SetOption("linger", "0")),
    ("set user_timeout 3s on b", act.SetOption("user_timeout", "3s", "b")),
    ("poll", act.Poll()),
    ("poll IN RDHUP on b", act.Poll(("IN", "RDHUP"), "b")),
    ("poll on b", act.Poll((), "b")),
    ("error", act.FetchError()),
    ("error on b", act.FetchError("b")),
    ("signal SIGPIPE default", act.SetSignal("SIGPIPE", "default")),
    ("kill", act.Kill()),
    ("kill SIGTERM", act.Kill("SIGTERM")),
    ("finish", act.Finish()),
    ("run curl -s http://server:80/", act.Run(("curl", "-s", "http://server:80/"))),
    ("run sh -c 'echo  two spaces'", act.Run(("sh", "-c", "echo  two spaces"))),
    ("run test 1 '=' 1", act.Run(("test", "1", "=", "1"))),
    ("cut", act.Cut()),
    ("cut to server", act.Cut("server")),
    ("heal", act.Heal()),
    ("crash", act.Crash()),
    ("boot", act.Boot()),
    ("reject tcp dport 80 with tcp-reset", act.AddRule(Rule("reject", None, "tcp", dport=80, answer="tcp-reset"))),
    ("reject output tcp dport 5", act.AddRule(Rule("reject", "output", "tcp", dport=5))),
    ("reject output", act.AddRule(Rule("reject", "output"))),
    ("drop", act.AddRule(Rule("drop"))),
    ("drop input udp from server", act.AddRule(Rule("drop", "input", "udp", "server"))),
    ("sysctl net.ipv4.tcp_rmem=4096 87380 6291456", act.SetSysctl("net.ipv4.tcp_rmem", "4096 87380 6291456")),
    ("wait 2.5s", act.Wait(2.5)),
]


@pytest.mark.parametrize(("text", "action"), ACTIONS)
def test_an_action_is_written_as_it_is_read(text: str, action: Action) -> None:
    step = parse_step(0, "client", text)
    assert step.action == action
    assert written(action) == text
    assert verb_of(action) is step.verb is BY_NAME[text.partition(" ")[0]]


def test_every_verb_and_every_action_is_tried_above() -> None:
    assert {text.partition(" ")[0] for text, _ in ACTIONS} == set(BY_NAME)
    assert {type(action) for _, action in ACTIONS} == set(typing.get_args(Action))
    assert len(BY_NAME) == len(VERBS)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_speaks_for_itself(verb: Verb) -> None:
    step = parse_step(0, "client", verb.example)
    assert step.verb is verb
    assert verb.usage.startswith(verb.name)
    assert verb.about
    assert verb.fault == isinstance(step.action, typing.get_args(Fault))
    assert bool(verb.call) == isinstance(step.action, typing.get_args(act.Call))
    assert (verb.name in STARTABLE) == verb.startable


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("recv 65536", "recv"),
        ("listen 80 backlog 128 as listener", "listen 80"),
        ("kill SIGKILL", "kill"),
        ("poll RDHUP IN IN", "poll IN RDHUP"),
        ("sysctl net/ipv4/ip_forward=0", "sysctl net.ipv4.ip_forward=0"),
        ("run  ls   -l", "run ls -l"),
        ("wait 60s", "wait 1min"),
    ],
)
def test_other_words_for_the_same(text: str, read: str) -> None:
    assert written(parse_step(0, "client", text).action) == read


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("listen 0", "port '0' is none: a port is a number from 1 to 65535"),
        ("send 0", "size '0' is out of range: it is a number from 1 to 1073741824"),
        (
            "recv on a-",
            "'a-' cannot be the name of a socket: a name is made of a-z, 0-9 and '-', starts with a letter ",
        ),
        ("set lingr 0", "unknown socket option 'lingr'; did you mean 'linger'?"),
        ("set nodelay 1", "nodelay is on or off, not '1'"),
        ("signal SIGSTOP ignore", "no process can choose what SIGSTOP does to it; see signal(7)"),
        ("kill SIGNOPE", "unknown signal SIGNOPE"),
        ("run 'x", "\"'x\" does not split into words as a shell's would: No closing quotation"),
        ("run ''", "\"''\" names no program"),
        ("reject accept tcp", "firewall rule 'reject accept tcp' does not read as "),
        ("sysctl kernel.panic=1", "'kernel.panic' is no setting of a node"),
        ("wait 241h", "241h is too long; a step takes at most 240h"),
        ("send", "'send' does not read as 'send BYTES [on SOCKET]'"),
    ],
)
def test_what_a_verb_refuses(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_step(0, "client", text)
    assert str(caught.value).startswith(sentence)
