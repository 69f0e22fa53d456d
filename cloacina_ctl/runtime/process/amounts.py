"""Limits as people read them."""

from __future__ import annotations

_MIB = 1 << 20


def mebibytes(number: int) -> str:
    """Return a number of bytes in MiB: ``16 MiB``, ``0.5 MiB``."""
    return f"{number / _MIB:.10g} MiB"


def seconds(number: float) -> str:
    """Return a time in seconds: ``1 second``, ``0.2 seconds``."""
    return f"{number:.10g} second{'' if number == 1 else 's'}"
