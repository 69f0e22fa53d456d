"""``list``: what is in the local registry, and whether all of it is whole."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Severity
from cloacina_ctl.operations.installation.lookup import InstalledPackage, registry_at, shown
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.registry.layout import check_tenant
from cloacina_ctl.registry.store import Registry
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.files.locks import Waits

__all__ = ["Checkup", "Listing", "check_registry", "list_installed"]


class Listing(NamedTuple):
    """What is installed, in the order of tenants and names; of a name as the versions came."""

    registry: str
    packages: tuple[InstalledPackage, ...]


class Checkup(NamedTuple):
    """What a check of all stored bytes found; ``size`` is what was read, in bytes.

    ``repaired`` says in words what was made whole first.
    """

    registry: str
    packages: int
    size: int
    findings: tuple[Diagnostic, ...]
    repaired: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong; what is only odd does not count."""
        return all(found.severity is not Severity.ERROR for found in self.findings)

    @property
    def is_readable(self) -> bool:
        """Whether what is installed can be listed."""
        unreadable = (Code.REGISTRY_DAMAGED, Code.REGISTRY_FOLDER)
        return all(found.code not in unreadable for found in self.findings)


def list_installed(
    name: str | None = None, *, tenant: str | None = None, registry: str | None = None
) -> Listing:
    """Return what is installed: of one name or tenant, or all.

    A registry that is not there has nothing in it; neither has a name that is not there. Raises
    ``Refused`` where a record is damaged.
    """
    folder = registry_at(registry)
    if tenant is not None:
        check_tenant(tenant)
    opened = Registry(folder)
    packages = (
        shown(opened, one, active=one.version == record.active)
        for record in opened.records(tenant, name)
        for one in record.versions
    )
    return Listing(registry=folder, packages=tuple(packages))


def check_registry(
    registry: str | None = None,
    *,
    repair: bool = False,
    progress: Progress | None = None,
    waits: Waits = contextlib.nullcontext,
) -> Checkup:
    """Read every record and every stored byte, and return what is wrong.

    With ``repair`` what can be made whole is so first. Raises ``FileProblem`` where the registry
    cannot be read, or written where that is asked for.
    """
    from cloacina_ctl.registry import repair as registry_repair

    folder = registry_at(registry)
    repaired = registry_repair.repair(folder, waits=waits) if repair else ()
    checked = registry_repair.check(folder, stage(progress, "checking"))
    return Checkup(
        registry=folder,
        packages=checked.packages,
        size=checked.size,
        findings=checked.findings,
        repaired=repaired,
    )
