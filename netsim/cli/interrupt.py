"""What Ctrl-C and `kill` do while a command runs: everything is given back, once, and then it says so."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count

_AGAIN_S = 0.001
_NUMBERS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt at the first signal. Afterwards signals come too late, and change nothing.

    A second one is ignored: timeout(1) sends two. Whoever presses Ctrl-C a third time has the prompt back
    at once, and the lab's keeper finishes alone.
    """
    presses = count(1)

    def pressed(*_: object) -> None:
        match next(presses):
            case 1:
                raise KeyboardInterrupt
            case 2:
                pass
            case _:
                os._exit(130)

    def forgotten(told: sys.UnraisableHookArgs) -> None:
        """What a weakref's callback raises, as each import has some, or a __del__, is only printed: press again."""
        nonlocal presses
        if told.exc_type is not KeyboardInterrupt:
            sys.__unraisablehook__(told)
            return
        presses = count(1)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)  # not now: this would be forgotten as well

    numbers = [number for number in _NUMBERS if signal.getsignal(number) is not signal.SIG_IGN]
    try:
        sys.unraisablehook = forgotten
        for number in (*numbers, signal.SIGALRM):
            signal.signal(number, pressed)
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        sys.unraisablehook = sys.__unraisablehook__
