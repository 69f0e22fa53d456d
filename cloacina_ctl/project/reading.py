"""From a folder to a project: which kind it is, and then what its files say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.project.config import read_config
from cloacina_ctl.project.detect import detect
from cloacina_ctl.project.model import BuildOptions, Layout

if TYPE_CHECKING:
    from cloacina_ctl.project.model import Project


def read_project(
    folder: str, *, member: str | None = None, options: BuildOptions = BuildOptions()
) -> Project:
    """Return the project in ``folder``; of a Rust workspace the crate called ``member``.

    ``options`` are those of the build: features choose what of a crate's source counts.
    Runs nothing. Raises ``Refused`` for what is no project or cannot be read as one; what is
    merely wrong with a project is for ``checks``.
    """
    root = os.path.abspath(folder)
    layout = detect(root).layout
    if layout is Layout.RUST:
        from cloacina_ctl.project.rust_project import read_rust_project

        return read_rust_project(root, read_config(root, layout), member, options)
    if member is not None:
        raise UsageError.of(Code.USAGE, "only a Rust workspace has members to choose from")
    from cloacina_ctl.project.python_project import read_python_project

    return read_python_project(root, layout, read_config(root, layout))
