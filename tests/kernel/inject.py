"""Plays a scenario again and again, each time interrupted at another point of netsim's own code.

    python inject.py FILE SCENARIO STEP...

The points are the lines, and in linux/channel.py the bytecodes, that the main process executes there while it
builds, plays and gives back: KeyboardInterrupt is raised at each of them. Prints how many there were; ends with
a sentence where anything else came of it, or something was left.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import netsim
from netsim.linux import keeper

PACKAGE = str(Path(netsim.__file__).parent)
BY_LINE = {
    f"{PACKAGE}/{name}"
    for name in ("linux/keeper.py", "linux/lab.py", "linux/packet_filter/__init__.py", "probes/session.py", "runner.py")
}
BY_BYTECODE = {f"{PACKAGE}/linux/channel.py"}
HANGS_S = 20


def interrupted_at(point: int, play: Callable[[], object], files: set[str]) -> tuple[int, BaseException | None]:
    """Play with an interrupt at a point; gives how many points were passed, and what was raised."""
    main, passed = os.getpid(), 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal passed
        if frame.f_code.co_filename not in files or os.getpid() != main:
            return None
        by_bytecode = frame.f_code.co_filename in BY_BYTECODE
        frame.f_trace_opcodes, frame.f_trace_lines = by_bytecode, not by_bytecode
        if event in {"line", "opcode"}:
            passed += 1
            if passed == point:
                raise KeyboardInterrupt
        return trace

    sys.settrace(trace)
    try:
        play()
    except BaseException as error:
        return passed, error
    finally:
        sys.settrace(None)
    return passed, None


def wrong(raised: BaseException | None) -> str | None:
    """Say what should not have been, after everything had its chance to be given back."""
    keeper.end_keepers()
    if type(raised) is not KeyboardInterrupt:
        return f"it came to {raised!r}"
    try:
        return f"a child is left: {os.waitpid(-1, os.WNOHANG)}"
    except ChildProcessError:
        left = [*map(str, Path("/run/netns").glob("*")), *map(str, Path("/run/netsim").glob("*"))]
        return f"there is still {left}" if left else None


def main(name: str, first: str, step: str) -> None:
    scenario, files = netsim.load(name), BY_LINE | BY_BYTECODE

    def play() -> None:
        netsim.run(scenario)

    play()  # everything is loaded
    points, raised = interrupted_at(0, play, files)
    assert raised is None, raised
    signal.signal(signal.SIGALRM, lambda *_: os._exit(99))
    done = 0
    for point in range(1 + int(first), points + 1, int(step)):
        signal.alarm(HANGS_S)
        _, raised = interrupted_at(point, play, files)
        said = wrong(raised)
        signal.alarm(0)
        if said:
            sys.exit(f"interrupted at point {point} of {points}: {said}")
        done += 1
    print(points, done)


if __name__ == "__main__":
    main(*sys.argv[1:])
