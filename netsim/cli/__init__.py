"""The command line: arguments and exit codes, and nothing else. Each command imports what it needs when it runs."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from netsim.cli.interrupt import interruptible
from netsim.errors import HostError, NetsimError

_EPILOG = "Exit codes: 0 as expected, 1 not as expected, 2 bad input, 3 this host cannot, 130 interrupted."


class _Commands(TyperGroup):
    """Turns netsim's errors into one sentence on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with interruptible():
                return self._told(ctx)
        except KeyboardInterrupt:
            from netsim.linux.keeper import end_keepers

            end_keepers()
            print("netsim: interrupted; everything was given back", file=sys.stderr, flush=True)
            os._exit(130)  # CPython makes a signal of any exit, where KeyboardInterrupt has passed an exec()

    def _told(self, ctx: Any) -> Any:
        try:
            try:
                return super().invoke(ctx)
            finally:
                sys.stdout.flush()  # now, while there is somebody to say that it failed
        except NetsimError as error:
            print(f"netsim: {error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from None
        except OSError as error:
            raise typer.Exit(_refused(error)) from None

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the interface
        """In the order of their use, not of the alphabet."""
        return list(self.commands)


def _refused(error: OSError) -> int:
    """Say that the host did not do what it was asked for, and give the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still in the buffer: it would fail once more
    if isinstance(error, BrokenPipeError):  # our reader has seen enough, as in `netsim list | head -1`
        return 0
    print(f"netsim: this host refused: {error}", file=sys.stderr)
    return HostError.exit_code


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=_EPILOG,
)


def _version(wanted: bool) -> None:
    if wanted:
        from netsim import __version__

        print(f"netsim {__version__}")
        raise typer.Exit


@app.callback()
def _netsim(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Build a real Linux network, break it in one precise way, and see why the connection died.

    Start with:  sudo netsim run firewall-reset
    """


def main() -> None:
    """The `netsim` program."""
    from netsim.cli import host, labs, play, scenarios

    for commands in (play, labs, scenarios, host):
        commands.add_to(app)
    _open_what_is_closed()
    try:
        try:
            app(prog_name="netsim")
        finally:
            sys.stdout.flush()  # of --help and --version
    except OSError as error:
        sys.exit(_refused(error))


def _open_what_is_closed() -> None:
    """Put /dev/null where there is no stdin, stdout or stderr: a file that got such a number would be written to."""
    for number, mode in enumerate((os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, mode)
    sys.stdout = sys.stdout or open(1, "w", closefd=False)  # noqa: SIM115 - it stays open
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115
