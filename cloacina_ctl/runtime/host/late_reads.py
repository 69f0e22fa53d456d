"""Notices that a package reads its own files once it is imported: a server has deleted them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LATE_READ = "T009"
_MAX_NOTICES = 20
# Traces show lines of the source; that is not the package's doing.
_TRACERS = ("linecache.py", "tokenize.py", "traceback.py")


def watch_late_reads(tree: str, tell: Callable[[dict[str, Any]], None]) -> None:
    """Tell each file of ``tree`` that is opened from now on, once; there is no way to stop it."""
    inside = os.path.join(os.path.realpath(tree), "")
    seen: set[str] = set()

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or not isinstance(arguments[0], str):
            return
        path = os.path.realpath(arguments[0])
        if not path.startswith(inside) or path in seen or len(seen) >= _MAX_NOTICES:
            return
        if _is_traced() or not os.path.isfile(path):
            return
        seen.add(path)
        name = path[len(inside) :]
        tell({"code": LATE_READ, "message": f"`{name}` is read after the import"})

    sys.addaudithook(hook)


def _is_traced() -> bool:
    frame = sys._getframe(2)  # noqa: SLF001 - who opens it
    return os.path.basename(frame.f_code.co_filename) in _TRACERS
