"""Small trees on the disk, written as text."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cloacina_ctl.errors import CloacinaError, Code

PYPROJECT = '[project]\nname = "demo"\nversion = "1.0"\n'
TREE = '[package]\nname = "demo"\nversion = "1.0"\n\n[metadata]\nlanguage = "python"\n'
TASK = 'import cloaca\n\n\n@cloaca.task(id="first")\ndef first(context):\n    return context\n'


def plant(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write ``files``; a path that ends with a slash is an empty folder."""
    for name, content in files.items():
        path = os.path.join(root, name)
        os.makedirs(path if name.endswith("/") else os.path.dirname(path), exist_ok=True)
        if not name.endswith("/"):
            with open(path, "wb") as file:
                file.write(content.encode() if isinstance(content, str) else content)
    return root


def tree(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Plant a project in the runtimes' own layout around ``files``."""
    base = {"package.toml": TREE, "workflow/demo/__init__.py": "", "workflow/demo/tasks.py": TASK}
    return plant(root, {**base, **files})


def found(error: CloacinaError) -> list[tuple[Code, str | None]]:
    """Return codes and places of all diagnostics."""
    return [(diagnostic.code, diagnostic.where) for diagnostic in error.diagnostics]
