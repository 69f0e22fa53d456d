"""Files that appear whole or not at all, and messages for the errors of the system.

Everything this program writes goes through here: a file without a name in the destination's folder
is filled, flushed to the disk, and then gets its name by one hard link, or by one rename over the
file that it replaces. A killed run leaves the old file or none. A file that needs a name before
that has a hidden one (``hidden``), and the next run removes it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.files.folders import close_quietly, hidden_name
from cloacina_ctl.files.leftovers import FOLDER_FLAGS, clear_dead, new_hidden, new_unnamed
from cloacina_ctl.files.locks import open_locked
from cloacina_ctl.redaction import shown
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from typing_extensions import Self

    from cloacina_ctl.files.locks import Waits

_NO_HARD_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS})
_NO_NAME = frozenset({errno.EEXIST, errno.ENOSPC, errno.EDQUOT, errno.EIO})
_PIECE = 1 << 20

_REASONS = {
    errno.ENOSPC: (
        Code.NO_SPACE,
        "no space left on the device",
        "free some space, or choose another folder",
    ),
    errno.EDQUOT: (
        Code.NO_SPACE,
        "the disk quota is used up",
        "free some space, or choose another folder",
    ),
    errno.EFBIG: (Code.NO_SPACE, "the file would be larger than may be written here", None),
    errno.EACCES: (Code.PERMISSION, "permission denied", None),
    errno.EPERM: (Code.PERMISSION, "not permitted", None),
    errno.EROFS: (Code.PERMISSION, "the file system is read-only", None),
    errno.ENOENT: (Code.NOT_FOUND, "no such file or folder", None),
    errno.ENOTDIR: (Code.NOT_FOUND, "a part of the path is not a folder", None),
    errno.EISDIR: (Code.NOT_REGULAR, "it is a folder", None),
    errno.ELOOP: (
        Code.NOT_REGULAR,
        "it is a symbolic link",
        "move the link away, or put the file itself there",
    ),
    errno.ESTALE: (Code.IO, "something else came into its place meanwhile", None),
    errno.ENXIO: (Code.NOT_REGULAR, "it is not a regular file", None),
    errno.EEXIST: (Code.EXISTS, "it exists already", None),
    errno.ENOTEMPTY: (Code.NOT_EMPTY, "the folder is not empty", None),
    errno.EMFILE: (Code.IO, "too many open files", "raise the limit: `ulimit -n`"),
    errno.EBUSY: (Code.IO, "the system uses it, as a mount point for example", None),
}


def file_problem(error: OSError, path: str) -> FileProblem:
    """Return the error to raise for a system error about ``path``."""
    path = shown(path)
    number = error.errno if error.errno is not None else errno.EIO
    known = _REASONS.get(number)
    if known:
        code, reason, hint = known
        return FileProblem.of(code, reason, where=path, hint=hint)
    reason = os.strerror(number)
    return FileProblem.of(Code.IO, reason[:1].lower() + reason[1:], where=path)


@contextlib.contextmanager
def reported(path: str | os.PathLike[str], where: str | None = None) -> Iterator[None]:
    """Turn an ``OSError`` of the body into the error that names ``path``, or ``where`` instead.

    The system's text contains the path, so it is left out of an error that must not show the path.
    """
    name = os.fspath(path)
    if "\0" in name:
        place = shown(name) if where is None else where
        raise FileProblem.of(Code.NOT_FOUND, "no path can hold a NUL character", where=place)
    try:
        yield
    except OSError as error:
        place = shown(name) if where is None else where
        raise file_problem(error, place) from (error if place == name else None)


def open_parent(folder: str, path: str) -> int:
    """Return a descriptor of ``folder``, in which ``path`` is to appear."""
    try:
        return os.open(folder, FOLDER_FLAGS)
    except FileNotFoundError as error:
        raise FileProblem.of(
            Code.NOT_FOUND,
            "the folder to put it into is not there",
            where=path,
            hint="make that folder first, or choose another",
        ) from error


class Replaced(NamedTuple):
    """A file that was read in order to be replaced: its descriptor, and its state then."""

    fd: int
    found: os.stat_result

    @classmethod
    def of(cls, fd: int) -> Self:
        """Return the open file ``fd`` as it is now."""
        return cls(fd, os.fstat(fd))


class StagedFile:
    """A file without a name, or with a hidden one, that gets its own name by :meth:`commit`.

    Use it as a context manager: leaving without ``commit`` removes what was written. Without
    ``replace`` an existing entry of that name is never touched: the final step is a hard link,
    which the system refuses when the name is taken, even since the last check. With ``replace``
    only a regular file is replaced, under a lock on it and never through a link. With
    ``replaced``, from ``open_to_replace``, only that file is replaced, and only unchanged since
    it was read; else ``FileProblem`` (I012) is raised. The new file gets its mode, and its owner
    where the system allows that.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        replace: bool = False,
        mode: int = 0o644,
        replaced: Replaced | None = None,
    ) -> None:
        self.path = os.fspath(path)
        self.replace = replace or replaced is not None
        self.folder, self._name = os.path.split(os.path.abspath(self.path))
        self._mode = mode
        self._replaced = replaced
        self._hidden = ""
        self._folder_fd = -1
        self.fd = -1

    def __enter__(self) -> Self:
        """Open the file; refuse a destination that is already taken."""
        with reported(self.path):
            self._refuse_taken_name()
            self._folder_fd = open_parent(self.folder, self.path)
            try:
                clear_dead(self._folder_fd)
                self.fd = new_unnamed(self._folder_fd, self._mode)
                if self.fd < 0:
                    self.fd, self._hidden = new_hidden(self._folder_fd, self._mode)
                self._resemble_replaced()
            except BaseException:
                self._close()
                raise
        return self

    def _resemble_replaced(self) -> None:
        """Give the new file owner and mode of the replaced one: no other users may read it."""
        if self._replaced is None:
            return
        found = self._replaced.found
        with contextlib.suppress(OSError):
            os.fchown(self.fd, found.st_uid, found.st_gid)
        os.fchmod(self.fd, stat.S_IMODE(found.st_mode) & 0o777)

    def _refuse_taken_name(self) -> None:
        if not self._name:
            raise IsADirectoryError(errno.EISDIR, "")
        try:
            kind = os.lstat(os.path.join(self.folder, self._name)).st_mode
        except FileNotFoundError:
            return
        if stat.S_ISLNK(kind):
            raise FileProblem.of(
                Code.NOT_REGULAR,
                "it is a symbolic link, and nothing is written through one",
                where=self.path,
                hint="name the file that the link leads to, or choose another name",
            )
        if not stat.S_ISREG(kind):
            is_folder = stat.S_ISDIR(kind)
            raise FileProblem.of(
                Code.NOT_REGULAR,
                "it is a folder" if is_folder else "it exists and is not a regular file",
                where=self.path,
                hint="name a file, in this folder or elsewhere"
                if is_folder
                else "choose another name",
            )
        if not self.replace:
            raise FileProblem.of(
                Code.EXISTS,
                "it exists already",
                where=self.path,
                hint="choose another name, or allow it to be replaced with --force",
            )

    def flush(self) -> None:
        """Flush it to the disk; giving it its name needs no more space then."""
        with reported(self.path):
            flush(self.fd)

    def commit(self) -> None:
        """Flush to the disk and give the file its name; after that it is there, whole."""
        self.flush()
        with reported(self.path):
            self._refuse_taken_name()
            if self._replaced is not None:
                self._replace(self._replaced)
            elif not self._take_free_name():
                self._replace_what_is_there()
            # The file is there, whole, and an error would say that it is not. Some network file
            # systems flush no folder: there a power cut may still take the name back.
            with contextlib.suppress(OSError):
                os.fsync(self._folder_fd)

    def _take_free_name(self) -> bool:
        """Give the name if it is free; return whether. Raises where a taken one must stay."""
        try:
            self._link(self._name)
        except FileExistsError:
            if not self.replace:
                raise
            return False
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            # vfat and some network file systems have no hard links; there the check just made is
            # the only protection against another process that takes the name now.
            if self.replace:
                return False
            self._rename()
        return True

    def _replace_what_is_there(self) -> None:
        folder, name = self._folder_fd, self._name
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with contextlib.ExitStack() as locked:
            # A user who may write to the folder may replace a missing or an unreadable file.
            with contextlib.suppress(FileNotFoundError, PermissionError):
                fd = open_locked(
                    lambda: os.open(name, flags, dir_fd=folder), self._what_is_there, self.path
                )
                locked.callback(close_quietly, fd)
                self._refuse_taken_name()
            self._rename()

    def _replace(self, replaced: Replaced) -> None:
        """Replace the file that was read; refuse another one, or one that was written to since."""
        try:
            there: os.stat_result | None = self._what_is_there()
        except FileNotFoundError:
            there = None
        if there is None or _stamp(there) != _stamp(replaced.found):
            raise changed_meanwhile(self.path)
        self._rename()

    def _what_is_there(self) -> os.stat_result:
        return os.stat(self._name, dir_fd=self._folder_fd, follow_symlinks=False)

    def _link(self, name: str) -> None:
        """Give the file another name; raises where it is taken."""
        if not self._hidden:
            if self._link_unnamed(name):
                return
            self._copy_to_hidden()
        os.link(self._hidden, name, src_dir_fd=self._folder_fd, dst_dir_fd=self._folder_fd)

    def _link_unnamed(self, name: str) -> bool:
        """Give the file its first name; False where a security module, for example, forbids it."""
        folder = self._folder_fd
        try:
            # With the folders' descriptors the target is linked; without them, the link itself.
            os.link(
                f"/proc/self/fd/{self.fd}",
                name,
                src_dir_fd=folder,
                dst_dir_fd=folder,
                follow_symlinks=True,
            )
        except OSError as error:
            if error.errno in _NO_NAME:
                raise
            return False
        return True

    def _copy_to_hidden(self) -> None:
        unnamed = self.fd
        self.fd, self._hidden = new_hidden(self._folder_fd, self._mode)
        self._resemble_replaced()
        try:
            offset = 0
            while piece := os.pread(unnamed, _PIECE, offset):
                write_all(self.fd, piece)
                offset += len(piece)
        finally:
            os.close(unnamed)
        flush(self.fd)

    def show_hidden(self) -> None:
        """Give the file a hidden name, which it keeps beside its own until it is closed.

        After a killed run it shows that a change of several files was not finished.
        """
        if not self._hidden:
            self._hidden = hidden_name()  # first, so that it goes also if this is interrupted
            if not self._link_unnamed(self._hidden):
                self._copy_to_hidden()

    def _rename(self) -> None:
        """Give the file its name, and replace what has the name."""
        folder = self._folder_fd
        self.show_hidden()
        os.rename(self._hidden, self._name, src_dir_fd=folder, dst_dir_fd=folder)
        self._hidden = ""

    def __exit__(self, *_: object) -> None:
        """Remove the hidden name, if it is still there, and close."""
        self._close()

    def _close(self) -> None:
        if self._hidden and self._folder_fd >= 0:
            with contextlib.suppress(OSError):
                os.unlink(self._hidden, dir_fd=self._folder_fd)
        for fd in (self.fd, self._folder_fd):
            if fd >= 0:
                close_quietly(fd)
        self.fd = self._folder_fd = -1


@contextlib.contextmanager
def open_to_replace(
    opening: Callable[[], int], path: str, *, waits: Waits = contextlib.nullcontext
) -> Iterator[Replaced]:
    """Hold the file at ``path`` while it is read, changed and replaced; two runs take turns.

    ``opening`` opens it; the descriptor is closed after the body. Raises ``FileProblem`` (I011)
    where another program does not let it go.
    """
    with reported(path):
        fd = open_locked(opening, lambda: os.stat(path), path, waits=waits)
    try:
        with reported(path):
            replaced = Replaced.of(fd)
        yield replaced
    finally:
        close_quietly(fd)


def _stamp(found: os.stat_result) -> tuple[int, ...]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def changed_meanwhile(path: str) -> FileProblem:
    """Return the error for a file that changed since it was read."""
    return FileProblem.of(
        Code.FILE_CHANGED,
        "another program replaced or changed the file after it was read here",
        where=path,
        hint="nothing was written: run the command again",
    )


def flush(fd: int) -> None:
    """Flush the bytes to the disk.

    Some file systems report a failed write only at a close: so a copy of the descriptor is closed
    before the file is visible.
    """
    os.fsync(fd)
    os.close(os.dup(fd))


def scratch_folder() -> str:
    """Return the folder for temporary files: without a name, or with a hidden one.

    Its path has no link in it: a package's code sees folders by their real paths.
    """
    named = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - no name in it can be predicted
    return os.path.realpath(named)


def unnamed_file(folder: str) -> int:
    """Return the descriptor of a new file in ``folder`` without a name: it goes with its close."""
    above = os.open(folder, FOLDER_FLAGS)
    try:
        fd = new_unnamed(above, 0o600)
        if fd < 0:
            clear_dead(above)
            fd, hidden = new_hidden(above, 0o600)
            os.unlink(hidden, dir_fd=above)
        return fd
    finally:
        os.close(above)


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of ``data``: ``os.write`` alone may stop short."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_file(
    path: str | os.PathLike[str],
    data: bytes,
    *,
    replace: bool = False,
    mode: int = 0o644,
    replaced: Replaced | None = None,
) -> None:
    """Make ``path`` hold exactly ``data``, or leave it as it was; as ``StagedFile`` says."""
    with StagedFile(path, replace=replace, mode=mode, replaced=replaced) as staged:
        with reported(path):
            write_all(staged.fd, data)
        staged.commit()
