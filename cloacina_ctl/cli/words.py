"""Numbers as people read them."""

from __future__ import annotations


def count(number: int, one: str, many: str | None = None) -> str:
    """Return ``1 file`` or ``2 files``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}".replace(",", " ")


def size(number: int) -> str:
    """Return a number of bytes in the unit that fits: ``512 bytes``, ``1.2 MiB``."""
    if number < 1024:
        return count(number, "byte")
    value = float(number)
    for unit in ("KiB", "MiB", "GiB", "TiB"):
        value /= 1024
        if value < 1024:
            break
    return f"{value:.1f} {unit}"
