"""An interrupt is raised once, wherever it comes."""

from __future__ import annotations

import signal
import time
import weakref

import pytest

from netsim.cli.interrupt import interruptible


class Thing:
    pass


@pytest.fixture(autouse=True)
def as_before() -> object:
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_one_signal() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        signal.raise_signal(signal.SIGINT)


def in_a_callback() -> None:
    """What a weakref's callback raises is printed, and nothing else."""
    thing = Thing()
    found = weakref.ref(thing, lambda _: signal.raise_signal(signal.SIGTERM))
    del thing
    assert found() is None
    time.sleep(60)  # until it is pressed again


def test_one_that_python_would_forget() -> None:
    with pytest.raises(KeyboardInterrupt), interruptible():
        in_a_callback()


def test_afterwards_they_come_too_late() -> None:
    with interruptible():
        pass
    signal.raise_signal(signal.SIGINT)
