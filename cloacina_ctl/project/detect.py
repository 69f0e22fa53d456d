"""Detects the kind of project in a folder, by the files at its top."""

from __future__ import annotations

import os

from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.project.model import ProjectLayout
from cloacina_ctl.project.own_files import read_own_toml
from cloacina_ctl.values import NamedTuple

CARGO_TOML = "Cargo.toml"
PYPROJECT_TOML = "pyproject.toml"
PACKAGE_TOML = "package.toml"
REQUIREMENTS_TXT = "requirements.txt"
VENDOR_LOCK = "pylock.cloacina.toml"
WORKFLOW_FOLDER = "workflow"


class Detected(NamedTuple):
    """The layout, and the files that show it."""

    layout: ProjectLayout
    signs: tuple[str, ...]


def detect(folder: str) -> Detected:
    """Return the kind of project in ``folder``.

    Raises ``FileProblem`` where there is no such folder, ``Refused`` where it is not a project or
    of more than one kind, or where one of these files is a link.
    """
    if not os.path.lexists(folder):
        raise FileProblem.of(Code.NOT_FOUND, "no such folder", where=folder)
    if not os.path.isdir(folder):
        raise FileProblem.of(
            Code.NOT_REGULAR,
            "a project is a folder, this is a file",
            where=folder,
            hint="name the folder that holds Cargo.toml or pyproject.toml",
        )
    rust, python = _rust_signs(folder), _python_signs(folder)
    if rust and python:
        raise Refused.of(
            Code.TWO_KINDS,
            f"two kinds of project: {', '.join(rust)} for Rust and {', '.join(python)} for Python",
            where=folder,
            hint="package each one from its own folder",
        )
    if rust:
        return Detected(ProjectLayout.RUST, rust)
    if python:
        tree = python[0] != PYPROJECT_TOML
        return Detected(ProjectLayout.PYTHON_TREE if tree else ProjectLayout.PYTHON, python)
    raise Refused.of(
        Code.NO_PROJECT,
        f"no project there: neither {CARGO_TOML}, {PYPROJECT_TOML} with [project],"
        f" nor {PACKAGE_TOML}",
        where=folder,
        hint=_hint(folder),
    )


def _hint(folder: str) -> str:
    """Return the hint: older Python projects have the metadata in another file."""
    tools = _read(folder, PYPROJECT_TOML).get("tool") if _has(folder, PYPROJECT_TOML) else None
    known = tools if isinstance(tools, dict) else {}
    others = [f"[tool.{name}]" for name in ("poetry", "flit") if name in known]
    others += [name for name in ("setup.cfg", "setup.py") if _has(folder, name)]
    if others:
        where = f"[project] of {PYPROJECT_TOML}"
        return f"{others[0]} is not read: write name, version and dependencies under {where}"
    return "name the project's folder"


def _rust_signs(folder: str) -> tuple[str, ...]:
    return (CARGO_TOML,) if _has(folder, CARGO_TOML) else ()


def _python_signs(folder: str) -> tuple[str, ...]:
    signs = []
    if _has(folder, PACKAGE_TOML) and not _is_rust_manifest(folder):
        signs.append(PACKAGE_TOML)
        if os.path.isdir(os.path.join(folder, WORKFLOW_FOLDER)):
            signs.append(f"{WORKFLOW_FOLDER}/")
    # A pyproject.toml that only configures tools does not make a Python project.
    if _has(folder, PYPROJECT_TOML) and "project" in _read(folder, PYPROJECT_TOML):
        signs.append(PYPROJECT_TOML)
    return tuple(signs)


def _is_rust_manifest(folder: str) -> bool:
    """Return whether package.toml belongs to a crate: other runtimes require one there as well."""
    table = _read(folder, PACKAGE_TOML)
    for name in ("metadata", "package"):
        part = table.get(name)
        if isinstance(part, dict) and isinstance(part.get("language"), str):
            return str(part["language"]).lower() == "rust"
    return _has(folder, CARGO_TOML) and not os.path.isdir(os.path.join(folder, WORKFLOW_FOLDER))


def _has(folder: str, name: str) -> bool:
    return os.path.isfile(os.path.join(folder, name))


def _read(folder: str, name: str) -> dict[str, object]:
    return read_own_toml(folder, name)
