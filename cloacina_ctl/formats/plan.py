"""The files to pack: decided and checked before a byte is read, the same for every sink.

``package --list`` prints a plan and ``package`` writes it, so they cannot disagree.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.digest import Digest
from cloacina_ctl.formats import file_index, layout
from cloacina_ctl.formats.file_index import FileEntry
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.formats.native.head import expected_frames, sections_of
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.files.overlay import Patch
    from cloacina_ctl.paths import MemberPath

_UNKNOWN = Digest("0" * 64)


class PlannedFile(NamedTuple):
    """One file to pack: from the disk (a path) or from memory (bytes); ``size`` in bytes.

    ``patches`` are laid over the bytes from the disk.
    """

    path: MemberPath
    source: str | bytes
    size: int
    executable: bool
    reason: str
    patches: tuple[Patch, ...] = ()

    @property
    def section(self) -> str:
        """The section of the file, from its path."""
        return layout.section_of(self.path)


class Plan(NamedTuple):
    """All files of a package to be, in the order of the stream, and the name of its root folder."""

    root: str
    files: tuple[PlannedFile, ...]

    @property
    def size(self) -> int:
        """The bytes in all files together."""
        return sum(file.size for file in self.files)


def make_plan(root: str, files: Iterable[PlannedFile], limits: Limits = DEFAULT_LIMITS) -> Plan:
    """Return the plan for ``files``; raise ``Refused`` where no package may hold them."""
    ordered = tuple(sorted(files, key=lambda file: layout.stream_key(file.path)))
    entries = [FileEntry(file.path, file.size, _UNKNOWN, file.executable) for file in ordered]
    file_index.check_files(entries, where=root, limits=limits)
    frames = sum(1 for _ in expected_frames(sections_of(root, entries)))
    limits.check("frames", frames, where=root, what="the number of frames")
    return Plan(root, ordered)
