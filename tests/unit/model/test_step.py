"""One line of a script: what is done, and what must come of it."""

from __future__ import annotations

import pytest

from netsim.errors import InputError
from netsim.model.action import Cut, Recv, Run
from netsim.model.result import Count, Errno, Exited, Ok, Ready, Result
from netsim.model.step import DEFAULT_WITHIN_S, parse_step


@pytest.mark.parametrize(
    ("text", "what", "expected", "within_s"),
    [
        ("recv", "recv", None, None),
        ("recv = ECONNRESET within 1s", "recv", Errno("ECONNRESET"), 1.0),
        ("  connect   server:80  =  ok ", "connect server:80", Ok(), None),
        ("poll = HUP  ERR within 250ms", "poll", Ready(("ERR", "HUP")), 0.25),
        ("run test 1 = 1 = exit 0", "run test 1 = 1", Exited(0), None),
        ("run sh -c 'x  = 1'\t=  exit 3", "run sh -c 'x  = 1'", Exited(3), None),
        ("send 5 = 007", "send 5", Count(7), None),
    ],
)
def test_an_expected_result(text: str, what: str, expected: Result | None, within_s: float | None) -> None:
    step = parse_step(3, "client", text, line=9)
    assert (step.index, step.who, step.line, step.text) == (3, "client", 9, what)
    assert (step.expected, step.within_s, step.start) == (expected, within_s, False)
    assert step.limit_s == (DEFAULT_WITHIN_S if within_s is None else within_s)


def test_a_call_that_is_started() -> None:
    step = parse_step(0, "client.b", "start  recv on b")
    assert (step.start, step.text, step.action, step.node) == (True, "start recv on b", Recv(socket="b"), "client")


@pytest.mark.parametrize(
    ("text", "argv"),
    [
        ("run  printf   'a  b'  x", ("printf", "a  b", "x")),
        ('run printf "a \\" b"', ("printf", 'a " b')),
        ("run printf a\\  b", ("printf", "a ", "b")),
        ("run printf 'a\tb'", ("printf", "a\tb")),
    ],
)
def test_the_spaces_in_an_argument_are_its_own(text: str, argv: tuple[str, ...]) -> None:
    assert parse_step(0, "client", text).action == Run(argv)


@pytest.mark.parametrize(("who", "text", "node"), [("a -- b", "cut", ""), ("lab", "wait 1s", ""), ("a", "crash", "a")])
def test_whose_node(who: str, text: str, node: str) -> None:
    assert parse_step(0, who, text).node == node


def test_a_step_on_the_second_of_two_links() -> None:
    step = parse_step(0, "a -- b (2)", "cut to b")
    assert (step.who, step.action, step.node) == ("a -- b (2)", Cut("b"), "")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "unknown verb ''"),
        ("start", "unknown verb 'start'; the verbs are listen, bind, "),
        ("start ", "unknown verb"),
        ("= ok", "unknown verb ''"),
        ("send 5=5", "'send 5=5' does not read as 'send BYTES [on SOCKET]'"),
        ("recv =", "'recv =' ends with '=' but says no result; write one, or leave the '=' out"),
        ("recv = no", "'no' is no result; "),
        ("recv = ok within 241h", "241h is too long; a step takes at most 240h"),
        ("start recv = 5", "'start recv = 5': a call that is started has no result yet; put it on its 'finish'"),
        ("start crash", "'start' goes with calls that can block (accept, close, connect, poll, recv, run, send)"),
    ],
)
def test_what_is_no_step(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_step(0, "client", text)
    assert str(caught.value).startswith(sentence)
