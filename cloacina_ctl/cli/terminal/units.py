"""Numbers as people read them."""

from __future__ import annotations


def count(number: int, one: str, many: str | None = None) -> str:
    """Return ``1 file`` or ``2 files``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}".replace(",", " ")


def size(number: int) -> str:
    """Return a number of bytes in the unit that fits: ``512 bytes``, ``1.2 MiB``."""
    if number < 1024:
        return count(number, "byte")
    value, units = number / 1024, ["KiB", "MiB", "GiB", "TiB"]
    while value >= 1024 and len(units) > 1:
        value /= 1024
        del units[0]
    return f"{value:.1f} {units[0]}"


def seconds(number: float) -> str:
    """Return a time as people read it: ``0.4 ms``, ``12 ms``, ``3.4 s``, ``2 min 5 s``."""
    if number < 0.00995:
        return f"{number * 1000:.1f} ms"
    if number < 0.9995:
        return f"{number * 1000:.0f} ms"
    if number < 99.95:
        return f"{number:.1f} s"
    whole = round(number)
    return f"{whole // 60} min {whole % 60} s"
