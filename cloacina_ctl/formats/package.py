"""What every open package has, whatever its format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self

    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.formats.legacy.reader import ArchiveContents
    from cloacina_ctl.formats.limits import Limits
    from cloacina_ctl.formats.sinks import Sink
    from cloacina_ctl.progress import StageProgress


class PackageIdentity(NamedTuple):
    """Which package it is: the file at ``path``, and what it says of itself.

    ``content`` is `sha256:` and 64 hexadecimal digits: of a native package the digest of its files,
    of an older one that of the whole file.
    """

    path: str
    format: str
    name: str
    version: str
    content: str


class Streamed(NamedTuple):
    """What was read: ``complete`` where it is all that the package has.

    ``contents`` is what an older package holds, which only reading it tells.
    """

    files: tuple[FileEntry, ...]
    complete: bool
    contents: ArchiveContents | None = None


class Package(Protocol):
    """An open package of any format. Use it as a context manager.

    Open is not trusted: only ``verification`` tells whether it may be used.
    """

    path: str
    limits: Limits
    size: int

    def __enter__(self) -> Self:
        """Hold the file open."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Close the file."""

    def stream(
        self,
        sink: Sink,
        files: Sequence[FileEntry] | None = None,
        *,
        jobs: int = 1,
        progress: StageProgress | None = None,
    ) -> Streamed:
        """Give ``files``, or all, to ``sink``, each byte proved to be the one that was promised.

        A sink gets bytes before the whole is proved, so it keeps what it makes of them out of sight
        until this returns. Progress is in bytes. Raises ``Refused`` for what is not whole.
        """
