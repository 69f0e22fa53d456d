"""Folders held by descriptors: all creating, renaming and removing of names goes through here.

Another user, or the code of a package, may write to a folder that this program works in. A path
can then change its meaning at any moment. So a folder is opened once, and every operation in it
uses its descriptor and a single name: no link is followed, and nothing behind one is changed. A
folder is identified by its device and inode, not by its path.

Errors are the system's (``OSError``); callers name the path. Only a little of the standard library
is imported: the process that supervises a package's code uses this module as well.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

PREFIX = ".cloacina-ctl-"
HIDDEN_BYTES = 12

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# Working by names in a folder needs no permission to list it.
_BASE = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_NO_LINK = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_READ_WRITE = 0o600
_ALL = 0o700  # what the owner of a folder may do
TRIES = 8  # another run that clears up may win once; winning each time is an attack


def hidden_name() -> str:
    """Return an unpredictable name that this program recognizes as its own."""
    return PREFIX + os.urandom(HIDDEN_BYTES).hex()


def allow_owner(fd: int) -> None:
    """Give the owner of a new file the right to read and write it, whatever the umask is."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if mode & _READ_WRITE != _READ_WRITE:
        os.fchmod(fd, mode | _READ_WRITE)


def close_quietly(fd: int) -> None:
    """Close a file that was only read, or flushed before; errors are ignored."""
    with contextlib.suppress(OSError):
        os.close(fd)


class Folder:
    """An open folder. Names in it have no slash, and a link of such a name is never followed.

    ``path`` is for messages. Use it as a context manager, or ``close`` it.
    """

    def __init__(self, fd: int, path: str) -> None:
        self.fd = fd
        self.path = path

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptors; the folder stays as it is."""
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            close_quietly(fd)

    def again(self) -> Folder:
        """Return the same folder under a descriptor of its own."""
        return Folder(os.dup(self.fd), self.path)

    def where(self, name: str) -> str:
        """Return the path of ``name``, for messages."""
        return os.path.join(self.path, name)

    def path_within(self, name: str) -> str:
        """Return a path of ``name`` for this process that survives a rename of the folder.

        Where a system has no such paths, it is that of ``where``.
        """
        path = f"/proc/self/fd/{self.fd}"
        return os.path.join(path, name) if os.path.isdir(path) else self.where(name)

    def folder(self, name: str) -> Folder:
        """Open a folder in it; ``ELOOP`` for a link, ``ENOTDIR`` for anything else."""
        _refuse_slash(name)
        try:
            fd = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=self.fd)
        except NotADirectoryError:
            found = self.look(name)
            if found is not None and stat.S_ISLNK(found.st_mode):
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), self.where(name)) from None
            raise
        return Folder(fd, self.where(name))

    def make_folder(self, name: str, mode: int = 0o700) -> bool:
        """Make a folder where the name is free; return whether it was.

        Its owner may work in it whatever the umask is.
        """
        _refuse_slash(name)
        try:
            os.mkdir(name, mode, dir_fd=self.fd)
        except FileExistsError:
            return False
        made = self.look(name)
        if made is not None and mode & _ALL & ~made.st_mode:
            _open_up_named(self.fd, name, os.geteuid())
        return True

    def open_file(self, name: str, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
        """Return a descriptor of ``name``; ``ELOOP`` for a link. Opening a pipe does not wait."""
        _refuse_slash(name)
        return os.open(name, flags | _NO_LINK, mode, dir_fd=self.fd)

    def look(self, name: str) -> os.stat_result | None:
        """Return the ``lstat`` result of the name; None where it does not exist."""
        try:
            return os.stat(name, dir_fd=self.fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def names(self) -> list[str]:
        """Return all names in it, sorted."""
        return sorted(os.listdir(self.fd))

    def unlink(self, name: str) -> bool:
        """Remove a file or a link; return whether it was there."""
        _refuse_slash(name)
        try:
            os.unlink(name, dir_fd=self.fd)
        except FileNotFoundError:
            return False
        return True

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder."""
        _refuse_slash(name)
        try:
            os.rmdir(name, dir_fd=self.fd)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
                raise

    def rename(self, name: str, new: str, into: Folder | None = None) -> None:
        """Give a file or folder another name, here or ``into`` another folder of the disk."""
        _refuse_slash(name)
        _refuse_slash(new)
        os.rename(name, new, src_dir_fd=self.fd, dst_dir_fd=(into or self).fd)

    def link(self, name: str, new: str) -> None:
        """Give a file a second name."""
        _refuse_slash(name)
        _refuse_slash(new)
        os.link(name, new, src_dir_fd=self.fd, dst_dir_fd=self.fd, follow_symlinks=False)

    def symlink(self, target: str, name: str) -> None:
        """Make a link to ``target``, for other programs that look for files in a folder."""
        _refuse_slash(name)
        os.symlink(target, name, dir_fd=self.fd)

    def sync(self) -> None:
        """Flush its names to the disk; a refusal, as by some network file systems, is ignored."""
        with contextlib.suppress(OSError):
            os.fsync(self.fd)


def open_folder(path: str | os.PathLike[str]) -> Folder:
    """Open a folder that the user named; it may be a link, as any path of the user."""
    path = os.path.abspath(path)
    return Folder(os.open(path, _FOLDER), path)


def make_folders(path: str, mode: int) -> None:
    """Make the folder ``path`` and missing ones above it; ``EEXIST`` where it is no folder.

    Their owner may work in them whatever the umask is.
    """
    if os.path.isdir(path):
        return
    above, name = os.path.split(path)
    make_folders(above, mode)
    with open_folder(above) as held:
        if not held.make_folder(name, mode) and not os.path.isdir(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))


class PrivateFolder(Folder):
    """A folder that this program made for itself, and removes again.

    It is found by its device and inode: it may have been renamed, and something else may have
    taken its name. ``name`` is its name in the folder ``above``; both stay open until ``close``.
    Leaving it as a context manager removes it.
    """

    def __init__(self, fd: int, above: Folder, name: str) -> None:
        super().__init__(fd, above.where(name))
        self.above = above
        self.name = name

    def __exit__(self, *_: object) -> None:
        self.remove()
        self.close()

    @property
    def identity(self) -> tuple[int, int]:
        """The device and inode that identify it in every process."""
        found = os.fstat(self.fd)
        return found.st_dev, found.st_ino

    @property
    def descriptors(self) -> tuple[int, int]:
        """The descriptors that a process must keep open to remove it."""
        return self.fd, self.above.fd

    def close(self) -> None:
        """Close the descriptors; the folder stays as it is."""
        super().close()
        self.above.close()

    def become(self, name: str) -> None:
        """Rename it to ``name`` in the same folder; an empty folder of that name is replaced.

        Raises ``ESTALE`` where something else has taken its name.
        """
        if not self._is_named(self.above.fd, self.name):
            raise _stale(self.path)
        self.above.rename(self.name, name)
        self.name, self.path = name, self.above.where(name)

    def remove(self) -> bool:
        """Remove it and all in it; return whether it is gone and nothing has its name.

        A link that has taken its name is removed, its target is not; anything else that has taken
        its name stays, and so do folders of other owners in it. May be called again.
        """
        _empty(self.fd)
        for fd, name in self._places():
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=fd)
        self._clear_name()
        gone = self.above.look(self.name) is None
        return gone and next(self._places(), None) is None

    def found(self) -> str:
        """Return its current path where the system knows it, else the path that it had."""
        with contextlib.suppress(OSError):
            path = os.readlink(f"/proc/self/fd/{self.fd}")
            if os.path.samestat(os.fstat(self.fd), os.lstat(path)):
                return path
        return self.path

    def _places(self) -> Iterator[tuple[int, str]]:
        """Yield the folder that it is in now, and its name there, if it has one."""
        if self._is_named(self.above.fd, self.name):
            yield self.above.fd, self.name
            return
        try:
            parent = os.open("..", _FOLDER, dir_fd=self.fd)
        except OSError:
            return
        try:
            own = os.fstat(self.fd).st_ino
            with os.scandir(parent) as entries:
                names = [entry.name for entry in entries if entry.inode() == own]
            for name in names:
                if self._is_named(parent, name):
                    yield parent, name
        finally:
            os.close(parent)

    def _is_named(self, folder: int, name: str) -> bool:
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(found, os.fstat(self.fd))

    def _clear_name(self) -> None:
        """Free the name where no data is lost: remove a link, or an empty folder."""
        with contextlib.suppress(OSError):
            found = self.above.look(self.name)
            if found is not None and stat.S_ISLNK(found.st_mode):
                self.above.unlink(self.name)
            elif found is not None and stat.S_ISDIR(found.st_mode):
                os.rmdir(self.name, dir_fd=self.above.fd)


def make_private_folder(base: str | os.PathLike[str] | Folder) -> PrivateFolder:
    """Make a new folder in ``base`` that no other user can read, and hold it.

    Where ``base`` is an open folder, the new one owns it, and closes it.
    """
    above = base if isinstance(base, Folder) else _base(base)
    name = hidden_name()
    try:
        for _ in range(TRIES):
            os.mkdir(name, _ALL, dir_fd=above.fd)
            with contextlib.suppress(FileNotFoundError):  # taken for dead before it was held
                return _held(above, name)
        raise _stale(above.where(name))
    except BaseException:
        with contextlib.suppress(OSError):
            os.rmdir(name, dir_fd=above.fd)
        above.close()
        raise


def hold_private_folder(path: str, identity: tuple[int, int]) -> PrivateFolder:
    """Hold the private folder of another process; ``ESTALE`` where something else is there."""
    above = _base(os.path.dirname(path))
    try:
        folder = _held(above, os.path.basename(path))
    except BaseException as error:
        above.close()
        if isinstance(error, (NotADirectoryError, FileNotFoundError)):
            raise _stale(path) from None
        raise
    if folder.identity != identity:
        folder.close()
        raise _stale(path)
    return folder


def _stale(path: str) -> OSError:
    return OSError(errno.ESTALE, "something else is in the place of a folder", path)


def _base(path: str | os.PathLike[str]) -> Folder:
    path = os.path.abspath(path)
    return Folder(os.open(path, _BASE), path)


def _held(above: Folder, name: str) -> PrivateFolder:
    return PrivateFolder(os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=above.fd), above, name)


def _refuse_slash(name: str) -> None:
    if "/" in name or name in ("", ".", ".."):
        raise ValueError(f"not a single name: {name!r}")


def _empty(top: int) -> None:
    """Remove everything in the open folder ``top``, whatever its depth, names and modes.

    Folders in it are moved up first, so that two descriptors reach any depth. That also excludes
    mount points: they cannot be renamed, and a folder that cannot be renamed is not entered. Nor
    are folders of other owners, who may have moved here what the code could not remove itself.
    """
    mark, moved = hidden_name(), 0
    owner = os.fstat(top).st_uid
    _open_up(top)
    waiting: list[str | None] = [None]
    while waiting:
        name = waiting.pop()
        with contextlib.suppress(OSError), _entered(top, name, owner) as place:
            for entry, is_folder in _entries(place, owner):
                if is_folder:
                    moved += 1
                    with contextlib.suppress(OSError):
                        waiting.append(_moved_up(place, entry, top, f"{mark}-{moved}"))
                else:
                    with contextlib.suppress(OSError):
                        os.unlink(entry, dir_fd=place)
        if name is not None:
            with contextlib.suppress(OSError):
                os.rmdir(name, dir_fd=top)


@contextlib.contextmanager
def _entered(top: int, name: str | None, owner: int) -> Iterator[int]:
    """Open the folder ``name`` of ``top``, or ``top`` itself, with all rights of its owner."""
    if name is None:
        yield top
        return
    try:
        fd = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=top)
    except PermissionError:
        _open_up_named(top, name, owner)
        fd = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=top)
    try:
        if os.fstat(fd).st_uid != owner:
            raise PermissionError(errno.EPERM, "a folder of another owner")
        _open_up(fd)
        yield fd
    finally:
        os.close(fd)


def _entries(place: int, owner: int) -> list[tuple[str, bool]]:
    """Return the names in a folder, and which are folders; not the folders of other owners."""
    found = []
    with os.scandir(place) as entries:
        for entry in entries:
            is_folder = entry.is_dir(follow_symlinks=False)
            if not is_folder or entry.stat(follow_symlinks=False).st_uid == owner:
                found.append((entry.name, is_folder))
    return found


def _moved_up(place: int, name: str, top: int, new: str) -> str:
    """Move a folder to ``top`` under a new name, and return the name."""
    try:
        os.rename(name, new, src_dir_fd=place, dst_dir_fd=top)
    except PermissionError:
        # A folder gets another parent only if its owner may write to it. The first rename keeps the
        # parent, so it fails only for a mount point, whose mode must not be changed.
        os.rename(name, new, src_dir_fd=place, dst_dir_fd=place)
        _open_up_named(place, new, os.fstat(top).st_uid)
        os.rename(new, new, src_dir_fd=place, dst_dir_fd=top)
    return new


def _open_up(fd: int) -> None:
    mode = os.fstat(fd).st_mode
    if mode & _ALL != _ALL:
        with contextlib.suppress(OSError):
            os.fchmod(fd, stat.S_IMODE(mode) | _ALL)


def _open_up_named(folder: int, name: str, owner: int) -> None:
    """Give its owner all rights to a folder that cannot be opened; a link is not followed."""
    if not hasattr(os, "O_PATH"):
        os.chmod(name, _ALL, dir_fd=folder, follow_symlinks=False)
        return
    fd = os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if os.fstat(fd).st_uid == owner:
            os.chmod(f"/proc/self/fd/{fd}", _ALL)
    finally:
        os.close(fd)
