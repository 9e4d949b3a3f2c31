from __future__ import annotations

import pytest

from netsim.report.terminal.spans import Canvas, emphasised, in_ascii, line, plain, safe, wrap


@pytest.mark.parametrize(
    ("sentence", "bold"),
    [
        ("from fw, not from server", 1),
        ("It was fw. It was fw's rule, on client -- fw", 3),
        ("fw-2, fw.curl, nofw, fw:80, a.fw, my-fw and FW are others", 0),
        ("fw: rule 1", 1),
    ],
)
def test_a_name_stands_out_where_it_is_the_name(sentence: str, bold: int) -> None:
    told = emphasised(sentence, "fw")
    assert plain(told) == sentence
    assert [text for text, style in told if style == "bold"] == ["fw"] * bold


def test_without_a_name_nothing_stands_out() -> None:
    assert emphasised("a ** b **", None) == (("a ** b **", ""),)


def test_sentences_break_between_words_and_keep_their_styles() -> None:
    assert wrap(emphasised("the reset came from fw, not from server", "fw"), 24, "- ", "  ") == [
        (("- the reset came from", ""),),
        (("  ", ""), ("fw", "bold"), (", not from server", "")),
    ]


def test_a_word_longer_than_the_line_stays_whole() -> None:
    assert [plain(one) for one in wrap(line("a verylongword b"), 6)] == ["a", "verylongword", "b"]


def test_a_recording_cannot_steer_the_terminal() -> None:
    assert plain(safe(line("\x1b[31mred\x9b1m\r\u202e"))) == "?[31mred?1m??"


def test_ascii_keeps_the_columns() -> None:
    drawn = line("├──►│ µs é")
    assert plain(in_ascii(drawn)) == "|-->| us ?"
    assert len(plain(in_ascii(drawn))) == len(plain(drawn))


def test_what_is_put_later_covers() -> None:
    canvas = Canvas()
    canvas.put(4, "----", "dim")
    canvas.put(6, "x")
    canvas.put(10, "  ")
    assert canvas.line() == (("    ", ""), ("--", "dim"), ("x", ""), ("-", "dim"))
