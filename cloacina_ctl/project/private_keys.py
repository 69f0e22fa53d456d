"""Private keys that stand inside files which get packed, found by their first line.

A key in a file with an innocent name passes every list of names. What is vendored is somebody
else's and public; large files are no texts that people write.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cloacina_ctl.archive.layout import VENDOR_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.model import Selection

MAX_BYTES = 1 << 20
_BEGIN = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")


def find_private_keys(selection: Selection, root: str) -> Iterator[str]:
    """Yield ``path:line`` of each private key in a selected file."""
    for file in selection.files:
        if file.size > MAX_BYTES or file.path.startswith(VENDOR_FOLDER):
            continue
        data = _read(file.source)
        for found in _BEGIN.finditer(data):
            place = os.path.relpath(file.source, root).replace(os.sep, "/")
            yield f"{place}:{data.count(10, 0, found.start()) + 1}"


def holds_private_key(data: bytes) -> bool:
    """Tell whether a private key begins in ``data``."""
    return _BEGIN.search(data) is not None


def _read(path: str) -> bytes:
    """Return the file's bytes; nothing where it is gone: whoever packs it will say so."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    with open(fd, "rb") as file:
        return file.read(MAX_BYTES)
