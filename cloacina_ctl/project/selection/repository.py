"""Finds the git repository around a folder from its files: git itself is never started.

git's configuration can name programs that git runs (``core.fsmonitor``), and a project may come
with a ``.git`` that an attacker made. So the few files that matter here are read directly.
How git finds them: gitrepository-layout(5), and "git rev-parse" for the search.
"""

from __future__ import annotations

import os
import re
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

DOT_GIT = ".git"
MODULES_FILE = ".gitmodules"
_LINK = b"gitdir: "
_MAX_LINK_BYTES = 8 << 10
_MAX_MODULES_BYTES = 1 << 20
_SECTION = re.compile(r"\s*\[\s*([^\s\]\"]*)")
_PATH = re.compile(r"\s*path\s*=\s*(.*?)\s*\Z", re.IGNORECASE)
_ESCAPED = re.compile(r"\\(.)|\"|([#;].*)", re.DOTALL)


class Repository(NamedTuple):
    """The work tree whose top is ``top``, an absolute path without links.

    The two files may not exist. They are None where ``problem`` says why git's own folder cannot
    be read; ``top`` is set all the same, unless it ``is_other_users``. One that
    ``is_lost`` is none any more to git itself.
    """

    top: str
    exclude_file: str | None = None
    index_file: str | None = None
    problem: str | None = None
    is_other_users: bool = False
    is_lost: bool = False


def find_repository(folder: str) -> Repository | None:
    """Return the repository whose work tree holds ``folder``: the nearest ``.git`` decides.

    As git does, the search ends where another file system begins.
    """
    place = os.path.realpath(folder)
    try:
        first = os.stat(place)
        while os.stat(place).st_dev == first.st_dev:
            found = repository_at(place, owner=first.st_uid)
            parent = os.path.dirname(place)
            if found is not None or parent == place:
                return found
            place = parent
    except OSError:  # a folder above that is closed: nothing in it can be used
        pass
    return None


def repository_at(top: str, *, owner: int) -> Repository | None:
    """Return the repository that ``top`` is the top of, None where it is the top of none.

    A folder ``.git`` that is no repository does not count, as for git, unless it was one: then
    what its rules kept out must not be packed without a word. One that belongs neither to
    this user, nor to the administrator, nor to ``owner``, who owns the project, is not used: its
    rules would let another user decide what gets packed.
    """
    path = os.path.join(top, DOT_GIT)
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        if os.path.islink(path):
            return Repository(top, problem="a link to what is not there", is_lost=True)
        return None
    except OSError as error:
        return Repository(top, problem=_reason(error))
    if found.st_uid not in (os.geteuid(), 0, owner):
        return Repository(top, problem="it belongs to another user", is_other_users=True)
    try:
        if stat.S_ISDIR(found.st_mode):
            return _opened(top, path) if _is_git_folder(path) else _damaged(top, path)
        if stat.S_ISREG(found.st_mode):
            return _linked(top, path)
    except OSError as error:
        return Repository(top, problem=_reason(error))
    return None


def submodules(folder: str) -> frozenset[str]:
    """Return the paths that ``.gitmodules`` in ``folder`` names, relative to it."""
    try:
        data = read_regular(os.path.join(folder, MODULES_FILE), _MAX_MODULES_BYTES)
    except OSError:
        return frozenset()
    lines = (data or b"").decode("utf-8", "surrogateescape").split("\n")
    return frozenset(filter(None, _module_paths(lines)))


def read_regular(path: str, limit: int, *, follow: bool = False) -> bytes | None:
    """Return at most ``limit`` + 1 bytes of ``path``, None if it is no regular file; never waits.

    A link is no regular file unless ``follow`` says so.
    """
    if not stat.S_ISREG((os.stat if follow else os.lstat)(path).st_mode):
        return None
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    fd = os.open(path, flags if follow else flags | os.O_NOFOLLOW)
    with open(fd, "rb") as file:
        return file.read(limit + 1)


def _linked(top: str, path: str) -> Repository:
    """Return the repository of a work tree or submodule, whose ``.git`` is a file."""
    data = read_regular(path, _MAX_LINK_BYTES, follow=True) or b""
    if not data.startswith(_LINK) or len(data) > _MAX_LINK_BYTES or b"\0" in data:
        return Repository(top, problem="a file that names no folder of git")
    named = os.fsdecode(data[len(_LINK) :].rstrip(b"\r\n"))
    folder = os.path.join(top, named)
    if not _is_git_folder(folder):
        return Repository(top, problem=f"it names a folder that is no repository: {named}")
    return _opened(top, folder)


def _opened(top: str, folder: str) -> Repository:
    shared = os.path.join(_common(folder), "info", "exclude")
    return Repository(top, exclude_file=shared, index_file=os.path.join(folder, "index"))


def _damaged(top: str, folder: str) -> Repository | None:
    """Return what is left of a repository of which a part is gone, None where it was none."""
    if not os.path.isdir(os.path.join(_common(folder), "objects")):
        return None
    return Repository(top, problem="it is damaged: HEAD or refs is missing", is_lost=True)


def _is_git_folder(folder: str) -> bool:
    if not os.path.isdir(folder):
        return False
    common = _common(folder)
    os.listdir(folder)  # one that is closed is not one that is empty
    return os.path.lexists(os.path.join(folder, "HEAD")) and all(
        os.path.isdir(os.path.join(common, name)) for name in ("objects", "refs")
    )


def _common(folder: str) -> str:
    """Return the folder that all work trees of the repository share."""
    try:
        data = read_regular(os.path.join(folder, "commondir"), _MAX_LINK_BYTES, follow=True)
    except FileNotFoundError:
        return folder
    return os.path.join(folder, os.fsdecode((data or b"").rstrip(b"\r\n").replace(b"\0", b"")))


def _module_paths(lines: list[str]) -> Iterator[str]:
    """Yield the value of each ``path`` in a section ``submodule``, as git-config(1) spells it."""
    inside = False
    for line in lines:
        section = _SECTION.match(line)
        if section is not None:
            inside = section[1].lower() == "submodule"
        path = _PATH.match(line) if inside else None
        if path is not None:
            text = _ESCAPED.sub(lambda found: found[1] or "", path[1])
            yield text.strip().removeprefix("./").rstrip("/")


def _reason(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()
