"""Reads the rules of the repositories around and inside of a project."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.project.model import GitProblem
from cloacina_ctl.project.selection.ignore_files import (
    GITIGNORE,
    OUR_IGNORE,
    read_exclude,
    rules_above,
)
from cloacina_ctl.project.selection.repository import (
    DOT_GIT,
    Repository,
    find_repository,
    read_regular,
    repository_at,
    submodules,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cloacina_ctl.project.selection.ignore_files import Patterns

# Which files git tracks: the names in its index, read strictly and without git.
#
# The format: gitformat-index(5), versions 2 to 4, with names of SHA-1 and of SHA-256.

MAX_INDEX_BYTES = 256 << 20
_MAGIC = b"DIRC"
_HEADER_BYTES = 12
_STAT_BYTES = 40
_MODE_AT = 24
_HASH_BYTES = (20, 32)
_EXTENDED, _LENGTH = 0x4000, 0xFFF
_REGULAR = 0o100  # the upper bits of a regular file's mode
_FIRST_COMPRESSED = 4
# Extensions that a reader must know begin with a small letter. That of a sparse index is about
# folders that are not here; with any other the names may be somewhere else.
_SPARSE = b"sdir"


def tracked_files(path: str, prefix: str) -> frozenset[str] | None:
    """Return the tracked regular files under ``prefix``, relative to it.

    ``prefix`` is a path in the work tree with its slash at the end, or empty. None where the index
    cannot be understood; a repository without one tracks nothing.
    """
    try:
        data = read_regular(path, MAX_INDEX_BYTES, follow=True)
    except FileNotFoundError:
        return frozenset()
    except OSError:
        return None
    if data is None or len(data) > MAX_INDEX_BYTES:
        return None
    start = prefix.encode("utf-8", "surrogateescape")
    found = (_read(data, hash_bytes, start) for hash_bytes in _HASH_BYTES)
    return next((names for names in found if names is not None), None)


def _read(data: bytes, hash_bytes: int, start: bytes) -> frozenset[str] | None:
    """Return the names with ``start`` taken off, None where they are not of this form."""
    try:
        return frozenset(
            name[len(start) :].decode("utf-8", "surrogateescape")
            for name in _names(data, hash_bytes, start)
        )
    except (ValueError, IndexError):
        return None


def _names(data: bytes, hash_bytes: int, start: bytes) -> Iterator[bytes]:
    """Yield the names that begin with ``start``; ``ValueError`` where the form is not kept."""
    version = int.from_bytes(data[4:8], "big")
    if data[:4] != _MAGIC or version not in (2, 3, _FIRST_COMPRESSED):
        raise ValueError("not an index that is known")
    at, before = _HEADER_BYTES, b""
    for _ in range(int.from_bytes(data[8:12], "big")):
        flags_at = at + _STAT_BYTES + hash_bytes
        flags = data[flags_at] << 8 | data[flags_at + 1]
        name_at = flags_at + (4 if flags & _EXTENDED else 2)
        if version == _FIRST_COMPRESSED:
            strip, name_at = _varint(data, name_at)
            end = data.index(b"\0", name_at)
            name = before[: len(before) - strip] + data[name_at:end]
            following = end + 1
        else:
            length = flags & _LENGTH
            end = data.index(b"\0", name_at if length == _LENGTH else name_at + length)
            name = data[name_at:end]
            following = at + (end - at + 8) // 8 * 8
        if name < before or len(name) < flags & _LENGTH or (flags & _LENGTH) not in (
            len(name), _LENGTH,
        ):  # fmt: skip
            raise ValueError("not in order, or not as long as it says")
        if name.startswith(start) and _is_regular(data, at):
            yield name
        at, before = following, name
    _check_extensions(data, at, len(data) - hash_bytes)


def _is_regular(data: bytes, at: int) -> bool:
    return int.from_bytes(data[at + _MODE_AT : at + _MODE_AT + 4], "big") >> 9 == _REGULAR


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number as packs spell offsets, and where it ends."""
    byte = data[at]
    value = byte & 0x7F
    while byte & 0x80:
        at += 1
        byte = data[at]
        value = (value + 1) << 7 | byte & 0x7F
    return value, at + 1


def _check_extensions(data: bytes, at: int, end: int) -> None:
    while at < end:
        signature = data[at : at + 4]
        if signature[:1].islower() and signature != _SPARSE:
            raise ValueError("the names may be in another file")
        at += 8 + int.from_bytes(data[at + 4 : at + 8], "big")
    if at != end:
        raise ValueError("longer or shorter than it says")


class Surroundings:
    """The repositories that the files of the project ``root`` belong to.

    ``ignores`` are the rules from above the project, the nearest first, over paths that begin with
    ``prefix``: the project's place in the work tree, with its slash. Paths of the project are
    relative to its root; ``problems`` say what of the repository cannot be read.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self.prefix = ""
        self.ignores: tuple[Patterns, ...] = ()
        self.problems: tuple[GitProblem, ...] = ()
        self._submodules: set[str] = set()
        # Each repository by the folder that it begins with, in the project, and that folder's
        # place in the repository's work tree.
        self._repositories: list[tuple[Repository, str, str]] = []
        repository = find_repository(root)
        if repository is None:
            return
        if repository.problem is not None:
            place = os.path.relpath(os.path.join(repository.top, DOT_GIT), os.path.realpath(root))
            self.problems = (GitProblem(place, repository.problem),)
        if not repository.is_other_users:
            self._begin_in(repository)

    def note_links(self, path: str, folder: str) -> None:
        """Take in which ignore files of ``folder``, at ``path``, are links: these do not count."""
        for name in (OUR_IGNORE, GITIGNORE):
            if os.path.islink(os.path.join(path, name)):
                self.problems += (GitProblem(folder + name, "a link", is_link=True),)

    def _begin_in(self, repository: Repository) -> None:
        root = os.path.realpath(self._root)
        place = os.path.relpath(root, repository.top)
        above = root
        while above != repository.top:
            above = os.path.dirname(above)
            self.note_links(above, os.path.join(os.path.relpath(above, root), ""))
        self.prefix = "" if place == os.curdir else place + "/"
        self._repositories.append((repository, "", self.prefix))
        self.ignores = rules_above(repository.top, self.prefix, repository.exclude_file)
        skipped = len(self.prefix)
        self._submodules = {
            path[skipped:] for path in submodules(repository.top) if path.startswith(self.prefix)
        }

    def enter(self, path: str, folder: str, ignores: tuple[Patterns, ...]) -> tuple[Patterns, ...]:
        """Return the rules that count in ``folder``, which holds a ``.git``.

        In a repository of its own, a submodule for one, git's rules from above do not count; those
        of our own ignore files do: they are about the package, not about a repository.
        """
        repository = repository_at(path, owner=os.stat(self._root).st_uid)
        if repository is None or repository.is_other_users or repository.is_lost:
            return ignores
        self._repositories.append((repository, folder, ""))
        own = (rules for rules in ignores if not rules.of_git)
        return (*own, *read_exclude(repository.exclude_file, self.prefix + folder))

    def learn_submodules(self, path: str, folder: str) -> None:
        """Take in what ``.gitmodules`` of ``folder`` names."""
        self._submodules |= {folder + module for module in submodules(path)}

    def is_submodule(self, path: str) -> bool:
        """Return whether a folder of the project is the place of a submodule."""
        return path in self._submodules

    def tracked(self, ignored: Collection[str]) -> set[str]:
        """Return the tracked files among ``ignored``: files, and folders with a slash at the end.

        Where an index cannot be read, nothing of its repository is known to be tracked.
        """
        found = set()
        for repository, folder, prefix in self._repositories:
            names = tracked_files(repository.index_file, prefix) if repository.index_file else None
            if names is None:
                continue
            for name in names:
                path = folder + name
                if _is_among(path, ignored) and os.path.isfile(os.path.join(self._root, path)):
                    found.add(path)
        return found


def _is_among(path: str, ignored: Collection[str]) -> bool:
    if path in ignored:
        return True
    end = path.find("/")
    while end > 0:
        if path[: end + 1] in ignored:
            return True
        end = path.find("/", end + 1)
    return False
