"""``uninstall``: a version, or all versions of a name, out of the local registry."""

from __future__ import annotations

from cloacina_ctl.operations.installed import DEFAULT_TENANT, parse_spec, registry_at
from cloacina_ctl.registry.layout import check_tenant
from cloacina_ctl.registry.store import Registry
from cloacina_ctl.values import NamedTuple

__all__ = ["Uninstalled", "uninstall"]


class Uninstalled(NamedTuple):
    """The versions that went, and the one that is active now, if any is left."""

    registry: str
    tenant: str
    name: str
    removed: tuple[str, ...]
    before: str | None
    active: str | None


def uninstall(
    spec: str, *, tenant: str = DEFAULT_TENANT, registry: str | None = None
) -> Uninstalled:
    """Remove ``NAME@VERSION``, or with ``NAME`` all its versions; their bytes go with them.

    Where the active version goes, the one that was active before it is so again. Raises
    ``FileProblem`` where it is not installed.
    """
    name, version = parse_spec(spec)
    folder = registry_at(registry)
    with Registry(folder) as opened:
        change = opened.remove(check_tenant(tenant), name, version)
    return Uninstalled(
        registry=folder,
        tenant=tenant,
        name=name,
        removed=change.removed,
        before=change.before,
        active=change.after,
    )
