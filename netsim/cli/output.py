"""What commands print: reports on stdout, progress on stderr."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from netsim.engines import Engine

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def console() -> Console:
    """The terminal, by rich: it knows NO_COLOR, widths, and when its output goes into a pipe."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def print_json(value: object) -> None:
    json.dump(value, sys.stdout, indent=2, ensure_ascii=False)  # piece by piece: a whole text of it may be too much
    print()


def table(rows: list[list[str]], header: list[str]) -> None:
    """Print aligned columns, without any frame."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, *rows):
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def recover(engine: Engine) -> None:
    """Give back what killed runs left, as `netsim clean` does, and say so on stderr."""
    for lab in engine.recover():
        print(f"netsim: gave back what a killed run of {lab} had left", file=sys.stderr)


class Progress:
    """One line on a terminal's stderr that says what is being done, and goes when it is done."""

    def __init__(self, quiet: bool = False) -> None:
        self._on = sys.stderr.isatty() and not quiet

    def __enter__(self) -> Progress:
        return self

    def __call__(self, doing: str) -> None:
        if self._on:
            from shutil import get_terminal_size

            room = get_terminal_size().columns - 2
            sys.stderr.write(f"\r\033[K{doing[:room]}")
            sys.stderr.flush()

    def __exit__(self, *_: object) -> None:
        if self._on:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()
