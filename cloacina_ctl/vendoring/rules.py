"""Reads the rules of a project for its vendored wheels, once."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.project.detect import VENDOR_LOCK
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.closure import Roots
from cloacina_ctl.vendoring.declared.origin_tables import read_origins
from cloacina_ctl.vendoring.declared.origins import LOCKABLE
from cloacina_ctl.vendoring.declared.settings import read_settings
from cloacina_ctl.vendoring.declared.workspace import read_workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from cloacina_ctl.project.model import Project
    from cloacina_ctl.vendoring.declared.origins import Origin, Origins
    from cloacina_ctl.vendoring.declared.requirements import Requirements
    from cloacina_ctl.vendoring.declared.settings import InstallerSettings
    from cloacina_ctl.vendoring.declared.workspace import UvWorkspace
    from cloacina_ctl.vendoring.locks.project_lock import ProjectLock
    from cloacina_ctl.vendoring.target import PythonTarget


PYLOCK, UV_LOCK = "pylock.toml", "uv.lock"
_NAMED_PYLOCK = re.compile(r"pylock\.[^.]+\.toml")


class ResolutionRules(NamedTuple):
    """The requirements, the origins of their distributions, and the allowed versions.

    ``lock`` is a lock of another tool; if there is one, it decides all versions.
    """

    requirements: Requirements
    origins: Origins
    settings: InstallerSettings
    lock: ProjectLock | None
    workspace: UvWorkspace | None

    @property
    def roots(self) -> Roots:
        """The starting points for walking the requirements of the wheels."""
        return Roots(self.requirements.texts, self.requirements.own, self.settings.overrides)

    def origins_on(self, targets: Iterable[PythonTarget]) -> dict[str, Origin]:
        """Return the origins that apply on at least one of the targets, by name."""
        found: dict[str, Origin] = {}
        for target in targets:
            found.update(self.origins.on(target, self.requirements.extras))
        own = self.requirements.own
        if own is not None:
            found.pop(own.name, None)
        return found

    def private_on(self, targets: Iterable[PythonTarget]) -> dict[str, Origin]:
        """Return the origins that no lock of the project can replace."""
        found = self.origins_on(targets)
        if self.lock is None:
            return found
        return {name: one for name, one in found.items() if one.kind not in LOCKABLE}

    def inputs(self, names: Collection[str], targets: Iterable[PythonTarget]) -> tuple[str, ...]:
        """Return the inputs of our lock for the distributions ``names``."""
        found = {one.text for name, one in self.origins_on(targets).items() if name in names}
        found.update(self.requirements.texts)
        if self.lock is not None:
            found.add(f"versions of {self.lock.place}")
        else:
            found |= {f"constraint {one}" for one in self.settings.constraints}
            found |= {f"override {one}" for one in self.settings.overrides}
            found |= {one.removeprefix("--") for one in self.settings.options}
        return tuple(sorted(found))


def read_rules(project: Project, requirements: Requirements) -> ResolutionRules:
    """Return the rules of the project, or raise ``Refused`` for unreadable ones."""
    workspace = read_workspace(project.root)
    origins, settings = read_origins(workspace, requirements.direct), read_settings(workspace)
    return ResolutionRules(
        requirements,
        origins._replace(indexes=(*requirements.indexes, *origins.indexes)),
        settings._replace(constraints=(*settings.constraints, *requirements.constraints)),
        _project_lock(project.root, workspace, requirements),
        workspace,
    )


def _project_lock(
    root: str, workspace: UvWorkspace | None, requirements: Requirements
) -> ProjectLock | None:
    """Return the lock that decides, None if there is none.

    `uv.lock` lies beside the root of the workspace. Raises ``Refused`` for an unreadable one:
    another choice would be a surprise.
    """
    name = _pylock_name(root)
    if name is not None:
        from cloacina_ctl.vendoring.locks.pylock import Pylock

        return Pylock(root, name, requirements.extras)
    base = workspace.root.folder if workspace is not None else root
    path = os.path.join(base, UV_LOCK)
    if workspace is not None and os.path.lexists(path) and requirements.own is not None:
        from cloacina_ctl.vendoring.locks.uv_lock import UvLock

        return UvLock(path, os.path.relpath(path, workspace.own.folder), workspace, requirements)
    return None


def _pylock_name(root: str) -> str | None:
    """Return the unnamed lock, else the only named one; the one with our name is our own."""
    names = os.listdir(root)
    if PYLOCK in names:
        return PYLOCK
    named = sorted(one for one in names if _NAMED_PYLOCK.fullmatch(one) and one != VENDOR_LOCK)
    if len(named) > 1:
        raise Refused.of(
            Code.PROJECT_LOCK,
            f"{len(named)} locks, and none for the project as a whole: {', '.join(named)}",
            hint=f"name the one that decides {PYLOCK}",
        )
    return named[0] if named else None
