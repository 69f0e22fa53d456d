"""Follows links whose targets are to be packed, never further than the project's repository.

A link is followed by hand, folder by folder, through descriptors: what a name leads to is looked at
once, and a link that takes its place meanwhile is not followed. What lies behind one keeps the
rules of the place where it lies: what git ignores there, and what is never packed.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic
from cloacina_ctl.files.folders import Folder, open_folder
from cloacina_ctl.project.selection.exclusions import (
    Denied,
    deny_file,
    deny_folder,
    deny_marked_folder,
)
from cloacina_ctl.project.selection.ignore_files import is_ignored, read_exclude, read_ignore_files
from cloacina_ctl.project.selection.repository import find_repository
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from typing_extensions import Self

    from cloacina_ctl.project.selection.ignore_files import Patterns

REFUSE, CONTENTS = "refuse", "contents"
_MAX_LINKS = 40  # as the kernel has it


class LinkTarget(NamedTuple):
    """What a link leads to: its path from the ``boundary`` on, without links, and what it is."""

    boundary: str
    path: str
    facts: os.stat_result

    @property
    def full(self) -> str:
        """The absolute path."""
        return os.path.join(self.boundary, self.path)

    @property
    def is_folder(self) -> bool:
        """Return whether it is a folder."""
        return stat.S_ISDIR(self.facts.st_mode)


class Away(Exception):
    """A link whose target may not be packed; the text says why."""


def boundary_of(project: str) -> str:
    """Return the folder that links may lead to: the work tree around the project, or itself.

    An absolute path without links. A repository of another user does not count as a work tree.
    """
    repository = find_repository(project)
    if repository is None or repository.is_other_users:
        return os.path.realpath(project)
    return repository.top


def within(boundary: str, project: str, path: str) -> str:
    """Return a ``path`` of the project relative to the ``boundary``."""
    place = os.path.relpath(os.path.realpath(project), boundary)
    return path if place == os.curdir else f"{place}/{path}"


def away(path: str, reason: Away) -> Diagnostic:
    """Return the finding for a link of the project whose target may not be packed."""
    hint = "put the file itself there, or leave the link out: name it in .cloacinaignore"
    return Diagnostic(Code.LINK_AWAY, f"a link that leads {reason}", path, hint)


def follow(boundary: str, path: str) -> LinkTarget:
    """Return what ``path``, from the ``boundary`` on, leads to. Raises ``Away``, ``OSError``."""
    with _Way(boundary) as way:
        name = way.walk(path)
        steps = way.steps if name is None else [*way.steps, name]
        facts = os.fstat(way.fd) if name is None else way.folder.look(name)
        if facts is None:
            raise Away("to nothing")
        return LinkTarget(boundary, "/".join(steps), facts)


def open_followed(boundary: str, path: str) -> int:
    """Return a descriptor of the file that ``path`` leads to. Raises ``Away``, ``OSError``."""
    with _Way(boundary) as way:
        name = way.walk(path)
        if name is None:
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return way.folder.open_file(name)


class _Way:
    """The folders from the boundary to where a path leads, open; ``steps`` are their names."""

    def __init__(self, boundary: str) -> None:
        self._boundary = boundary
        self._held = [open_folder(boundary)]
        self._waiting: list[str] = []
        self._links = 0
        self.steps: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for folder in self._held:
            folder.close()

    @property
    def folder(self) -> Folder:
        """The last of them."""
        return self._held[-1]

    @property
    def fd(self) -> int:
        """Its descriptor."""
        return self.folder.fd

    def walk(self, path: str) -> str | None:
        """Walk to where ``path`` leads; return the name in the last folder, None for itself."""
        self._waiting = _steps(path)
        while self._waiting:
            step = self._waiting.pop()
            if step == "..":
                self._go_up()
                continue
            found = self.folder.look(step)
            if found is not None and stat.S_ISLNK(found.st_mode):
                self._take_link(os.readlink(step, dir_fd=self.fd))
            elif found is not None and stat.S_ISDIR(found.st_mode):
                self._held.append(self.folder.folder(step))
                self.steps.append(step)
            elif found is None or self._waiting:
                raise Away("to nothing")
            else:
                return step
        return None

    def _go_up(self) -> None:
        if not self.steps:
            raise Away("out of the project and its repository")
        self.steps.pop()
        self._held.pop().close()

    def _take_link(self, target: str) -> None:
        self._links += 1
        if self._links > _MAX_LINKS:
            raise Away("in a circle")
        if os.path.isabs(target):
            while self.steps:
                self._go_up()
            target = _inside(self._boundary, target)
        self._waiting += _steps(target)


def _steps(path: str) -> list[str]:
    """Return the steps of a path, the first at the end."""
    return [step for step in path.split("/")[::-1] if step not in ("", ".")]


def _inside(boundary: str, target: str) -> str:
    if not f"{target}/".startswith(f"{boundary}/"):
        raise Away("out of the project and its repository")
    return target[len(boundary) + 1 :]


def check_target(target: LinkTarget) -> tuple[Denied | None, tuple[Patterns, ...]]:
    """Return why what a link leads to stays out, if it does, and the ignore rules that count there.

    The patterns are over paths from the boundary on.
    """
    repository = find_repository(target.boundary)
    exclude = repository.exclude_file if repository is not None else None
    ignores = read_exclude(exclude, "")
    folder = ""
    steps = target.path.split("/")
    for number, step in enumerate(steps):
        above = os.path.join(target.boundary, folder)
        names = set(os.listdir(above))
        marked = deny_marked_folder(folder, names) if folder else None
        ignores = (*read_ignore_files(above, folder, names, shown=above), *ignores)
        is_folder = number < len(steps) - 1 or target.is_folder
        denied = marked or deny_folder(step) or (None if is_folder else deny_file(step))
        if denied is not None:
            return denied, ignores
        if is_ignored(ignores, folder + step, is_folder=is_folder):
            return Denied("ignored by an ignore file"), ignores
        folder += f"{step}/"
    return None, ignores
