"""The local registry: packages side by side, of each name one active version.

What holds at any moment, also after a kill: a version in the index has its file, whole; each name
with versions has exactly one active; a change is there or not. So (1) files that may turn out to be
nobody's are noted in the index before they come; (2) one transaction gives the file its name and
says so in the index; (3) what nobody needs any more goes, and the record follows. Who comes next
finishes what a killed run left of (3), or takes back what it left of (1).
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem
from cloacina_ctl.files.folders import allow_owner, hidden_name
from cloacina_ctl.files.staging import reported
from cloacina_ctl.registry import history as turns
from cloacina_ctl.registry import queries, records
from cloacina_ctl.registry.files import (
    Incoming,
    clear_incoming,
    is_whole,
    keep_reserve,
    open_lock,
    remove_file,
    stored_files,
)
from cloacina_ctl.registry.index import BUSY_SECONDS, connect, create, damaged, told, transaction
from cloacina_ctl.registry.layout import (
    FOLDERS,
    INCOMING,
    INDEX,
    PACKAGES,
    RECORDS,
    SIDECARS,
    record_digest,
    stored_path,
)
from cloacina_ctl.registry.places import entered, make_layout, opened
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from cloacina_ctl.files.locks import Waits
    from cloacina_ctl.registry.stored import History, Shown, Stored


_BESIDE = ("-wal", "-shm", "-journal")  # what SQLite makes beside an index


class Change(NamedTuple):
    """What a change did to one name: the active version before it and after it.

    ``removed`` are the versions that went; ``changed`` is false where all was so already. With
    ``mended`` its file was there, damaged, and is whole again.
    """

    tenant: str
    name: str
    before: str | None
    after: str | None
    removed: tuple[str, ...] = ()
    changed: bool = True
    mended: bool = False


class Reading:
    """A registry that is asked, and not changed. Use it as a context manager.

    A folder that is not there is a registry without packages. Raises ``Refused`` where the index
    is damaged or missing, ``FileProblem`` where the system does not let us read it.
    """

    writable = False

    def __init__(
        self,
        folder: str,
        *,
        busy_seconds: float = BUSY_SECONDS,
        waits: Waits = contextlib.nullcontext,
    ) -> None:
        self._waits = waits
        self.folder = os.path.abspath(folder)
        self.where = os.path.join(self.folder, INDEX)
        self._busy_seconds = busy_seconds
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            self._open(opened)
            self._stack = opened.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _open(self, opened: contextlib.ExitStack) -> None:
        self._is_there = os.path.lexists(self.where)
        if self._is_there:
            self._connect(opened)
        else:
            refuse_lost_index(self.folder)

    def _connect(self, opened: contextlib.ExitStack) -> None:
        self._index = connect(
            self.folder,
            writable=self.writable,
            busy_seconds=self._busy_seconds,
            waits=self._waits,
        )
        opened.callback(self._index.close)

    def find(self, tenant: str, name: str, version: str | None = None) -> Stored:
        """Return that version, or the active one; raises ``FileProblem`` where there is none."""
        found = None
        if self._is_there and _can_be(tenant, name, version or ""):
            with told(self.where):
                found = queries.find(self._index, tenant, name, version)
        if found is None:
            raise self._not_installed(tenant, name, version)
        return found

    def history(self, tenant: str, name: str) -> History:
        """Return all versions of a name and their turns; raises as ``find`` does."""
        found = None
        if self._is_there and _can_be(tenant, name):
            with told(self.where):
                found = queries.history(self._index, tenant, name)
        if found is None or not found.versions:
            raise self._not_installed(tenant, name, None)
        return found

    def listed(self, tenant: str | None = None, name: str | None = None) -> tuple[Shown, ...]:
        """Return what is installed, of one tenant or name or all."""
        if not self._is_there or not _can_be(tenant or "", name or ""):
            return ()
        with told(self.where):
            return tuple(queries.listed(self._index, tenant, name))

    def package_path(self, stored: Stored) -> str:
        """Return the path of the package's file."""
        return os.path.join(self.folder, stored_path(PACKAGES, stored.digest))

    def sidecar_path(self, stored: Stored) -> str | None:
        """Return the path of the signature that lay beside the package, if there was one."""
        if stored.sidecar is None:
            return None
        return os.path.join(self.folder, stored_path(SIDECARS, stored.sidecar))

    def _not_installed(self, tenant: str, name: str, version: str | None) -> FileProblem:
        installed: list[str] = []
        names: list[tuple[str, str]] = []
        if self._is_there and _can_be(tenant, name):
            with told(self.where):
                installed = [
                    one.version for one in queries.history(self._index, tenant, name).versions
                ]
                names = queries.names(self._index)
        what = name if version is None else f"{name}@{version}"
        hint = f"installed: {', '.join(installed)}" if installed else _near(tenant, name, names)
        return FileProblem.of(
            Code.NOT_INSTALLED, f"not installed: {what}", where=self.folder, hint=hint
        )


class Registry(Reading):
    """A registry that is changed. Use it as a context manager.

    Where it is not there it is made with ``make``, and without that has no packages.
    """

    writable = True

    def __init__(
        self,
        folder: str,
        *,
        make: bool = False,
        busy_seconds: float = BUSY_SECONDS,
        waits: Waits = contextlib.nullcontext,
    ) -> None:
        super().__init__(folder, busy_seconds=busy_seconds, waits=waits)
        self._make = make

    def _open(self, opened: contextlib.ExitStack) -> None:
        self._is_there = os.path.lexists(self.where)
        if not self._is_there and not self._make:
            refuse_lost_index(self.folder)
            return
        make_layout(self.folder)
        lock = open_lock(self.folder, self._busy_seconds, self._waits)
        opened.callback(lock.close)
        is_alone = lock.try_alone()
        if not is_alone and not self._is_there:
            lock.hold_alone()
            is_alone = True
        if is_alone:
            make_index(self.folder)
            self._is_there = True
            self._connect(opened)
            self._clear_up()
        lock.hold_shared()
        if not is_alone:
            self._connect(opened)

    def incoming(self) -> Incoming:
        """Return a file to write a package or a sidecar to, for ``add``."""
        return Incoming(self.folder)

    def add(
        self, stored: Stored, package: Incoming, sidecar: Incoming | None, *, replace: bool = False
    ) -> Change:
        """Put a package in and make its version the active one, in one step.

        Another package of its name and version is replaced where it has the same content, as one
        has that was signed again, or where ``replace`` says so; else ``FileProblem`` is raised.
        """
        came = [(PACKAGES, package)] + ([(SIDECARS, sidecar)] if sidecar is not None else [])
        for _, file in came:
            file.flush()
        lacks = any(self._lacks(kind, str(file.digest)) for kind, file in came)
        with self._settled([(kind, str(file.digest)) for kind, file in came]) as owner:
            with self._transaction():
                history = queries.history(self._index, stored.tenant, stored.name)
                there = queries.find(self._index, stored.tenant, stored.name, stored.version)
                if there is not None:
                    self._check_same(there, stored, replace=replace)
                    stored = stored._replace(installed_at=there.installed_at)
                    queries.mark_unsettled(self._index, owner, _files(there))
                for kind, file in came:
                    file.place(kind)
                queries.put(self._index, stored)
                after = turns.activate(history.turns, stored.version)
                queries.set_turns(self._index, stored.tenant, stored.name, after)
            self._follow(stored.tenant, stored.name)
        keep_reserve(self.folder)
        is_same = there is not None and _files(there) == _files(stored)
        mended = is_same and lacks
        return Change(
            tenant=stored.tenant,
            name=stored.name,
            before=history.active,
            after=stored.version,
            changed=mended or not (is_same and history.active == stored.version),
            mended=mended,
        )

    def roll_back(self, tenant: str, name: str, to: str | None = None) -> Change:
        """Make the version active that was so before, or the version ``to``."""
        self.history(tenant, name)
        with self._transaction():
            history = queries.history(self._index, tenant, name)
            installed = [one.version for one in history.versions]
            after = turns.step_back(history.turns, installed, to, f"{self.folder}: {name}")
            if after != history.turns:
                queries.set_turns(self._index, tenant, name, after)
        self._follow(tenant, name)
        return Change(
            tenant=tenant,
            name=name,
            before=history.active,
            after=after[-1],
            changed=after != history.turns,
        )

    def remove(self, tenant: str, name: str, version: str | None = None) -> Change:
        """Remove a version, or all of a name; raises ``FileProblem`` where there is none.

        Where the active version goes, the one that was active before it is so again.
        """
        self.history(tenant, name)
        with self._settled([]) as owner:
            with self._transaction():
                history = queries.history(self._index, tenant, name)
                gone = [one for one in history.versions if version in (None, one.version)]
                if not gone:
                    raise self._not_installed(tenant, name, version)
                left, after = [one.version for one in history.versions], history.turns
                for one in gone:
                    left.remove(one.version)
                    after = turns.without(after, one.version, left)
                    queries.delete(self._index, one)
                    queries.mark_unsettled(self._index, owner, _files(one))
                queries.set_turns(self._index, tenant, name, after)
            self._follow(tenant, name)
        return Change(
            tenant=tenant,
            name=name,
            before=history.active,
            after=after[-1] if after else None,
            removed=tuple(one.version for one in gone),
        )

    def _transaction(self) -> contextlib.AbstractContextManager[object]:
        return transaction(self._index, self.where, self._waits)

    def _lacks(self, kind: str, digest: str) -> bool:
        """Tell whether a stored file is gone or damaged."""
        path = os.path.join(self.folder, stored_path(kind, digest))
        try:
            return not is_whole(path, digest)
        except FileProblem:
            return True

    def _check_same(self, there: Stored, stored: Stored, *, replace: bool) -> None:
        if replace or there.content == stored.content:
            return
        raise FileProblem.of(
            Code.OTHER_BYTES,
            f"{there.name} {there.version} is installed with other content: {there.content}",
            where=self.folder,
            hint="give the package a new version, uninstall that one, or use --force",
        )

    @contextlib.contextmanager
    def _settled(self, files: Sequence[tuple[str, str]]) -> Iterator[str]:
        """Note ``files`` before the body; after it, what was noted and nobody needs is gone."""
        owner = hidden_name()
        if files:
            with self._transaction():
                queries.mark_unsettled(self._index, owner, files)
        try:
            yield owner
        finally:
            # The change is there or not by now; what cannot be cleared up, the next one clears up.
            with contextlib.suppress(FileProblem):
                self._settle(owner)

    def _settle(self, owner: str | None) -> None:
        with self._transaction():
            for kind, digest in queries.unsettled(self._index, owner):
                if not queries.is_needed(self._index, kind, digest):
                    remove_file(self.folder, kind, digest)
            queries.clear_unsettled(self._index, owner)

    def _follow(self, tenant: str, name: str) -> None:
        """Let the record say what the index says: nobody changes that meanwhile.

        Where it cannot be written the index says so, and the next change of anything writes it.
        """
        with contextlib.suppress(FileProblem), self._transaction():
            records.write(self.folder, queries.history(self._index, tenant, name))
            queries.clear_unrecorded(self._index, tenant, name)

    def _clear_up(self) -> None:
        """Finish what killed runs left; nobody else is at work."""
        clear_incoming(self.folder)
        with told(self.where):
            behind = queries.unrecorded(self._index)
            is_settled = not queries.unsettled(self._index)
        for tenant, name in behind:
            self._follow(tenant, name)
        if not is_settled:
            self._settle(None)


def deciding_paths(folder: str, stored: Stored | None = None) -> Iterator[str]:
    """Yield all whose writers could have made the registry say what it says.

    The index, what it is made anew from, and where both are written; with ``stored`` also what
    there is of that version alone.
    """
    yield folder
    yield from (os.path.join(folder, INDEX + suffix) for suffix in ("", "-wal", "-shm", "-journal"))
    yield from (os.path.join(folder, name) for name in FOLDERS)
    if stored is not None:
        record = stored_path(RECORDS, record_digest(stored.tenant, stored.name))
        for path in (record, *(stored_path(*file) for file in _files(stored))):
            yield os.path.join(folder, os.path.dirname(path))
            yield os.path.join(folder, path)


def refuse_lost_index(folder: str) -> None:
    """Refuse a registry without its index that had packages: it is not an empty one."""
    if os.path.lexists(folder):
        with reported(folder):
            os.listdir(folder)
    if next(stored_files(folder, RECORDS), None) or next(stored_files(folder, PACKAGES), None):
        raise damaged("the index is missing, and there are packages", os.path.join(folder, INDEX))


def make_index(folder: str) -> None:
    """Make the index where it is not there and never was; for who holds the lock alone."""
    path = os.path.join(folder, INDEX)
    if os.path.lexists(path):
        return
    refuse_lost_index(folder)
    with contextlib.ExitStack() as cleared:
        new = new_index(folder, cleared)
        put_index(folder, new)


def new_index(folder: str, cleared: contextlib.ExitStack) -> str:
    """Return the path of a new, empty index under a name of its own."""
    incoming = cleared.enter_context(opened(folder, INCOMING))
    name = hidden_name()
    for suffix in ("", *_BESIDE):
        cleared.callback(incoming.unlink, name + suffix)
    with reported(incoming.where(name)):
        fd = incoming.open_file(name, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        allow_owner(fd)
        os.close(fd)
    create(incoming.where(name))
    return incoming.where(name)


def put_index(folder: str, new: str) -> None:
    """Give the index ``new`` its name; for who holds the lock alone."""
    with (
        opened(folder) as root,
        entered(root, INCOMING) as incoming,
        reported(root.where(INDEX)),
    ):
        for suffix in _BESIDE:  # of an index that is gone: it would be read into this one
            root.unlink(INDEX + suffix)
        incoming.rename(os.path.basename(new), INDEX, root)
        root.sync()


def _files(stored: Stored) -> list[tuple[str, str]]:
    files = [(PACKAGES, stored.digest)]
    return files if stored.sidecar is None else [*files, (SIDECARS, stored.sidecar)]


def _can_be(*texts: str) -> bool:
    """Tell whether the index can hold the texts: half a surrogate pair is no text to it."""
    return not any("\ud800" <= letter <= "\udfff" for text in texts for letter in text)


def _near(tenant: str, name: str, names: Sequence[tuple[str, str]]) -> str:
    """Return what may have been meant."""
    from difflib import get_close_matches

    elsewhere = sorted(owner for owner, other in names if other == name)
    if elsewhere:
        return f"it is for another tenant: --tenant {elsewhere[0]}"
    near = get_close_matches(name, [other for owner, other in names if owner == tenant], n=1)
    if near:
        return f"did you mean {near[0]}?"
    return "`cloacina-ctl list` shows what is"
