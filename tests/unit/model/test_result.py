"""Results: how a script writes them, and which of them a call's own result meets."""

from __future__ import annotations

import os
import signal

import pytest

from netsim.errors import InputError
from netsim.model.result import (
    ERRNOS,
    SIGNALS,
    Count,
    Eof,
    Errno,
    Exited,
    Ok,
    Ready,
    Result,
    Signalled,
    TimedOut,
    ending,
    matches,
    parse_result,
    shell_status,
    signal_name,
)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("ok", Ok()),
        ("eof", Eof()),
        ("timeout", TimedOut()),
        ("0", Count(0)),
        ("4096", Count(4096)),
        ("ECONNRESET", Errno("ECONNRESET")),
        ("signal SIGPIPE", Signalled("SIGPIPE")),
        ("exit 141", Exited(141)),
        ("ERR", Ready(("ERR",))),
        ("IN HUP", Ready(("IN", "HUP"))),
    ],
)
def test_a_result_is_written_as_it_is_read(text: str, result: Result) -> None:
    assert parse_result(text) == result
    assert str(result) == text


def test_poll_events_are_put_in_order() -> None:
    assert parse_result("RDHUP HUP ERR OUT PRI IN") == Ready(("IN", "PRI", "OUT", "ERR", "HUP", "RDHUP"))


@pytest.mark.parametrize("name", sorted(ERRNOS))
def test_every_errno(name: str) -> None:
    assert parse_result(name) == Errno(name)


@pytest.mark.parametrize("name", sorted(SIGNALS))
def test_every_signal(name: str) -> None:
    assert parse_result(f"signal {name}") == Signalled(name)


@pytest.mark.parametrize(
    "text",
    ["", "OK", "reset", "-1", "1.5", "exit 256", "exit -1", "signal 13", "IN OK", "econnreset", "\u0665", "ok ok"],
)
def test_what_is_no_result(text: str) -> None:
    with pytest.raises(InputError, match="is no result; a result is ok, a number, an errno such as ECONNRESET"):
        parse_result(text)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("EWOULDBLOCK", "unknown errno EWOULDBLOCK; see errno(3)"),  # Linux calls it EAGAIN, and one name is enough
        ("ECONREFUSED", "unknown errno ECONREFUSED; did you mean 'ECONNREFUSED'?"),
    ],
)
def test_an_errno_that_is_none(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_result(text)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("expected", "observed", "met"),
    [
        ("ok", "ok", True),
        ("ok", "exit 0", True),
        ("ok", "exit 1", False),
        ("ok", "0", False),
        ("exit 141", "signal SIGPIPE", True),
        ("signal SIGPIPE", "exit 141", False),
        ("exit 137", "signal SIGPIPE", False),
        ("5", "5", True),
        ("5", "eof", False),
        ("ECONNRESET", "EPIPE", False),
        ("IN HUP", "HUP IN", True),
        ("IN", "IN HUP", False),
    ],
)
def test_what_meets_an_expectation(expected: str, observed: str, met: bool) -> None:
    assert matches(parse_result(expected), parse_result(observed)) is met


def test_a_signal_without_a_number_meets_no_exit_status() -> None:
    assert shell_status(Signalled("SIGRTMIN+3")) is None
    assert not matches(Exited(0), Signalled("SIGRTMIN+3"))


@pytest.mark.parametrize(
    ("code", "result"), [(0, Exited(0)), (3 << 8, Exited(3)), (signal.SIGKILL, Signalled("SIGKILL"))]
)
def test_how_a_process_ended(code: int, result: Result) -> None:
    assert os.waitstatus_to_exitcode(code) == (result.code if isinstance(result, Exited) else -signal.SIGKILL)
    assert ending(code) == result


@pytest.mark.parametrize(("number", "name"), [(13, "SIGPIPE"), (34, "SIGRTMIN"), (37, "SIGRTMIN+3"), (64, "SIGRTMAX")])
def test_the_name_of_a_signal(number: int, name: str) -> None:
    assert signal_name(number) == name
