"""Reports reads of a package's own files after the import, when a server has deleted them."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

LATE_READ = "T009"
_MAX_NOTICES = 20
# Traces read the source to show its lines; that is not a read by the package.
_TRACERS = ("linecache.py", "tokenize.py", "traceback.py")


def watch_late_reads(tree: str, report: Callable[[dict[str, Any]], None]) -> None:
    """Report each file of ``tree`` opened from now on, once; the hook cannot be removed."""
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
        report({"code": LATE_READ, "message": f"`{name}` is read after the import"})

    sys.addaudithook(hook)


def _is_traced() -> bool:
    frame = sys._getframe(2)  # noqa: SLF001 - the caller that opens it
    return os.path.basename(frame.f_code.co_filename) in _TRACERS
