"""Reads the project in a folder: detects its kind, then reads its files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, UsageError
from cloacina_ctl.manifest.fields import VERSION
from cloacina_ctl.manifest.texts import pep440_problem
from cloacina_ctl.project.config import read_config
from cloacina_ctl.project.detect import detect
from cloacina_ctl.project.model import BuildOptions, ProjectLayout
from cloacina_ctl.redaction import shown_word

if TYPE_CHECKING:
    from cloacina_ctl.project.model import Project


def read_project(
    folder: str,
    *,
    member: str | None = None,
    options: BuildOptions = BuildOptions(),
    version: str | None = None,
) -> Project:
    """Return the project in ``folder``; of a Rust workspace the crate called ``member``.

    ``options`` are those of the build: features choose which source of a crate counts.
    ``version`` replaces that of a Python project. Runs nothing. Raises ``Refused`` for a folder
    that is not a readable project, ``UsageError`` for an invalid version, or one that is given for
    a crate; other problems of a project are reported by ``checks``.
    """
    root = os.path.abspath(folder)
    layout = detect(root).layout
    if layout is ProjectLayout.RUST:
        if version is not None:
            raise UsageError.of(
                Code.VERSION_SET,
                "the version of a crate is compiled into its library: --set-version is for Python "
                "projects",
                hint="set `version` in Cargo.toml, such as with `cargo set-version` (cargo-edit)",
            )
        from cloacina_ctl.project.rust.project import read_rust_project

        return read_rust_project(root, read_config(root, layout), member, options)
    if member is not None:
        raise UsageError.of(Code.USAGE, "only a Rust workspace has members to choose from")
    from cloacina_ctl.project.python.project import read_python_project

    config = read_config(root, layout)
    if version is not None:
        config = config._replace(version=_pep440(version))
    return read_python_project(root, layout, config)


def _pep440(text: str) -> str:
    """Return a version in its normal form, or raise ``UsageError``."""
    from packaging.version import InvalidVersion, Version

    try:
        version = str(Version(text))
    except InvalidVersion:
        version = ""
    wrong = None
    if not text:
        wrong = "the version is empty"
    elif pep440_problem(version) is not None:
        wrong = f"not a version of a Python project (PEP 440): {shown_word(text)}"
    elif len(version) > VERSION.longest:
        wrong = f"a version has at most {VERSION.longest} characters, this one has {len(version)}"
    if wrong is not None:
        raise UsageError.of(
            Code.VERSION_SET,
            f"--set-version: {wrong}",
            hint="such as 1.4.0, 2.0rc1 or 1.4.0.dev3+g1a2b3c4",
        )
    return version
