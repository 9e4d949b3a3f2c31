"""Names, durations, and how both are shown."""

from __future__ import annotations

import pytest

from netsim.errors import InputError
from netsim.model.duration import parse_duration, show_duration
from netsim.model.names import NAME_MAX, name_fault, nearest, shown


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
