"""Names, durations, and how both are shown."""

from __future__ import annotations

import pytest

from netsim.errors import InputError
from netsim.model.duration import parse_duration, show_duration, write_duration
from netsim.model.names import NAME_MAX, checked_name, name_fault, nearest, shown, sysctl_name, sysctl_value


@pytest.mark.parametrize("name", ["a", "client", "r2", "web-server", "a--b", "x" * NAME_MAX])
def test_a_name(name: str) -> None:
    assert name_fault(name) is None


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Client",
        "2r",
        "-a",
        "a-",
        "a b",
        "a\n",
        "..",
        ".",
        "a/b",
        "a.b",
        "a_b",
        "\u0430",
        "caf\u00e9",
        "a" * 41,
        "lab",
        "all",
    ],
)
def test_what_is_no_name(name: str) -> None:
    assert name_fault(name)


def test_a_name_is_checked_for_what_it_names() -> None:
    assert checked_name("client", "node") == "client"
    with pytest.raises(InputError) as caught:
        checked_name("all", "process")
    assert str(caught.value) == "'all' cannot be the name of a process: 'all' is a word of netsim's own"


@pytest.mark.parametrize(
    ("name", "dotted"),
    [
        ("net.ipv4.tcp_retries2", "net.ipv4.tcp_retries2"),
        ("net/ipv4/conf/eth0/rp_filter", "net.ipv4.conf.eth0.rp_filter"),
        ("kernel.panic", None),
        ("net", None),
        ("net.ipv4.../x", None),
        ("net.ipv4.tcp_retries2\n", None),
    ],
)
def test_a_sysctl(name: str, dotted: str | None) -> None:
    if dotted is not None:
        assert sysctl_name(name) == dotted
        return
    with pytest.raises(InputError, match=r"is no setting of a node; only names under net\. are"):
        sysctl_name(name)


def test_what_a_sysctl_is_set_to() -> None:
    assert sysctl_value(" 4096   87380 6291456 ") == "4096 87380 6291456"
    for text in ("\u00e9", "1" * 201):
        with pytest.raises(InputError, match="is no value for a kernel setting"):
            sysctl_value(text)


@pytest.mark.parametrize(
    ("word", "offer"),
    [("sever", "; did you mean 'server'?"), ("", ""), ("zzz", ""), ("SERVER", "")],
)
def test_the_nearest_word_is_offered(word: str, offer: str) -> None:
    assert nearest(word, ["client", "server"]) == offer


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("plain", "'plain'"),
        ("\u0430\x1b\n", r"'\u0430\x1b\n'"),
        ("x" * 500, "'" + "x" * 55 + "...'"),
        (7, "7"),
    ],
)
def test_what_was_written_is_quoted(value: object, text: str) -> None:
    assert shown(value) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("100ms", 0.1), ("2.5s", 2.5), ("250us", 0.00025), ("1min", 60), ("2h", 7200), ("0s", 0)],
)
def test_a_duration(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["0s", "1ms", "35ms", "250us", "0.000000001s", "1.001s", "90s", "90min", "2h", "2.5s", "999ms"]
)
def test_a_duration_is_written_as_it_is_read(text: str) -> None:
    assert write_duration(parse_duration(text)) == text


def test_milliseconds_are_read_to_the_last_bit() -> None:
    for ms in range(1, 1000):
        assert parse_duration(f"{ms}ms") == ms / 1000 == parse_duration(write_duration(ms / 1000))


@pytest.mark.parametrize(
    "text", ["", "5", "s", "-1s", "1 s", "1e3s", "1.s", ".5s", "5m", "\u0665s", "1s\n", "9" * 10 + "s"]
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(InputError, match="is no duration; write a number and us, ms, s, min or h, as in 100ms"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "0 ns"),
        (312_000, "312 \u00b5s"),
        (4_210_000, "4.21 ms"),
        (6_600_000_000, "6.60 s"),
        (8_100_000_000_000, "135.0 min"),
    ],
)
def test_a_duration_is_shown_with_three_digits(time_ns: int, text: str) -> None:
    assert show_duration(time_ns) == text
