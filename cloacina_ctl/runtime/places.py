"""Which path lies below which."""

from __future__ import annotations

import os


def is_below(path: str, folder: str) -> bool:
    """Return whether ``path`` is ``folder`` or in it, both absolute and without dots."""
    return path == folder or path.startswith(os.path.join(folder, ""))
