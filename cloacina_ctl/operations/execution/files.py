"""Which of the user's files the code of a run has, and which option gives one that it wanted."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from cloacina_ctl.errors import CloacinaError, Code, Diagnostic, Severity
from cloacina_ctl.runtime.process.grants import (
    both_spellings,
    current_folder,
    holds_secrets,
    refuse_empty,
)
from cloacina_ctl.runtime.process.places import NO_ROOT, SYSTEM, TEMPORARY, is_below
from cloacina_ctl.settings import expanded
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.operations.execution.loading import RunRequest
    from cloacina_ctl.runtime.metadata import Isolation

_READ_ONLY, _DENIED, _NOT_THERE = 30, 13, 2  # EROFS, EACCES, ENOENT
_NUMBER = r"\[Errno (\d+)\]|\(os error (\d+)\)"
_QUOTED = r"""(["'`])(/[^"'`\n]*)\1"""
_RELATIVE = r"""(["'`])([^/"'`\n][^"'`\n]*)\1"""
_BARE = r"""(?:^|[\s(=:])(/[^\s"'`:;,)]+)"""
_MAX_PATHS = 8
_SHARED = ("/psm_", "/dev/shm/")  # noqa: S108 - what Python's own module calls it, and where it is


class FileAccess(NamedTuple):
    """What a run may read and write besides the system's files, absolute; and a note on it.

    ``has_root`` says whether the folders for temporary files are its own.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    note: Diagnostic | None = None
    has_root: bool = True


def access_of(request: RunRequest, isolation: Isolation | None = None) -> FileAccess:
    """Return what is given to the code: what is asked for, and the current folder to read."""
    refuse_empty("--allow-read", request.allow_read)
    refuse_empty("--allow-write", request.allow_write)
    here = current_folder()
    note = None
    if here.path is None and not request.allow_read:
        note = Diagnostic(
            Code.FOLDER_NOT_GIVEN,
            f"the code cannot read the current folder: {here.why}",
            where=request.path,
            hint="--allow-read PATH gives it what it needs",
            severity=Severity.NOTE,
        )
    own = () if here.path is None else (here.path,)
    reads = both_spellings((*map(expanded, request.allow_read), *own))
    has_root = isolation is None or NO_ROOT not in isolation.missing
    return FileAccess(reads, both_spellings(map(expanded, request.allow_write)), note, has_root)


def refusal_hint(error: str | None, access: FileAccess) -> str | None:
    """Return how a task gets a file that it was refused, where its error says which it was.

    The error names the file and the system's number of what was wrong; that the file is there, and
    was not given, is looked up. Where any of it is open, this returns None. The hint is an option,
    or the whole path of a file that the task looked for in its own current folder.
    """
    import re

    number = re.search(_NUMBER, error or "")
    if number is None or error is None:
        return None
    code = int(number[1] or number[2])
    paths = [found[1] for found in re.findall(_QUOTED, error)] or re.findall(_BARE, error)
    for path in paths[:_MAX_PATHS]:
        hint = _hint_for(os.path.normpath(path), code, access)
        if hint is not None:
            return hint
    if not access.has_root and code == _DENIED:
        return _hint_for_shared(paths)
    if code == _NOT_THERE and not paths:
        for _, name in re.findall(_RELATIVE, error)[:_MAX_PATHS]:
            if (hint := _whole_path_of(name)) is not None:
                return hint
    return None


@contextlib.contextmanager
def refusals_explained(access: FileAccess) -> Iterator[None]:
    """Add to an error of code that is loaded which option gives the file that it wanted."""
    try:
        yield
    except CloacinaError as error:
        error.diagnostics = tuple(
            one._replace(hint=refusal_hint(one.message, access) or one.hint)
            if one.code is Code.LOAD_FAILED
            else one
            for one in error.diagnostics
        )
        raise


def _hint_for_shared(paths: list[str]) -> str | None:
    """Return which option gives a folder that is the code's own where the kernel allows that.

    Semaphores and shared memory have no path in errors, or one of their own kind.
    """
    if not paths or paths[0].startswith(_SHARED):
        return (
            "semaphores and shared memory are not the code's own here: --allow-write /dev/shm "
            "lets it make them among those of your other programs"
        )
    return None


def _hint_for(path: str, number: int, access: FileAccess) -> str | None:
    from shlex import quote

    if number not in (_READ_ONLY, _DENIED, _NOT_THERE) or any(is_below(path, one) for one in _OWN):
        return None
    if holds_secrets(path):
        return "no code is given your keys, configuration or registry" if _is(path) else None
    above = os.path.dirname(path)
    if number == _READ_ONLY or (number == _DENIED and _is_visible(path, access)):
        return _to_write(path if _is(path) else above, access)
    if _is_visible(path, access):
        return None
    if _is(path):
        return f"the code may not read it here: --allow-read {quote(path)} lets it"
    if number == _DENIED and above in TEMPORARY:
        return (
            f"the kernel gives the code no {above} of its own here (T015): $TMPDIR is open to it, "
            f"or --allow-write {above} gives it yours"
        )
    if _is_closed_folder(above, access):
        place = quote(above)
        return f"the code sees nothing of {place}: --allow-read or --allow-write {place} gives it"
    return None


def _whole_path_of(name: str) -> str | None:
    """Return what helps where ``name`` is in the user's current folder: the code has another."""
    here = current_folder()
    if here.path is None:
        return None
    path = os.path.normpath(os.path.join(here.path, name))
    is_meant = os.path.isfile(path) or ("/" in name and os.path.isdir(os.path.dirname(path)))
    if not is_meant or holds_secrets(path):
        return None
    return f"the code is in a folder of its own, not in yours: give the task the whole path, {path}"


def _is_closed_folder(path: str, access: FileAccess) -> bool:
    is_open = path in (*TEMPORARY, "/") or _is_visible(path, access)
    return not is_open and os.path.isdir(path) and not holds_secrets(path)


# Of these the code has others than the user.
_OWN = ("/proc", "/dev", "/sys")


def _to_write(path: str, access: FileAccess) -> str | None:
    is_given = any(is_below(path, one) for one in access.writes)
    if is_given or not os.access(path, os.W_OK) or holds_secrets(path):
        return None
    from shlex import quote

    return f"the code may not write there: --allow-write {quote(path)} lets it"


def _is(path: str) -> bool:
    return os.path.lexists(path)


def _is_visible(path: str, access: FileAccess) -> bool:
    places = (*access.reads, *access.writes, *SYSTEM, sys.prefix, sys.base_prefix)
    return any(is_below(path, one) for one in places)
