"""Lists of files, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.escape import escape
from cloacina_ctl.cli.words import count, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloacina_ctl.archive.plan import Plan
    from cloacina_ctl.archive.tables import FileEntry


def file_lines(files: Sequence[FileEntry]) -> Iterator[str]:
    """Yield a line for each file of a package: its size, whether it is executable, its path."""
    width = max(len(f"{file.size}") for file in files)
    for file in files:
        yield f"{file.size:>{width}} {'x' if file.executable else ' '} {escape(file.path)}"


def plan_lines(plan: Plan) -> Iterator[str]:
    """Yield a line for each file that would be packed: its size, its path, why it is in."""
    width = max(len(f"{file.size}") for file in plan.files)
    longest = min(max(len(escape(file.path)) for file in plan.files), 60)
    for file in plan.files:
        mark = "x" if file.executable else " "
        yield f"{file.size:>{width}} {mark} {escape(file.path):<{longest}}  {escape(file.reason)}"
    yield f"{count(len(plan.files), 'file')}, {size(plan.size)}, as {escape(plan.root)}"
