"""The `netsim` program. What an interrupt does is settled before anything is loaded that takes its time."""

import os

try:
    import signal
except KeyboardInterrupt:
    os._exit(130)


def main() -> None:
    """Run the program. An interrupt ends it in silence until a command begins, which has something to give back."""
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # nohup, or `netsim ... &` in a script
        signal.signal(signal.SIGINT, _leave)
    signal.signal(signal.SIGTERM, _leave)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})  # scripts/netsim holds them
    from netsim import cli

    cli.main()


def _leave(*_: object) -> None:
    os._exit(130)


if __name__ == "__main__":
    main()
