"""``uninstall``: a version, or all versions of a name, out of the local registry."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.operations.installation.lookup import DEFAULT_TENANT, parse_spec, registry_at
from cloacina_ctl.registry.files import RESERVE_BYTES, free_reserve, keep_reserve
from cloacina_ctl.registry.layout import check_tenant
from cloacina_ctl.registry.store import Registry
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.files.locks import Waits

__all__ = ["Uninstalled", "uninstall"]

_NO_RESERVE = f"a removal needs a little room too: free {RESERVE_BYTES >> 10} KiB elsewhere first"


class Uninstalled(NamedTuple):
    """The versions that went, and the one that is active now, if any is left."""

    registry: str
    tenant: str
    name: str
    removed: tuple[str, ...]
    before: str | None
    active: str | None


def uninstall(
    spec: str,
    *,
    tenant: str = DEFAULT_TENANT,
    registry: str | None = None,
    waits: Waits = contextlib.nullcontext,
) -> Uninstalled:
    """Remove ``NAME@VERSION``, or with ``NAME`` all its versions; their bytes go with them.

    Where the active version goes, the one that was active before it is so again. On a full disk
    the room is used that the registry keeps for this. Raises ``FileProblem`` where it is not
    installed.
    """
    name, version = parse_spec(spec)
    folder = registry_at(registry)
    opened = Registry(folder, waits=waits)
    check_tenant(tenant)
    try:
        change = opened.remove(tenant, name, version)
    except FileProblem as error:
        if error.diagnostics[0].code is not Code.NO_SPACE:
            raise
        if not free_reserve(folder):
            raise FileProblem(error.diagnostics[0]._replace(hint=_NO_RESERVE)) from error
        change = opened.remove(tenant, name, version)  # nothing was changed before
        keep_reserve(folder)
    return Uninstalled(
        registry=folder,
        tenant=tenant,
        name=name,
        removed=change.removed,
        before=change.before,
        active=change.after,
    )
