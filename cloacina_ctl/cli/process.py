"""The edges of the process: streams that are closed, an interrupt before anything began."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, NoReturn

from cloacina_ctl.cli import exits

if TYPE_CHECKING:
    from collections.abc import Sequence


def run_process(words: Sequence[str]) -> NoReturn:
    """Run the command line and end the process with its status, also where a pipe was closed."""
    try:
        from cloacina_ctl.cli.main import run

        status = run(words)
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except KeyboardInterrupt:
        status = exits.INTERRUPTED
    except (BrokenPipeError, ValueError, OSError) as error:
        status = _closed(error)
    sys.exit(status)


def _closed(error: Exception) -> int:
    """Return the status for output that nobody takes: silent for a pipe, a line for a full disk."""
    with contextlib.suppress(OSError):  # what is still buffered must not be written at the end
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
    if isinstance(error, BrokenPipeError):
        return exits.DONE
    with contextlib.suppress(Exception):
        sys.stderr.write(f"error[I006] standard output: {error}\n")
    return 8
