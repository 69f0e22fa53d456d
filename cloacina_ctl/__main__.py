"""``python -m cloacina_ctl`` and the console script: print the version, or start ``cli``.

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

    # Objects live as long as the command. Collecting garbage takes a tenth of the time of
    # `inspect`.
    gc.set_threshold(100_000, 20, 20)
    try:
        import signal

        from cloacina_ctl.cli.main import run

        status = run(sys.argv[1:])
        # Python would print a traceback for a signal that arrives while it shuts down.
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
    except KeyboardInterrupt:
        from cloacina_ctl.cli import exits

        return exits.INTERRUPTED
    return status


def _leave(status: int) -> None:
    """End the process with ``status``, without the interpreter's own shutdown.

    ``run`` has closed its files and reported failed writes; the system frees the rest.
    """
    import os
    from contextlib import suppress

    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(status)


def _say_version() -> bool:
    """Print the version; return False where the output is closed or full, for ``cli`` to report."""
    import os

    try:
        # Unbuffered: bytes that cannot be written must not stay in the buffer for the next write.
        os.write(1, f"cloacina-ctl {__version__}\n".encode())
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
