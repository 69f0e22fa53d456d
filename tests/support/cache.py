"""The folder outside the tree where what was fetched or compiled is kept from run to run."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "CLOACINA_CTL_TEST_CACHE"


def cache_folder() -> Path:
    """Return the folder, made where it was missing: ``$CLOACINA_CTL_TEST_CACHE`` or the user's."""
    named = os.environ.get(VARIABLE)
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    folder = Path(named) if named else Path(home) / "cloacina-ctl-tests"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextlib.contextmanager
def locked(name: str) -> Iterator[Path]:
    """Let one process at a time fill the cache; a second run waits and finds it filled."""
    folder = cache_folder()
    with open(folder / f".{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
