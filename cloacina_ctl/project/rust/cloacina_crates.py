"""Finds the Cloacina crates that a crate depends on, and their release: Cargo.toml and Cargo.lock.

The lock decides if the requirement in Cargo.toml accepts its version: otherwise cargo would choose
another one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.releases.ranges import takes_release
from cloacina_ctl.releases.table import release_of_crate
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from cloacina_ctl.project.model import Crate
    from cloacina_ctl.project.rust.cargo_lock import CargoLock, Locked
    from cloacina_ctl.releases.table import Release


# The versions that the macros were measured with.
_VERSIONS = {
    "async-trait": "0.1", "chrono": "0.4", "futures": "0.3", "serde": "1", "serde_json": "1",
    "tokio": "1", "tracing": "0.1",
}  # fmt: skip


class CloacinaCrate(NamedTuple):
    """One of Cloacina's crates that a crate depends on directly.

    ``key`` is its name in the code, ``requirement`` what Cargo.toml asks for, ``version`` what
    Cargo.lock says.
    """

    name: str
    key: str
    requirement: str | None = None
    version: str | None = None

    @property
    def release(self) -> Release | None:
        """The release of Cloacina that it is of, where the files tell."""
        return release_of_crate(self.version or self.requirement)


def cloacina_crates(
    package: Locked, dependencies: Mapping[str, dict[str, Any]], lock: CargoLock
) -> tuple[CloacinaCrate, ...]:
    """Return the direct dependencies that are Cloacina's, by name."""
    own = lock.needs(package)
    found = []
    for key, entry in dependencies.items():
        name = entry.get("package", key)
        if not isinstance(name, str) or not is_ours(name):
            continue
        said = entry.get("version")
        requirement = said if isinstance(said, str) else None
        locked = own.get(name) or (lock.one(name) if requirement is None else None)
        version = locked[1] if locked is not None and _fits(requirement, locked[1]) else None
        found.append(CloacinaCrate(name, key, requirement, version))
    return tuple(sorted(found))


def also_locked(
    package: Locked,
    dependencies: Mapping[str, dict[str, Any]],
    crates: Iterable[CloacinaCrate],
    lock: CargoLock,
) -> tuple[Locked, ...]:
    """Return those of Cloacina's crates that only other dependencies bring, at any depth.

    An outdated lock does not count: cargo will choose other versions.
    """
    direct = {(one.name, one.version) for one in crates}
    own = lock.needs(package)
    if any(one.version is None and one.name in own for one in crates):
        return ()
    named = {str(entry.get("package", key)) for key, entry in dependencies.items()}
    start = [one for name, one in own.items() if name in named]
    return tuple(
        sorted(one for one in lock.reached(start) if is_ours(one[0]) and one not in direct)
    )


def is_ours(name: str) -> bool:
    """Return whether a crate of that name is one of Cloacina's."""
    return name == "cloacina" or name.startswith("cloacina-")


def _fits(requirement: str | None, version: str) -> bool:
    release = release_of_crate(version)
    return requirement is None or release is None or takes_release(requirement, release)


def add_command(name: str, crate: Crate) -> str:
    """Return the command that adds a crate in a version that fits; Cloacina's by its release."""
    version = _VERSIONS.get(name)
    if is_ours(name):
        release = release_of_crate(crate.cloacina_release)
        exact = (crate.cloacina_release or "").startswith("=")
        version = crate.cloacina_release if exact else release.name if release else None
    return f"cargo add {name}@{version}" if version else f"cargo add {name}"


def package_of(name: str) -> str:
    """Return the package whose crate has that name in code."""
    return name if name in _VERSIONS else name.replace("_", "-")
