"""What a project decides of its vendored wheels beside its requirements, read once."""

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
    """The requirements, where their distributions come from, and which versions may be chosen.

    ``lock`` is a lock of another tool; where there is one it decides all versions.
    """

    requirements: Requirements
    origins: Origins
    settings: InstallerSettings
    lock: ProjectLock | None
    workspace: UvWorkspace | None

    @property
    def roots(self) -> Roots:
        """Where the way through the wheels' own requirements begins."""
        return Roots(self.requirements.texts, self.requirements.own, self.settings.overrides)

    def origins_on(self, targets: Iterable[PythonTarget]) -> dict[str, Origin]:
        """Return the origins that count on one of the targets at least, by name."""
        found: dict[str, Origin] = {}
        for target in targets:
            found.update(self.origins.on(target, self.requirements.extras))
        own = self.requirements.own
        if own is not None:
            found.pop(own.name, None)
        return found

    def private_on(self, targets: Iterable[PythonTarget]) -> dict[str, Origin]:
        """Return those of the origins that no lock of the project can stand for."""
        found = self.origins_on(targets)
        if self.lock is None:
            return found
        return {name: one for name, one in found.items() if one.kind not in LOCKABLE}

    def inputs(self, names: Collection[str], targets: Iterable[PythonTarget]) -> tuple[str, ...]:
        """Return what decides, as our lock has it, for one of the distributions ``names``."""
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
    """Return the rules of the project, or raise ``Refused`` for what cannot be read."""
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
    """Return the lock that decides, None where there is none.

    `uv.lock` lies beside the root of the workspace. Raises ``Refused`` for one that cannot be
    read: another choice would be a surprise.
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
    """Return the one for all, else the only one with a name; the one of our name is our own."""
    names = os.listdir(root)
    if PYLOCK in names:
        return PYLOCK
    named = sorted(one for one in names if _NAMED_PYLOCK.fullmatch(one) and one != VENDOR_LOCK)
    if len(named) > 1:
        raise Refused.of(
            Code.PROJECT_LOCK,
            f"{len(named)} locks, and none that is for the project as a whole: {', '.join(named)}",
            hint=f"name the one that decides {PYLOCK}",
        )
    return named[0] if named else None
