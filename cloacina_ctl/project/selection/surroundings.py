"""What the repositories around and inside of a project say of its files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.project.model import GitProblem
from cloacina_ctl.project.selection.git_index import tracked_files
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
    repository_at,
    submodules,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from cloacina_ctl.project.selection.ignore_files import Patterns


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
        if not repository.is_foreign:
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
        of our own ignore files do: they speak of the package, not of a repository.
        """
        repository = repository_at(path, owner=os.stat(self._root).st_uid)
        if repository is None or repository.is_foreign or repository.is_lost:
            return ignores
        self._repositories.append((repository, folder, ""))
        own = (rules for rules in ignores if not rules.of_git)
        return (*own, *read_exclude(repository.exclude_file, self.prefix + folder))

    def learn_submodules(self, path: str, folder: str) -> None:
        """Take in what ``.gitmodules`` of ``folder`` names."""
        self._submodules |= {folder + module for module in submodules(path)}

    def is_submodule(self, path: str) -> bool:
        """Tell whether a folder of the project is the place of a submodule."""
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
