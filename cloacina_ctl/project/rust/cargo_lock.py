"""Reads the versions in a Cargo.lock line by line, since a TOML parser takes far longer.

Nothing is refused here: a lock that cargo would refuse counts as empty.
"""

from __future__ import annotations

from cloacina_ctl.values import NamedTuple

MAX_LOCK = 16 << 20

Locked = tuple[str, str]


class CargoLock(NamedTuple):
    """Each package of a lock file, by name and version, and the lines of those it depends on.

    ``versions`` are those of each name.
    """

    packages: dict[Locked, tuple[str, ...]] = {}  # noqa: RUF012 - never changed
    versions: dict[str, tuple[str, ...]] = {}  # noqa: RUF012

    def needs(self, package: Locked) -> dict[str, Locked]:
        """Return the dependencies of a package, by name; the first of two versions of a name."""
        found: dict[str, Locked] = {}
        for line in self.packages.get(package, ()):
            name, version = (*line.split(), "")[:2]
            known = self.versions.get(name, ())
            chosen = version if version in known else known[0] if known else None
            if chosen is not None:
                found.setdefault(name, (name, chosen))
        return found

    def one(self, name: str) -> Locked | None:
        """Return the package of that name, if there is exactly one."""
        known = self.versions.get(name, ())
        return (name, known[0]) if len(known) == 1 else None

    def reached(self, start: list[Locked]) -> set[Locked]:
        """Return the packages in ``start`` and all their dependencies."""
        left, found = list(start), set(start)
        while left:
            new = set(self.needs(left.pop()).values()) - found
            found |= new
            left += new
        return found


def read_lock(text: str) -> CargoLock:
    """Return the packages of a Cargo.lock that cargo wrote."""
    packages: dict[Locked, tuple[str, ...]] = {}
    versions: dict[str, tuple[str, ...]] = {}
    for block in text.split("[[package]]")[1:]:
        facts = dict(line.split(" = ", 1) for line in block.splitlines() if " = " in line)
        name, version = (facts.get(key, "").strip('"') for key in ("name", "version"))
        inside = block.partition("dependencies = [")[2].partition("]")[0]
        needs = tuple(line.strip(' ",') for line in inside.splitlines() if line.strip(' ",'))
        packages[name, version] = needs
        versions[name] = (*versions.get(name, ()), version)
    return CargoLock(packages, versions)
