"""A folder that no run may change, and how it is seen that none did."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def make_canary(folder: Path) -> Path:
    """Make a folder of somebody's documents, with what a careless clean-up would change."""
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "letter.txt").write_text("dear reader")
    (folder / "deep" / "er" / "key").write_text("a secret")
    (folder / "deep" / "er" / "key").chmod(0o604)
    (folder / "deep").chmod(0o755)
    (folder / "link").symlink_to("letter.txt")
    # Named as this program names its own, and yet not its own.
    (folder / ".cloacina-ctl-0123456789abcdef").write_text("named so by a user")
    folder.chmod(0o751)
    return folder


def seen(path: Path) -> dict[str, tuple[object, ...]]:
    """Return all that a change would show in: of ``path`` and of what is below it."""
    return {name: _seen(name) for name in _walk(str(path))}


def _walk(path: str) -> list[str]:
    if os.path.islink(path) or not os.path.isdir(path):
        return [path]
    return [path, *(one for name in sorted(os.listdir(path)) for one in _walk(f"{path}/{name}"))]


def _seen(path: str) -> tuple[object, ...]:
    found = os.lstat(path)
    facts = (found.st_ino, found.st_mode, found.st_uid, found.st_gid, found.st_nlink)
    if os.path.islink(path):
        return (*facts, os.readlink(path))
    if os.path.isdir(path):
        return (*facts, found.st_mtime_ns)
    with open(path, "rb") as file:
        return (*facts, found.st_mtime_ns, file.read())
