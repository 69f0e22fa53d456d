"""Checking and repairing a registry.

``check`` reads every record and every stored byte. ``repair`` cleans up after killed runs, makes
missing folders, and sets damaged records aside: the packages beside them can be installed again. A
package whose bytes are lost must be installed from elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from typing import TYPE_CHECKING

from cloacina_ctl.errors import CloacinaError, Code, Diagnostic, Refused, Severity
from cloacina_ctl.files.staging import reported
from cloacina_ctl.registry import records
from cloacina_ctl.registry.files import digest_of
from cloacina_ctl.registry.layout import LOCK, PACKAGES, RECORD, SET_ASIDE, file_digest
from cloacina_ctl.registry.places import names_in, opened
from cloacina_ctl.registry.store import Registry
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.files.locks import Waits
    from cloacina_ctl.progress import StageProgress
    from cloacina_ctl.registry.records import NameRecord, Stored


class RegistryCheck(NamedTuple):
    """The result of a check; ``packages`` and ``size`` (in bytes) count what was read."""

    packages: int
    size: int
    findings: tuple[Diagnostic, ...]


def check(folder: str, progress: StageProgress | None = None) -> RegistryCheck:
    """Read all of the registry in ``folder`` and return its problems.

    Raises ``FileProblem`` where the system refuses to read it, and ``Refused`` for a record of a
    newer version. A damaged record is a finding.
    """
    registry = Registry(folder)
    packages, mode = registry.path(), None
    with reported(packages), contextlib.suppress(FileNotFoundError):
        mode = os.lstat(packages).st_mode
    if mode is None or not stat.S_ISDIR(mode):
        return RegistryCheck(packages=0, size=0, findings=tuple(_check_folder(registry, packages)))
    findings: list[Diagnostic] = []
    stored: list[Stored] = []
    damaged: set[str] = set()
    for path in registry.record_paths():
        record, damage = _read(path)
        stored += record.versions if record is not None else ()
        findings += damage
        damaged |= {os.path.dirname(path)} if damage else set()
    owners = {registry.path(one.folder, file): one for one in stored for file in one.files}
    sizes = {registry.package_path(one): one.size for one in stored}
    total, done = sum(sizes.values()), 0
    for path, owner in owners.items():
        found, size = _check_file(path, owner)
        findings += found
        done += size
        if progress:
            progress(done, max(total, done))
    findings += _strays(packages, {*owners, *registry.record_paths()}, damaged)
    return RegistryCheck(packages=len(sizes), size=done, findings=tuple(findings))


def repair(
    folder: str,
    *,
    busy_seconds: float | None = None,
    waits: Waits = contextlib.nullcontext,
) -> tuple[str, ...]:
    """Repair the registry as far as possible, and return the repairs in words.

    No other process changes anything meanwhile. Raises ``FileProblem`` where another one holds the
    registry, or the system refuses to write.
    """
    if not os.path.isdir(folder):
        return ()
    registry = Registry(folder, busy_seconds=busy_seconds, waits=waits)
    with registry.locked() as pending:
        left = pending.cleared
        done = [f"removed what runs that ended early left: {left}"] if left else []
        damaged = [path for path in registry.record_paths() if _read(path)[1]]
        done += [f"set a damaged record aside: {_set_aside(registry, path)}" for path in damaged]
    return tuple(done)


def _read(path: str) -> tuple[NameRecord | None, tuple[Diagnostic, ...]]:
    """Return the record at ``path``, or the findings for a damaged one."""
    try:
        return records.read(path), ()
    except Refused as error:
        if error.diagnostics[0].code is not Code.REGISTRY_DAMAGED:
            raise
        return None, error.diagnostics


def _check_folder(registry: Registry, path: str) -> Iterator[Diagnostic]:
    """Yield a finding where the folder of the packages is missing or is no folder."""
    is_taken = os.path.lexists(path)
    if is_taken or os.path.lexists(os.path.join(registry.folder, LOCK)):
        yield Diagnostic(
            Code.REGISTRY_FOLDER,
            "it is not a folder, and the registry needs one there" if is_taken
            else "this folder of the registry is gone",
            path,
            ("move it away, then " if is_taken else "")
            + "`cloacina-ctl list --check --repair` makes it again",
        )  # fmt: skip


def _check_file(path: str, owner: Stored) -> tuple[list[Diagnostic], int]:
    """Return the findings for a stored file, and how many bytes were read of it."""
    try:
        found, size = digest_of(path)
    except CloacinaError as error:
        return [_damaged(error.diagnostics[0].message, path, owner)], 0
    if found == file_digest(os.path.basename(path)):
        return [], size
    return [_damaged("its bytes are not those that were installed", path, owner)], size


def _damaged(what: str, path: str, owner: Stored) -> Diagnostic:
    named = f"{owner.name} {owner.version}"
    return Diagnostic(
        Code.STORED_DAMAGED,
        f"{named} for tenant {owner.tenant}: {what}",
        path,
        f"install {named} again from where it came, or uninstall it",
    )


def _strays(packages: str, known: set[str], damaged: set[str]) -> Iterator[Diagnostic]:
    """Yield a note for each file that is in no record, except beside a damaged record."""
    for above in (os.path.join(packages, name) for name in names_in(packages)):
        is_folder = os.path.isdir(above)
        files = [os.path.join(above, name) for name in names_in(above)] if is_folder else [above]
        for path in files if above not in damaged else ():
            if path not in known and SET_ASIDE not in path:
                yield _stray(path)


def _stray(path: str) -> Diagnostic:
    return Diagnostic(
        Code.STRAY_STORED,
        "no version in the registry has this file",
        path,
        "install it with `cloacina-ctl install`, or remove it",
        Severity.WARNING,
    )


def _set_aside(registry: Registry, path: str) -> str:
    """Rename a damaged record so that it is not read any more; return its new path."""
    above, name = os.path.split(path)
    when = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    kept = name.removesuffix(RECORD) + f"{SET_ASIDE}{when}-{os.urandom(2).hex()}"
    with opened(registry.folder, PACKAGES, os.path.basename(above)) as folder, reported(path):
        folder.rename(name, kept)
        folder.sync()
        return folder.where(kept)
