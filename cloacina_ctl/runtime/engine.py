"""Finds the engine that runs a package in place of our scheduler: the wheel `cloaca`.

Nothing of it is loaded here: the result is for the child process (`host.engine`).
"""

from __future__ import annotations

import os
import sys

from cloacina_ctl import settings
from cloacina_ctl.errors import Code, FileProblem, Incompatible, UsageError
from cloacina_ctl.values import NamedTuple

NAME = "cloaca"
_SITES = ("site-packages", "dist-packages")
_INTERPRETERS = ("bin/python", "bin/python3")


class EngineWheel(NamedTuple):
    """The engine's wheel: in ``folder``, or installed for the interpreter ``program``.

    Where ``program`` is None, the child runs on the interpreter of this process.
    """

    program: str | None = None
    folder: str | None = None


def find_engine(spelled: str) -> EngineWheel:
    """Return the engine that ``spelled`` means: ``cloaca``, or ``cloaca=PATH``.

    Without a path it is the wheel installed beside this program; a path is an interpreter, a venv,
    or a folder with the installed wheel (``pip install --target``). Raises ``UsageError`` for
    another spelling, ``FileProblem`` where the path is missing, ``Incompatible`` without an engine.
    """
    name, has_place, place = spelled.partition("=")
    if name != NAME or (has_place and not place):
        raise UsageError.of(
            Code.USAGE,
            f"no such engine: {spelled}",
            hint=f"`{NAME}`, or `{NAME}=PATH` with an interpreter, a venv, or a folder of pip's "
            "--target",
        )
    return _at(os.path.abspath(settings.expanded(place))) if place else _beside_this_program()


def _at(path: str) -> EngineWheel:
    if os.path.isfile(path):
        return EngineWheel(program=path)
    if not os.path.isdir(path):
        raise FileProblem.of(Code.NOT_FOUND, "no engine is there", where=path)
    if holds_wheel(path):
        return EngineWheel(folder=path)
    for name in _INTERPRETERS:
        program = os.path.join(path, name)
        if os.path.isfile(program):
            return EngineWheel(program=program)
    raise Incompatible.of(
        Code.NO_ENGINE,
        f"neither the package `{NAME}` nor an interpreter is in that folder",
        where=path,
        hint=f"`pip install --target {path} {NAME}`",
    )


def _beside_this_program() -> EngineWheel:
    # Not the current folder, which an interpreter may have on its path too.
    for folder in sys.path:
        if os.path.basename(folder) in _SITES and holds_wheel(folder):
            return EngineWheel(folder=folder)
    raise Incompatible.of(
        Code.NO_ENGINE,
        f"the engine `{NAME}` is not installed beside this program",
        hint=f"`pip install {NAME}`, or name its place: --engine {NAME}=PATH",
    )


def holds_wheel(folder: str) -> bool:
    """Return whether the wheel is installed in ``folder``."""
    return os.path.isfile(os.path.join(folder, NAME, "__init__.py"))
