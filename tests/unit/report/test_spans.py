from __future__ import annotations

from netsim.report.spans import Canvas, emphasised, in_ascii, line, plain, safe, unmarked, wrap


def test_emphasis_is_read_and_dropped() -> None:
    assert emphasised("from **fw**, not") == (("from ", ""), ("fw", "bold"), (", not", ""))
    assert unmarked("from **fw**, not") == "from fw, not"
    assert unmarked("2 ** 3") == "2 ** 3"


def test_sentences_break_between_words_and_keep_their_styles() -> None:
    assert wrap(emphasised("the reset came from **fw**, not from server"), 24, "- ", "  ") == [
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
