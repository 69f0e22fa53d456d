"""What auditwheel says. Runs in an environment that has it, and not this project.

Takes the folders of unpacked wheels, and writes one JSON object for each ELF file: its path, the C
library, the policy for the versions that it needs, and the needed libraries that this policy does
not allow and that are not in the wheel. Before them one object with the policies themselves.
"""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import auditwheel.policy
from auditwheel.elfutils import elf_file_filter, elf_find_versioned_symbols
from auditwheel.lddtree import ldd
from auditwheel.libc import Libc
from auditwheel.policy import WheelPolicies

logging.disable(logging.CRITICAL)
NO_PATHS = {"conf": [], "env": [], "interp": []}


def needed_versions(path, elf):
    """Return the versions that an ELF file needs, by the files that have them."""
    versions = {}
    with path.open("rb") as file:
        elf.stream = file
        for name, version in elf_find_versioned_symbols(elf):
            versions.setdefault(name, set()).add(version)
    return versions


def judge(wheel):
    """Yield what is said of each ELF file of the wheel unpacked in ``wheel``."""
    names = {path.name for path in wheel.rglob("*")}
    files = sorted(path for path in wheel.rglob("*") if path.is_file())
    trees = {
        path: (ldd(path, ldpaths=NO_PATHS), needed_versions(path, elf))
        for path, elf in elf_file_filter(files)
    }
    # A library that needs no C library is judged as the others of its wheel are.
    libcs = [tree.libc for tree, _ in trees.values() if tree.libc is not None]
    for path, (tree, versions) in trees.items():
        said = {"path": str(path), "libc": tree.libc.value if tree.libc else None}
        libc = tree.libc or (libcs[0] if libcs else Libc.GLIBC)
        policies = WheelPolicies(
            libc=libc,
            arch=tree.platform.baseline_architecture,
            musl_policy="musllinux_1_2" if libc is Libc.MUSL else None,
        )
        policy = policies.versioned_symbols_policy(versions)
        external = policies.lddtree_external_references(tree, wheel)[policies.highest.name].libs
        yield {**said, "policy": policy.name, "external": sorted(set(external) - names)}


def tables():
    """Return the policies: versions by machine and family, and the libraries that are allowed."""
    folder = Path(auditwheel.policy.__file__).parent
    found = {}
    for family in ("manylinux", "musllinux"):
        policies = json.loads((folder / f"{family}-policy.json").read_text())
        found[family] = {one["name"]: one["symbol_versions"] for one in policies if one["priority"]}
        found[f"{family}_allowed"] = sorted(
            {lib for one in policies for lib in one["lib_whitelist"]}
        )
    return found


def main(folders):
    """Write everything, one object a line."""
    for said in (tables(), *(said for folder in folders for said in judge(Path(folder)))):
        sys.stdout.write(json.dumps(said) + "\n")


main(sys.argv[1:])
