"""A registry with many packages, and how long it takes to find one in it."""

from __future__ import annotations

import os
import statistics
import time

from cloacina_ctl.registry import records
from cloacina_ctl.registry.layout import PACKAGES
from cloacina_ctl.registry.places import entered, make_folder, opened
from cloacina_ctl.registry.records import NameRecord, Stored, Trust
from cloacina_ctl.registry.store import Registry

TENANT = "public"
VERSIONS = 4


def filled(folder: str, count: int) -> str:
    """Make a registry whose records say that ``count`` packages are there."""
    if os.path.isdir(folder):
        return folder
    registry = Registry(folder)
    registry.prepare()
    with opened(registry.folder, PACKAGES) as packages:
        for number in range(count // VERSIONS):
            name = f"package-{number}"
            versions = tuple(_made_up(name, f"1.{minor}.0") for minor in range(VERSIONS))
            record = NameRecord(TENANT, name, versions, tuple(one.version for one in versions))
            make_folder(packages, record.folder)
            with entered(packages, record.folder) as held:
                records.write(record, held, registry.folder)
    return folder


def lookup_seconds(folder: str, count: int, times: int = 200) -> float:
    """Return how long it takes to find a package in the registry; the median of some."""
    taken = []
    for number in range(times):
        name = f"package-{number * 7919 % (count // VERSIONS)}"
        start = time.perf_counter()
        Registry(folder).find(TENANT, name)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _made_up(name: str, version: str) -> Stored:
    digest = os.urandom(32).hex()
    signature = {"keyid": "ab" * 32, "status": "trusted", "name": "default"}
    return Stored(
        tenant=TENANT, name=name, version=version, format="native", digest=digest, size=4096,
        content=f"sha256:{digest}", sidecar=None, installed_at="2026-11-20T08:00:00Z",
        trust=Trust(verified_at="2026-11-20T08:00:00Z", trusted_signers=("ab" * 32,),
                    signatures=(signature,)),
    )  # fmt: skip
