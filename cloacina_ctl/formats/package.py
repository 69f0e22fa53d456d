"""The interface of open packages of all formats."""

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
    """The identity of the package in the file at ``path``, by its manifest.

    ``content`` is `sha256:` and 64 hexadecimal digits: of a native package the digest of its files,
    of a legacy one the digest of the whole file.
    """

    path: str
    format: str
    name: str
    version: str
    content: str


class Streamed(NamedTuple):
    """The result of reading: ``complete`` where all of the package was read.

    ``contents`` is the content of a legacy package, which is known only after reading it.
    """

    files: tuple[FileEntry, ...]
    complete: bool
    contents: ArchiveContents | None = None


class Package(Protocol):
    """An open package of any format. Use it as a context manager.

    An open package is not trusted: only ``verification`` decides whether it may be used.
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
        """Give ``files``, or all, to ``sink``, each byte proved.

        A sink gets bytes before the whole is proved, so it must not publish its result until this
        returns. Progress is in bytes. Raises ``Refused`` for a package that is not whole.
        """
