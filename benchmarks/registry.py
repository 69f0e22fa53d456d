"""A registry with many packages, and how long it takes to find one in it."""

from __future__ import annotations

import contextlib
import os
import statistics
import time

from cloacina_ctl.registry import queries
from cloacina_ctl.registry.index import connect, transaction
from cloacina_ctl.registry.store import Reading, Registry
from cloacina_ctl.registry.stored import Stored, Trust

TENANT = "public"
VERSIONS = 4


def filled(folder: str, count: int) -> str:
    """Make a registry whose index says that ``count`` packages are there."""
    if os.path.isdir(folder):
        return folder
    with Registry(folder, make=True):
        pass
    with (
        contextlib.closing(connect(folder, writable=True)) as index,
        transaction(index, folder),
    ):
        for number in range(count // VERSIONS):
            versions = [_made_up(f"package-{number}", f"1.{minor}.0") for minor in range(VERSIONS)]
            for one in versions:
                queries.put(index, one)
            turns = [one.version for one in versions]
            queries.set_turns(index, TENANT, versions[0].name, turns)
        queries.clear_unrecorded(index)
    return folder


def lookup_seconds(folder: str, count: int, times: int = 200) -> float:
    """Return how long it takes to open the registry and find a package; the median of some."""
    taken = []
    for number in range(times):
        name = f"package-{number * 7919 % (count // VERSIONS)}"
        start = time.perf_counter()
        with Reading(folder) as registry:
            registry.find(TENANT, name)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _made_up(name: str, version: str) -> Stored:
    digest = os.urandom(32).hex()
    signature = {"keyid": "ab" * 32, "status": "trusted", "name": "default"}
    return Stored(
        tenant=TENANT, name=name, version=version, format="native", digest=digest, size=4096,
        content=f"sha256:{digest}", sidecar=None, installed_at="2026-11-20T08:00:00Z",
        trust=Trust(verified_at="2026-11-20T08:00:00Z", vouched_by=("ab" * 32,),
                    signatures=(signature,)),
    )  # fmt: skip
