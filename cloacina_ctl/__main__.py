"""``python -m cloacina_ctl``, and the console script: the version at once, the rest by ``cli``.

``--version`` is answered before anything is imported: scripts ask for it again and again.
"""

import sys

from cloacina_ctl import __version__


def main() -> None:
    """Run the command line and exit with its status."""
    said = sys.argv[1:] == ["--version"] and _say_version()
    _leave(0 if said else _run())


def _run() -> int:
    import gc

    # What a command makes lives as long as the command. Looking for garbage among it takes a tenth
    # of the time that `inspect` does.
    gc.set_threshold(100_000, 20, 20)
    try:
        import signal

        from cloacina_ctl.cli.main import run

        status = run(sys.argv[1:])
        # Python would show a traceback of what arrives while it takes itself down.
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    except KeyboardInterrupt:
        from cloacina_ctl.cli import exits

        return exits.INTERRUPTED
    return status


def _leave(status: int) -> None:
    """End the process with ``status``, without taking the interpreter apart piece by piece.

    ``run`` has closed what it opened and said what could not be written; the rest is the system's.
    """
    import os
    from contextlib import suppress

    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(status)


def _say_version() -> bool:
    """Print the version, or leave it to those who know what to do with a closed or full output."""
    import os

    try:
        # Past the buffer: what cannot be written must not wait there for the next who tries.
        os.write(1, f"cloacina-ctl {__version__}\n".encode())
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
