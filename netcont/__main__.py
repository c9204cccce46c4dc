"""The command netcont, also as `python -m netcont`."""

from __future__ import annotations

import signal
import sys


def main() -> int:
    """Runs the command. While it is imported Ctrl-C ends the process, which has done nothing yet,
    and prints nothing."""
    interruptible = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if interruptible:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from netcont.cli.main import main as command

    if interruptible:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    return command()


if __name__ == "__main__":
    sys.exit(main())
