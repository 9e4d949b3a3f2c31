"""Styled text as plain values: what is drawn before anything is known of the terminal but its width.

A style is one of rich's: `bold red`, `dim`. Every character that is drawn is one column wide.
"""

from __future__ import annotations

import re
from itertools import groupby

Span = tuple[str, str]
"""Text, and its style."""
Line = tuple[Span, ...]

BROKEN = "\N{BOX DRAWINGS LIGHT DIAGONAL CROSS}"
"""What a cut cable and a lost packet are marked with."""

_DRAWN = "│┊├┤┼└┘─╌►◄●■✂↯⋮·→µ—…“”"
_TO_ASCII = str.maketrans(_DRAWN + BROKEN, '|:||+`\'--><o#X!:.>u-.""X')

_UNSAFE = dict.fromkeys([*range(32), *range(127, 160), *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "?")
"""A recording may come from anyone: nothing in it may steer the terminal."""


def line(*parts: str | Span) -> Line:
    """Put a line together from text and styled text."""
    return tuple(part if isinstance(part, tuple) else (part, "") for part in parts)


def plain(spans: Line) -> str:
    """The text without its styles."""
    return "".join(text for text, _ in spans)


def emphasised(text: str, word: str | None) -> Line:
    """A sentence with a name in bold wherever it stands for itself: not in `fw-2`, `fw.curl` or `fw:80`."""
    if not word:
        return line(text)
    parts = re.split(rf"(?<![\w.-])({re.escape(word)})(?![\w-]|[.:]\w)", text)
    return tuple((part, "bold" if i % 2 else "") for i, part in enumerate(parts) if part)


def safe(spans: Line) -> Line:
    """Make what others wrote harmless: no control characters."""
    return tuple((text.translate(_UNSAFE), style) for text, style in spans)


def in_ascii(spans: Line) -> Line:
    """The same line for an output that takes ASCII only, in the same columns."""
    return tuple((text.translate(_TO_ASCII).encode("ascii", "replace").decode(), style) for text, style in spans)


def wrap(spans: Line, width: int, indent: str = "", hang: str = "") -> list[Line]:
    """Break a sentence into lines of at most `width`; a word that is longer stays whole."""
    cells = [(char, style) for text, style in spans for char in text]
    text = "".join(char for char, _ in cells)
    lines: list[list[Span]] = [[(indent, "")]]
    used, last = len(indent), 0
    for word in re.finditer(r"\S+", text):
        blank = word.start() - last if len(lines[-1]) > 1 else 0
        if blank and used + blank + len(word[0]) > width:
            lines.append([(hang, "")])
            used, blank = len(hang), 0
        lines[-1] += [(" ", style) for _, style in cells[word.start() - blank : word.start()]]
        lines[-1] += cells[word.start() : word.end()]
        used, last = used + blank + len(word[0]), word.end()
    return [_join(one) for one in lines]


class Canvas:
    """One line, drawn column by column; what is put later covers what was there."""

    def __init__(self) -> None:
        self._cells: list[Span] = []

    def put(self, column: int, text: str, style: str = "") -> None:
        missing = column + len(text) - len(self._cells)
        self._cells += [(" ", "")] * missing
        self._cells[column : column + len(text)] = [(char, style) for char in text]

    def put_line(self, column: int, spans: Line) -> None:
        for text, style in spans:
            self.put(column, text, style)
            column += len(text)

    def line(self) -> Line:
        return _join(self._cells)


def _join(cells: list[Span]) -> Line:
    """Gather neighbours of one style, and leave out the blanks at the end."""
    end = len(cells)
    while end and not cells[end - 1][0].strip():
        end -= 1
    return tuple(("".join(text for text, _ in run), style) for style, run in groupby(cells[:end], lambda cell: cell[1]))
