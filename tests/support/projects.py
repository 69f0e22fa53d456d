"""The projects of ``fixtures/``, in copies that a test may change."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
FIXTURES = ROOT / "fixtures"


def copied(name: str, folder: Path) -> Path:
    """Copy the fixture, without what was built of it, to ``folder``, which becomes the copy."""
    return Path(shutil.copytree(FIXTURES / name, folder, ignore=shutil.ignore_patterns("target")))


def flow_project(root: Path, name: str, text: str, **more: str) -> Path:
    """Make a project whose workflow ``flow`` is the text of one module, with ``more`` beside it."""
    files = {"__init__.py": "", "tasks.py": "import cloaca\n" + text}
    files |= {path.replace("__", "."): data for path, data in more.items()}
    source = root / "src" / "flow"
    source.mkdir(parents=True)
    (root / "pyproject.toml").write_text(
        f'[project]\nname = "{name}"\nversion = "1.0.0"\n'
        '[tool.cloacina]\nentry_module = "flow.tasks"\nworkflow_name = "flow"\n'
    )
    for path, data in files.items():
        (source / path).write_text(data)
    return root
