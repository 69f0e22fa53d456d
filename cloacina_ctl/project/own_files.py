"""Reads files of a project by name, without following links.

The content of such a file gets into the package. So the rule of the selection holds for it as well:
a link is refused (P007), as the file or as a folder above it. The project's folder may be one.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, Diagnostic, Refused
from cloacina_ctl.files.folders import open_folder
from cloacina_ctl.platforms.recognition import HEAD_BYTES
from cloacina_ctl.toml import MAX_BYTES, parse_toml, read_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.files.folders import Folder

_OF_CARGO = ("Cargo.toml", "Cargo.lock")
_HINT = "put the file itself there"
# With this configuration a link is packed as the file to which it leads.
FOLLOW_HINT = (
    'set `links = "contents"` to pack its target, put the file itself there, or '
    "leave the link out: name it in .cloacinaignore"
)


def read_own_toml(root: str, name: str, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Return the table in the file ``name`` of the project in ``root``; raises as ``read_toml``.

    Raises ``Refused`` for a link.
    """
    data = read_own_text(root, name, max_bytes=max_bytes)
    return parse_toml(data, where=name, of_cargo=name in _OF_CARGO)


def read_own_text(root: str, name: str, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Return the bytes of the file ``name`` of the project in ``root``; as ``read_own_toml``."""
    path = os.path.join(root, name)
    return read_text(path, where=name, max_bytes=max_bytes, opener=lambda _: open_own(root, name))


def open_own(root: str, path: str, hint: str = _HINT) -> int:
    """Return a descriptor of a file in ``root``, whose ``path`` there leads through no link.

    Raises ``Refused`` for a link, with the ``hint``, else the ``OSError`` of the system.
    """
    *folders, name = path.split("/")
    with open_folder(root) as top:
        return _open(top, [*filter(None, folders)], name, path, hint)


def read_head(path: str, count: int = HEAD_BYTES) -> bytes:
    """Return the first bytes of a file to pack; nothing if it is no longer a file.

    Packing it reports the problem.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(fd, count)
    except OSError:
        return b""
    finally:
        os.close(fd)


def own_links(root: str, names: Iterable[str]) -> Iterator[Diagnostic]:
    """Yield the finding for each of the files ``names`` at the top of a project that is a link."""
    for name in names:
        full = os.path.join(root, name)
        if os.path.islink(full):
            yield link(name, os.readlink(full))


def link(path: str, target: str, hint: str = _HINT) -> Diagnostic:
    """Return the finding for a link in a project."""
    return Diagnostic(Code.LINK, f"a link to {target}", path, hint)


def _open(folder: Folder, folders: list[str], name: str, path: str, hint: str) -> int:
    step = folders[0] if folders else name
    try:
        if not folders:
            return folder.open_file(name)
        with folder.folder(step) as inner:
            return _open(inner, folders[1:], name, path, hint)
    except OSError as error:
        found = folder.look(step) if error.errno == errno.ELOOP else None
        if found is None or not stat.S_ISLNK(found.st_mode):
            raise
        at = "/".join([*path.split("/")[: -1 - len(folders)], step])
        raise Refused(link(at, os.readlink(step, dir_fd=folder.fd), hint)) from error
