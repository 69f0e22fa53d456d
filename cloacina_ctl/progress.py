"""How an operation reports how far it is, to a callable that may be given."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[str, int, int], None]  # stage, done, total
StageProgress = Callable[[int, int], None]  # done, total of one stage


def stage(progress: Progress | None, name: str) -> StageProgress | None:
    """Return a function that takes ``(done, total)`` for the stage ``name``."""
    if progress is None:
        return None
    report = progress

    def at(done: int, total: int) -> None:
        report(name, done, total)

    return at
