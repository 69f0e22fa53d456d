"""Lets the child process hand on each line as it is printed, and not when a buffer is full.

A process that is ended, or that ends itself, loses what its buffers hold; and who watches a task
wants to see what it says while it runs.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import sys

_BY_LINE = 1  # _IOLBF, in the C libraries of Linux and macOS


def print_line_by_line() -> None:
    """Let Python's streams, and stdout of C, write at each end of a line; stderr of C always does.

    What Rust prints goes line by line without being told.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)
    library = ctypes.CDLL(None)
    for name in ("stdout", "__stdoutp"):  # macOS has the second
        with contextlib.suppress(ValueError):
            out = ctypes.c_void_p.in_dll(library, name)
            library.setvbuf(out, None, _BY_LINE, ctypes.c_size_t(0))
            return
