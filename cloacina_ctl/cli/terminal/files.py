"""Lists of files, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.cli.terminal.escape import escape
from cloacina_ctl.cli.terminal.units import count, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.formats.plan import Plan, PlannedFile


def file_lines(files: Sequence[FileEntry | PlannedFile], *, modes: bool = False) -> Iterator[str]:
    """Yield a line for each file of a package, its size and its path, and their sum.

    With ``modes`` also the mode that `unpack` gives it.
    """
    sizes = [size(file.size) for file in files]
    width = max(map(len, sizes), default=0)
    for file, shown in zip(files, sizes, strict=True):
        mode = "  " + ("rwxr-xr-x" if file.executable else "rw-r--r--") if modes else ""
        yield f"{mode}  {shown:>{width}}  {escape(file.path)}"
    yield f"  {count(len(files), 'file')}, {size(sum(file.size for file in files))}"


def plan_lines(plan: Plan, unbuilt: Sequence[str]) -> Iterator[str]:
    """Yield a line for each file that would be packed: its size, its path, why it is in.

    ``unbuilt`` names what comes of a build.
    """
    width = max((len(f"{file.size}") for file in plan.files), default=0)
    longest = min(max((len(escape(file.path)) for file in plan.files), default=0), 60)
    for file in plan.files:
        mark = "x" if file.executable else " "
        yield f"{file.size:>{width}} {mark} {escape(file.path):<{longest}}  {escape(file.reason)}"
    for one in unbuilt:
        yield f"{one}: after a build"
    known = f"{count(len(plan.files), 'file')}, {size(plan.size)}, " if plan.files else ""
    yield f"{known}as {escape(plan.root)}"
