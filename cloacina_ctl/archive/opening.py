"""Opening a package of whatever generation: once, by its first bytes.

One descriptor from here on: what was recognised is what is read.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.archive import container
from cloacina_ctl.archive.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.archive.reader import STDIN, Package, open_regular, open_stdin

if TYPE_CHECKING:
    from cloacina_ctl.archive.foreign.package import ForeignPackage


def open_any(path: str, limits: Limits = DEFAULT_LIMITS) -> Package | ForeignPackage:
    """Open the package at ``path``, or on standard input for ``-``.

    Raises ``FileProblem`` for what is no regular file, ``Refused`` for what is no package.
    """
    return open_descriptor(descriptor(path, limits), path, limits)


def descriptor(path: str, limits: Limits = DEFAULT_LIMITS) -> int:
    """Return a descriptor of the regular file ``path``, or of what comes on standard input."""
    is_stdin = path == STDIN
    return open_stdin(limits, container.require_package) if is_stdin else open_regular(path)


def open_descriptor(
    fd: int, path: str, limits: Limits = DEFAULT_LIMITS
) -> Package | ForeignPackage:
    """Open the package behind ``fd``, which is closed with it; ``path`` is what it is called."""
    try:
        if os.pread(fd, len(container.NATIVE_MAGIC), 0) == container.NATIVE_MAGIC:
            return Package(fd, path, limits)
        from cloacina_ctl.archive.foreign.package import ForeignPackage

        return ForeignPackage(fd, path, limits)
    except BaseException:
        os.close(fd)
        raise


def open_foreign(path: str, limits: Limits = DEFAULT_LIMITS) -> ForeignPackage:
    """Open the package of another generation at ``path``; raises as ``open_any`` does.

    A native package is refused.
    """
    from cloacina_ctl.archive.foreign.package import ForeignPackage

    is_stdin = path == STDIN
    fd = open_stdin(limits, container.require_generation) if is_stdin else open_regular(path)
    try:
        return ForeignPackage(fd, path, limits)
    except BaseException:
        os.close(fd)
        raise
