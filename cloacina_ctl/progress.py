"""How an operation says how far it is: to a callable, or to nobody."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]


def stage(progress: Progress | None, name: str) -> Callable[[int, int], None] | None:
    """Return what takes ``(done, total)`` for the stage called ``name``."""
    if progress is None:
        return None
    report = progress

    def at(done: int, total: int) -> None:
        report(name, done, total)

    return at
