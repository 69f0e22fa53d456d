"""The local registry: packages side by side, with one active version of each name.

Invariants, even after a kill: a version in a record has its file, whole; each name with versions
has exactly one active; a change is complete or absent. So a change (1) runs alone, and first
records the folder of its name; (2) gives the new files their names there; (3) replaces the record,
which is the step that commits; (4) removes the files that no version has any more. After a killed
run, the next change does (4) for it.

Readers take no lock: they see a record before a change or after it.
"""

from __future__ import annotations

import contextlib
import os
from itertools import islice
from typing import TYPE_CHECKING

from cloacina_ctl.errors import CloacinaError, Code, FileProblem
from cloacina_ctl.files.leftovers import remove_dead
from cloacina_ctl.files.staging import reported
from cloacina_ctl.registry import history, records
from cloacina_ctl.registry.files import hold_lock, is_whole, keep_reserve, staged
from cloacina_ctl.registry.layout import (
    INCOMING,
    PACKAGES,
    RECORD,
    SET_ASIDE,
    file_digest,
    is_digest,
    name_folder,
    package_file,
    record_file,
    sidecar_file,
)
from cloacina_ctl.registry.places import entered, make_folder, make_layout, names_in, opened
from cloacina_ctl.registry.records import NameRecord
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cloacina_ctl.files.locks import Waits
    from cloacina_ctl.registry.files import IncomingFile, Pending
    from cloacina_ctl.registry.records import Stored


_MOST_READ_FOR_A_HINT = 1000


class Activation(NamedTuple):
    """The effect of a change on one name: the active version before it and after it.

    ``removed`` are the removed versions; ``changed`` is false where nothing had to be changed.
    With ``repaired`` its damaged file was replaced by a whole one.
    """

    before: str | None
    after: str | None
    removed: tuple[str, ...] = ()
    changed: bool = True
    repaired: bool = False


class Registry:
    """The registry in a folder; a missing one has no packages.

    ``waits`` is entered while another program holds it, at most ``busy_seconds`` (None: ten).
    Raises ``Refused`` for a record that is damaged or of a newer version, ``FileProblem`` where the
    system refuses to read or write.
    """

    def __init__(
        self,
        folder: str,
        *,
        busy_seconds: float | None = None,
        waits: Waits = contextlib.nullcontext,
    ) -> None:
        self.folder = os.path.abspath(folder)
        self._busy_seconds = busy_seconds
        self._waits = waits

    def find(self, tenant: str, name: str, version: str | None = None) -> Stored:
        """Return that version, or the active one; raises ``FileProblem`` where there is none."""
        found = self._record(tenant, name).find(version)
        if found is None:
            raise self._not_installed(tenant, name, version)
        return found

    def record(self, tenant: str, name: str) -> NameRecord:
        """Return all versions of a name and which were active; raises as ``find`` does."""
        found = self._record(tenant, name)
        if not found.versions:
            raise self._not_installed(tenant, name, None)
        return found

    def records(self, tenant: str | None = None, name: str | None = None) -> list[NameRecord]:
        """Return the records of one tenant or name or all, in the order of tenants and names."""
        found = map(records.read, self.record_paths(tenant, name))
        return sorted(one for one in found if one is not None)

    def record_paths(self, tenant: str | None = None, name: str | None = None) -> Iterator[str]:
        """Yield the paths of the records of one tenant or name or all; they need not exist."""
        folders = filter(is_digest, names_in(self.path())) if name is None else [name_folder(name)]
        for folder in folders:
            if tenant is not None:
                yield self.path(folder, record_file(tenant))
                continue
            files = names_in(self.path(folder), NotADirectoryError)
            yield from (self.path(folder, file) for file in files if file.endswith(RECORD))

    def path(self, *names: str) -> str:
        """Return the path of ``packages``, of the folder of a name, or of a file in it."""
        return os.path.join(self.folder, PACKAGES, *names)

    def package_path(self, stored: Stored) -> str:
        """Return the path of the package's file."""
        return self.path(stored.folder, package_file(stored.digest))

    def sidecar_path(self, stored: Stored) -> str | None:
        """Return the path of the stored sidecar of the package, if it has one."""
        if stored.sidecar is None:
            return None
        return self.path(stored.folder, sidecar_file(stored.sidecar))

    def deciding_paths(self, stored: Stored) -> list[str]:
        """Return all paths whose writers could have changed what the registry says of a version."""
        above = [self.folder, os.path.join(self.folder, INCOMING), self.path()]
        files = (record_file(stored.tenant), *stored.files)
        return [*above, self.path(stored.folder), *(self.path(stored.folder, one) for one in files)]

    def prepare(self) -> None:
        """Make the registry where it is missing, and clean up after killed runs."""
        with self.locked():
            pass

    def incoming(self) -> contextlib.AbstractContextManager[IncomingFile]:
        """Return a file to write a package or a sidecar to; ``prepare`` comes first."""
        return staged(self.folder)

    def add(
        self,
        stored: Stored,
        package: IncomingFile,
        sidecar: IncomingFile | None,
        *,
        replace: bool = False,
    ) -> Activation:
        """Add a package and activate its version, in one step.

        Another package of its name and version is replaced where it has the same content, for
        example with a new signature, or with ``replace``; else ``FileProblem`` is raised.
        """
        came = {package_file(stored.digest): package}
        if sidecar is not None:
            came[sidecar_file(str(sidecar.digest))] = sidecar
        for file in came.values():
            file.flush()
        lacks = not all(self._is_whole(stored, name) for name in stored.files)
        with self.locked() as pending:
            before = self._record(stored.tenant, stored.name)
            there = before.find(stored.version)
            if there is not None:
                self._check_same(there, stored, replace=replace)
                stored = stored._replace(installed_at=there.installed_at)
            versions = {one.version: one for one in before.versions} | {stored.version: stored}
            after = before._replace(
                versions=tuple(versions.values()),
                activations=history.activate(before.activations, stored.version),
            )
            self._commit(pending, before, after, came)
        keep_reserve(self.folder)
        is_same = there is not None and there.files == stored.files
        repaired = is_same and lacks
        return Activation(
            before=before.active,
            after=stored.version,
            changed=repaired or not (is_same and before.active == stored.version),
            repaired=repaired,
        )

    def roll_back(self, tenant: str, name: str, to: str | None = None) -> Activation:
        """Activate the version that was active before, or the version ``to``."""
        self.record(tenant, name)  # raises first
        with self.locked() as pending:
            before = self.record(tenant, name)
            where = f"{self.folder}: {name}"
            activations = history.roll_back(before.activations, before.installed, to, where)
            if activations != before.activations:
                self._commit(pending, before, before._replace(activations=activations))
        return Activation(
            before=before.active,
            after=activations[-1],
            changed=activations != before.activations,
        )

    def remove(self, tenant: str, name: str, version: str | None = None) -> Activation:
        """Remove a version, or all of a name; raises ``FileProblem`` where there is none.

        Where the active version is removed, the one that was active before it becomes active.
        """
        self.record(tenant, name)  # raises first
        with self.locked() as pending:
            before = self.record(tenant, name)
            left = tuple(one for one in before.versions if version not in (None, one.version))
            if left == before.versions:
                raise self._not_installed(tenant, name, version)
            after = before._replace(versions=left)
            activations = history.remaining(before.activations, after.installed)
            self._commit(pending, before, after._replace(activations=activations))
        return Activation(
            before=before.active,
            after=activations[-1] if activations else None,
            removed=tuple(one for one in before.installed if one not in after.installed),
        )

    @contextlib.contextmanager
    def locked(self) -> Iterator[Pending]:
        """Lock the registry, made where it is missing, and clean up after killed runs first."""
        make_layout(self.folder)
        with hold_lock(self.folder, self._busy_seconds, self._waits) as pending:
            with opened(self.folder, INCOMING) as incoming:
                pending.cleared = remove_dead(incoming.fd)
            if pending.folder is not None:
                with contextlib.suppress(CloacinaError):  # it stays, as a stray file
                    pending.cleared += self._clear(pending.folder)
                    pending.end()
            yield pending

    def _commit(
        self,
        pending: Pending,
        before: NameRecord,
        after: NameRecord,
        came: Mapping[str, IncomingFile] = {},
    ) -> None:
        """Replace the record by ``after`` and place the new files, in one step."""
        name = after.folder
        pending.begin(name)
        try:
            with opened(self.folder, PACKAGES) as packages:
                make_folder(packages, name)
                with entered(packages, name) as folder:
                    for file, incoming in came.items():
                        incoming.place(folder, file)
                    records.write(after, folder, self.folder)
        finally:
            # The change is committed or not by now; the next change removes what is left.
            with contextlib.suppress(CloacinaError):
                self._clear(name, before.files.union(came))
                pending.end()

    def _clear(self, name: str, files: Iterable[str] | None = None) -> int:
        """Remove those of ``files`` that no version in the folder has; return their number.

        By default all files, but none where a record was set aside: its packages may be needed.
        """
        with opened(self.folder, PACKAGES) as packages:
            if packages.look(name) is None:
                return 0
            with entered(packages, name) as folder, reported(folder.path):
                names = folder.names()
                if files is None:
                    files = () if any(SET_ASIDE in one for one in names) else names
                unneeded = {one for one in files if file_digest(one) is not None}
                for one in names:
                    if one.endswith(RECORD) and (record := records.read(folder.where(one))):
                        unneeded -= record.files
                count = sum(map(folder.unlink, unneeded))
            packages.remove_folder(name)
            return count

    def _record(self, tenant: str, name: str) -> NameRecord:
        found = records.read(self.path(name_folder(name), record_file(tenant)))
        return NameRecord(tenant, name) if found is None else found

    def _is_whole(self, stored: Stored, file: str) -> bool:
        with contextlib.suppress(FileProblem):
            return is_whole(self.path(stored.folder, file), file_digest(file))
        return False

    def _check_same(self, there: Stored, stored: Stored, *, replace: bool) -> None:
        if replace or there.content == stored.content:
            return
        raise FileProblem.of(
            Code.OTHER_BYTES,
            f"{there.name} {there.version} is installed with other content: {there.content}",
            where=self.folder,
            hint="give the package a new version, uninstall that one, or use --force",
        )

    def _not_installed(self, tenant: str, name: str, version: str | None) -> FileProblem:
        installed = self._record(tenant, name).installed
        what = name if version is None else f"{name}@{version}"
        hint = f"installed: {', '.join(installed)}" if installed else self._near(tenant, name)
        return FileProblem.of(
            Code.NOT_INSTALLED, f"not installed: {what}", where=self.folder, hint=hint
        )

    def _near(self, tenant: str, name: str) -> str:
        """Return a hint with similar names, found without reading everything."""
        from difflib import get_close_matches

        names: list[str] = []
        with contextlib.suppress(CloacinaError):  # a hint does not need damaged records
            elsewhere = self.records(None, name)
            if elsewhere:
                return f"it is for another tenant: --tenant {elsewhere[0].tenant}"
            some = map(records.read, islice(self.record_paths(tenant), _MOST_READ_FOR_A_HINT))
            names += [one.name for one in some if one is not None]
        near = get_close_matches(name, names, n=1)
        return f"did you mean {near[0]}?" if near else "`cloacina-ctl list` shows all packages"
