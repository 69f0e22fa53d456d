"""Sinks: they receive the files of a package as they are read."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from cloacina_ctl.errors import Code, Refused

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloacina_ctl.formats.file_index import FileEntry


class Sink(Protocol):
    """A receiver of the files of a package, one after the other.

    Where ``divisible``, several processes may fill it, each with other files.
    """

    divisible: bool

    def begin(self, file: FileEntry) -> None:
        """Get ready for the bytes of ``file``."""

    def write(self, data: memoryview) -> None:
        """Take the next bytes; not proved yet."""

    def end(self) -> None:
        """End the file: the bytes since ``begin`` are proved to be all of it."""


class DiscardSink:
    """A sink that keeps nothing, for a check of every byte."""

    divisible = True

    def begin(self, file: FileEntry) -> None:
        """Take nothing."""

    def write(self, data: memoryview) -> None:
        """Take nothing."""

    def end(self) -> None:
        """Take nothing."""


class MemorySink:
    """A sink that keeps the bytes of small files."""

    divisible = False

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._path = ""
        self._parts: list[bytes] = []

    def begin(self, file: FileEntry) -> None:
        """Begin with nothing."""
        self._path, self._parts = file.path, []

    def write(self, data: memoryview) -> None:
        """Keep a copy."""
        self._parts.append(bytes(data))

    def end(self) -> None:
        """Keep the file under its path."""
        self.files[self._path] = b"".join(self._parts)


DISCARD = DiscardSink()


class ChosenSink:
    """A sink that passes on the files that a pattern matches."""

    divisible = False

    def __init__(self, sink: Sink, patterns: tuple[str, ...]) -> None:
        self._sink = sink
        self._patterns = patterns
        self._takes = False

    def begin(self, file: FileEntry) -> None:
        """Pass the file on if a pattern matches."""
        self._takes = is_chosen(str(file.path), self._patterns)
        if self._takes:
            self._sink.begin(file)

    def write(self, data: memoryview) -> None:
        """Pass the bytes on if the file is passed on."""
        if self._takes:
            self._sink.write(data)

    def end(self) -> None:
        """End the file if it was passed on."""
        if self._takes:
            self._sink.end()


def select(files: Sequence[FileEntry], patterns: Sequence[str]) -> tuple[FileEntry, ...]:
    """Return the files that match one of ``patterns``; raise an error where there is none."""
    chosen = tuple(file for file in files if is_chosen(file.path, patterns))
    if not chosen:
        raise Refused.of(
            Code.NO_SUCH_MEMBER,
            f"no member matches: {', '.join(patterns)}",
            hint="`cloacina-ctl inspect --files` lists them",
        )
    return chosen


def is_chosen(path: str, patterns: Sequence[str]) -> bool:
    """Return whether one of the glob ``patterns`` matches.

    ``*`` also matches slashes; a pattern that ends with a slash takes the whole folder.
    """
    return any(
        fnmatchcase(path, pattern + "*" if pattern.endswith("/") else pattern)
        for pattern in patterns
    )
