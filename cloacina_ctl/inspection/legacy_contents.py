"""The content of a legacy package: one pass that keeps its sources and its library.

Memory is bounded whatever the package holds: sources up to a total, a large library in an unnamed
file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from cloacina_ctl.errors import CloacinaError
from cloacina_ctl.files.staging import reported, scratch_folder, unnamed_file, write_all
from cloacina_ctl.formats.layout import VENDOR_FOLDER, WORKFLOW_FOLDER
from cloacina_ctl.formats.legacy.defaults import PYTHON, RUST, entry_module_of, language_of
from cloacina_ctl.formats.legacy.model import (
    Format,
    SourceManifest,
    V1Manifest,
    V2Manifest,
)
from cloacina_ctl.formats.legacy.streams import GZIP
from cloacina_ctl.formats.sinks import DISCARD
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.project.crate_source.settings import CONFIG_FILES
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.formats.legacy.reader import ArchiveContents
    from cloacina_ctl.formats.sinks import Sink
    from cloacina_ctl.platforms import Library
    from cloacina_ctl.project.packaged import PackedSource
    from cloacina_ctl.project.selection.credentials import PackedSecret
    from cloacina_ctl.verification.verify import Evidence, Proof

MAX_SOURCES = 16 << 20
MAX_IN_MEMORY = 4 << 20  # of a library; a larger one goes to the disk
MAX_LIBRARIES = 2
_BEGIN_OF_FILE = 64 << 10  # searched for secrets

_LIBRARY_SUFFIXES = (".so", ".dylib", ".dll")


class LegacyContents(NamedTuple):
    """The content of a legacy package, the declarations of its code, and its evidence.

    ``library`` or ``library_problem`` is set where the package has a library; ``source`` where it
    has sources that could be read; ``unread`` names sources beyond the bounds of memory.
    """

    evidence: Evidence
    source: PackedSource | None = None
    library: Library | None = None
    library_problem: CloacinaError | None = None
    unread: tuple[str, ...] = ()
    secrets: tuple[PackedSecret, ...] = ()

    @property
    def contents(self) -> ArchiveContents:
        """The files and the manifest."""
        return cast("ArchiveContents", self.evidence.contents)

    @property
    def language(self) -> str | None:
        """The language of the package; None where it is not known."""
        manifest = self.contents.manifest
        if isinstance(manifest, V1Manifest):
            return RUST
        if isinstance(manifest, V2Manifest):
            return manifest.language
        if isinstance(manifest, SourceManifest):
            return language_of(manifest, paths_of(self.contents))
        return RUST if manifest.package.runtime != PYTHON else PYTHON

    @property
    def entry_module(self) -> str | None:
        """The module that a Python package begins with."""
        manifest = self.contents.manifest
        if isinstance(manifest, V2Manifest):
            return manifest.entry_module
        if isinstance(manifest, SourceManifest):
            return entry_module_of(manifest, self.language)
        return None


def paths_of(contents: ArchiveContents) -> frozenset[str]:
    """Return the paths of all files."""
    return frozenset(str(file.path) for file in contents.files)


def read_contents(
    proof: Proof, also: Sink = DISCARD, progress: Progress | None = None
) -> LegacyContents:
    """Read all of a legacy package, prove it, and return its content.

    ``also`` is a sink that is given every file, too. Raises what ``Proof.stream`` does.
    """
    flat = proof.legacy is not None and proof.legacy.container == GZIP
    with _Kept(flat=flat, also=also) as kept:
        evidence = proof.stream(kept, progress=stage(progress, "reading"))
        read = LegacyContents(evidence, unread=tuple(kept.unread), secrets=tuple(kept.secrets))
        library, problem = _library(read.contents, kept)
        read = read._replace(library=library, library_problem=problem)
        return read._replace(source=_source(read, kept.sources))


class _Spool:
    """The bytes of one library: in memory while they are few, then in an unnamed file."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._fd = -1

    def write(self, data: memoryview) -> None:
        """Take the next bytes."""
        self._size += len(data)
        if self._fd < 0 and self._size <= MAX_IN_MEMORY:
            self._parts.append(bytes(data))
            return
        folder = scratch_folder()
        with reported(folder):
            if self._fd < 0:
                self._fd = unnamed_file(folder)
                for part in self._parts:
                    write_all(self._fd, part)
                self._parts = []
            write_all(self._fd, data)

    def source(self) -> bytes | int:
        """Return the bytes, or the descriptor of the file that holds them."""
        return b"".join(self._parts) if self._fd < 0 else self._fd

    def close(self) -> None:
        """Close the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Kept:
    """A sink that keeps sources, and the library of a gzip package."""

    divisible = False

    def __init__(self, *, flat: bool, also: Sink) -> None:
        self._flat = flat
        self._also = also
        self._left = MAX_SOURCES
        self._parts: list[bytes] | None = None
        self._spool: _Spool | None = None
        self._path = ""
        self._start = b""
        self.sources: dict[str, bytes] = {}
        self.libraries: dict[str, _Spool] = {}
        self.unread: list[str] = []
        self.secrets: list[PackedSecret] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        for spool in self.libraries.values():
            spool.close()

    def begin(self, file: FileEntry) -> None:
        """Decide whether this one is kept, and how."""
        self._also.begin(file)
        self._path, self._parts, self._spool, self._start = str(file.path), None, None, b""
        if self._flat and _may_be_library(self._path) and len(self.libraries) < MAX_LIBRARIES:
            self._spool = self.libraries[self._path] = _Spool()
        elif _is_source(self._path, flat=self._flat):
            self._keep(file)

    def _keep(self, file: FileEntry) -> None:
        from cloacina_ctl.project.python.source import MAX_SOURCE_BYTES

        if file.size > min(MAX_SOURCE_BYTES, self._left):
            self.unread.append(self._path)
            return
        self._left -= file.size
        self._parts = []

    def write(self, data: memoryview) -> None:
        """Keep the bytes, or ignore them."""
        self._also.write(data)
        if len(self._start) < _BEGIN_OF_FILE:
            self._start += data[: _BEGIN_OF_FILE - len(self._start)]
        if self._spool is not None:
            self._spool.write(data)
        if self._parts is not None:
            self._parts.append(bytes(data))

    def end(self) -> None:
        """Store the kept bytes under their path."""
        self._also.end()
        if self._parts is not None:
            self.sources[self._path] = b"".join(self._parts)
        if not self._path.startswith(VENDOR_FOLDER):
            from cloacina_ctl.project.selection.credentials import secrets_of

            self.secrets += secrets_of(self._start, self._path)


def _may_be_library(path: str) -> bool:
    if path.endswith(_LIBRARY_SUFFIXES):
        return True
    return "/" not in path and path not in ("manifest.json", "requirements.lock")


def _is_source(path: str, *, flat: bool) -> bool:
    """Return whether the file may be a source that declares tasks, or affects how one is read."""
    if path.endswith(".py"):
        return path.startswith(WORKFLOW_FOLDER)
    return not flat and is_of_crate(path)


def is_of_crate(path: str) -> bool:
    """Return whether a file of a crate shows what it declares, or how it is built."""
    return path.endswith(".rs") or path in ("Cargo.toml", *CONFIG_FILES)


def _library(contents: ArchiveContents, kept: _Kept) -> tuple[Library | None, CloacinaError | None]:
    """Return the facts of the library, or the error that kept it from being read."""
    manifest = contents.manifest
    name = None
    if isinstance(manifest, V1Manifest):
        name = manifest.library.filename
    elif isinstance(manifest, V2Manifest):
        name = manifest.library_path
    if name is None or name not in kept.libraries:
        return None, None
    from cloacina_ctl.platforms import read_library

    try:
        return read_library(kept.libraries[name].source(), where=name), None
    except CloacinaError as error:
        return None, error


def _source(read: LegacyContents, sources: dict[str, bytes]) -> PackedSource | None:
    """Return the declarations of the sources; None where there are none to read."""
    from cloacina_ctl.project.packaged import read_packed_crate, read_packed_modules

    contents = read.contents
    if contents.format is Format.PROVIDER:
        return None
    if read.language == RUST and "Cargo.toml" in sources:
        return read_packed_crate(sources, paths_of(contents))
    if read.language == PYTHON and read.entry_module is not None:
        name = getattr(contents.manifest, "workflow_name", None)
        return read_packed_modules(sources, paths_of(contents), read.entry_module, name)
    return None
