"""Opening a package of any format, once, by its first bytes.

All reads use one descriptor: the file that was recognized is the file that is read.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.files.staging import reported
from cloacina_ctl.formats import detect
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.formats.native.reader import STDIN, NativePackage, open_regular, open_stdin

if TYPE_CHECKING:
    from cloacina_ctl.formats.legacy.reader import LegacyPackage


def open_any(path: str, limits: Limits = DEFAULT_LIMITS) -> NativePackage | LegacyPackage:
    """Open the package at ``path``, or on standard input for ``-``.

    Raises ``FileProblem`` where it is no regular file, ``Refused`` where it is no package.
    """
    return open_descriptor(descriptor(path, limits), path, limits)


def descriptor(path: str, limits: Limits = DEFAULT_LIMITS) -> int:
    """Return a descriptor of the regular file ``path``, or of a copy of standard input."""
    return open_stdin(limits) if path == STDIN else open_regular(path)


def require_package_file(fd: int, path: str) -> None:
    """Refuse a file that is no package by its first bytes, before all of it is copied."""
    with reported(path):
        start = os.pread(fd, detect.SNIFF_BYTES, 0)
    detect.require_package(start, where=path)


def open_descriptor(
    fd: int, path: str, limits: Limits = DEFAULT_LIMITS
) -> NativePackage | LegacyPackage:
    """Open the package behind ``fd``, and close ``fd`` with it; ``path`` is for messages."""
    try:
        if os.pread(fd, len(detect.NATIVE_MAGIC), 0) == detect.NATIVE_MAGIC:
            return NativePackage(fd, path, limits)
        from cloacina_ctl.formats.legacy.reader import LegacyPackage

        return LegacyPackage(fd, path, limits)
    except BaseException:
        os.close(fd)
        raise
