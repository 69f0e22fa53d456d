"""``rollback``: the version that was active before is so again, in one step."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from cloacina_ctl.operations.installation.lookup import DEFAULT_TENANT, registry_at
from cloacina_ctl.registry.layout import check_tenant
from cloacina_ctl.registry.store import Registry
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.files.locks import Waits

__all__ = ["RolledBack", "rollback"]


class RolledBack(NamedTuple):
    """The active version before and now; ``changed`` is false where they are the same."""

    registry: str
    tenant: str
    name: str
    before: str | None
    active: str
    changed: bool


def rollback(
    name: str,
    to: str | None = None,
    *,
    tenant: str = DEFAULT_TENANT,
    registry: str | None = None,
    waits: Waits = contextlib.nullcontext,
) -> RolledBack:
    """Make the version active that was so before, or the installed version ``to``.

    Nothing is removed. Raises ``FileProblem`` where the package or version is not installed, and
    ``Refused`` where no other version was active before.
    """
    folder = registry_at(registry)
    change = Registry(folder, waits=waits).roll_back(check_tenant(tenant), name, to)
    return RolledBack(
        registry=folder,
        tenant=tenant,
        name=name,
        before=change.before,
        active=change.after or "",
        changed=change.changed,
    )
