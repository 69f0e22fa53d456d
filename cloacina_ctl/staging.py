"""Files and folders that appear whole or not at all.

Everything this program writes goes through here: a hidden neighbour of the destination is
filled, flushed to the disk, and moved into place by one rename. A run that is killed leaves the
old file or none; what it may leave of its own is a neighbour named ``.cloacina-ctl-*``.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.folders import hidden_name
from cloacina_ctl.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

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
    errno.ELOOP: (Code.NOT_REGULAR, "it is a symbolic link", None),
    errno.ESTALE: (Code.IO, "something else came into its place meanwhile", None),
    errno.ENXIO: (Code.NOT_REGULAR, "it is not a regular file", None),
    errno.EEXIST: (Code.EXISTS, "it exists already", None),
    errno.ENOTEMPTY: (Code.NOT_EMPTY, "the folder is not empty", None),
    errno.EMFILE: (Code.IO, "too many open files", "raise the limit: `ulimit -n`"),
    errno.EBUSY: (Code.IO, "the system uses it, as a mount point for example", None),
}


def file_problem(error: OSError, path: str) -> FileProblem:
    """Return the error to raise for what the system said of ``path``."""
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

    What the system says has the path in it, so it is no part of an error that must not show it.
    """
    name = os.fspath(path)
    place = shown(name) if where is None else where
    if "\0" in name:
        raise FileProblem.of(Code.NOT_FOUND, "no path can hold a NUL character", where=place)
    try:
        yield
    except OSError as error:
        raise file_problem(error, place) from (error if place == name else None)


def open_parent(folder: str, path: str) -> int:
    """Return a descriptor of ``folder``, in which ``path`` is to appear."""
    try:
        return os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise FileProblem.of(
            Code.NOT_FOUND,
            "the folder to put it into is not there",
            where=path,
            hint="make that folder first, or choose another",
        ) from error


class StagedFile:
    """A file that is written under a hidden name and appears under its own by :meth:`commit`.

    Use it as a context manager: leaving without ``commit`` removes what was written. Without
    ``replace`` an existing file, or any other thing of that name, is never touched: the final
    step is a hard link, which the system refuses when the name is taken, also when it was taken
    meanwhile. With ``replace`` only a regular file is replaced, and never through a link.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, replace: bool = False, mode: int = 0o644
    ) -> None:
        self.path = os.fspath(path)
        self.replace = replace
        self.folder, self._name = os.path.split(os.path.abspath(self.path))
        self._mode = mode
        self._hidden = ""
        self._folder_fd = -1
        self.fd = -1

    def __enter__(self) -> Self:
        """Open the hidden file; refuse a destination that can be seen to be taken."""
        with reported(self.path):
            self._refuse_taken_name()
            self._folder_fd = open_parent(self.folder, self.path)
            try:
                self._hidden = hidden_name()
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                self.fd = os.open(self._hidden, flags, self._mode, dir_fd=self._folder_fd)
            except BaseException:
                self._close()
                raise
        return self

    def _refuse_taken_name(self) -> None:
        if not self._name:
            raise IsADirectoryError(errno.EISDIR, "")
        try:
            kind = os.lstat(os.path.join(self.folder, self._name)).st_mode
        except FileNotFoundError:
            return
        if kind & 0o170000 != 0o100000:
            raise FileProblem.of(
                Code.NOT_REGULAR,
                "it exists and is not a regular file",
                where=self.path,
                hint="choose another name",
            )
        if not self.replace:
            raise FileProblem.of(
                Code.EXISTS,
                "it exists already",
                where=self.path,
                hint="choose another name, or allow it to be replaced with --force",
            )

    def commit(self) -> None:
        """Flush to the disk and give the file its name; after that it is there, whole."""
        with reported(self.path):
            os.fsync(self.fd)
            self._refuse_taken_name()
            folder = self._folder_fd
            if self.replace:
                os.rename(self._hidden, self._name, src_dir_fd=folder, dst_dir_fd=folder)
                self._hidden = ""
            else:
                self._link(folder)
            # The file is there, whole, and an error would say that it is not. Some network file
            # systems flush no folder: there a power cut may still take the name back.
            with contextlib.suppress(OSError):
                os.fsync(folder)

    def _link(self, folder: int) -> None:
        """Give the name without ever replacing; fall back where there are no hard links."""
        try:
            os.link(self._hidden, self._name, src_dir_fd=folder, dst_dir_fd=folder)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.ENOSYS):
                raise
            # vfat and some network file systems have no hard links; the check just made is
            # then all that stands between us and somebody who takes the name this instant.
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
                with contextlib.suppress(OSError):
                    os.close(fd)
        self.fd = self._folder_fd = -1


def scratch_folder() -> str:
    """Return the folder for what nobody is to keep: files without a name, or with a hidden one."""
    return os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - no name in it can be predicted


def unnamed_file(folder: str) -> int:
    """Return the descriptor of a new file in ``folder`` without a name: it goes with its close."""
    if hasattr(os, "O_TMPFILE"):
        with contextlib.suppress(OSError):  # not every file system can
            return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    path = os.path.join(folder, hidden_name())
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    os.unlink(path)
    return fd


def write_all(fd: int, data: bytes | memoryview) -> None:
    """Write all of ``data``: ``os.write`` alone may stop short."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_file(
    path: str | os.PathLike[str], data: bytes, *, replace: bool = False, mode: int = 0o644
) -> None:
    """Make ``path`` hold exactly ``data``, or leave it as it was."""
    with StagedFile(path, replace=replace, mode=mode) as staged:
        with reported(path):
            write_all(staged.fd, data)
        staged.commit()
