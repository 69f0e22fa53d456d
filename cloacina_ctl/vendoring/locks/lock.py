"""Reads and writes `pylock.cloacina.toml`: the exact wheels of a project's package.

It is a lock in the standard format (PEP 751), with the standard's name for a lock of one service.
Other tools install from it; `[tool.cloacina-ctl]` has our own fields. Beside the project and under
version control it makes packages reproducible: same lock, same bytes.
"""

from __future__ import annotations

import contextlib
import os
import re
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from packaging.markers import Marker
from packaging.pylock import Package, PackageWheel
from packaging.pylock import Pylock as Document
from packaging.specifiers import SpecifierSet
from packaging.utils import NormalizedName, parse_wheel_filename
from packaging.version import Version

from cloacina_ctl.errors import Code, FileProblem, Refused, UsageError
from cloacina_ctl.files.staging import changed_meanwhile, open_to_replace, reported, write_file
from cloacina_ctl.project.detect import VENDOR_LOCK
from cloacina_ctl.project.own_files import open_own
from cloacina_ctl.project.toml_editing import dump_in_lines
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.declared.origins import without_user
from cloacina_ctl.vendoring.declared.workspace import inner
from cloacina_ctl.vendoring.locks.project_lock import MAX_LOCK_BYTES
from cloacina_ctl.vendoring.locks.pylock import Pylock
from cloacina_ctl.vendoring.target import PythonTarget, accepts, parse_target, target_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cloacina_ctl.digest import Digest
    from cloacina_ctl.vendoring.locks.project_lock import LockedVersion

_TOOL = "cloacina-ctl"
_PYTHON = re.compile(r"==(3\.[0-9]+)\.\*")
_HEAD = b"""\
# The wheels that `cloacina-ctl package` vendors into the package of this project. Keep this file
# under version control. `cloacina-ctl package --upgrade-vendored` renews it.
"""


class LockedWheel(NamedTuple):
    """One wheel: ``name`` in its normal form, its file name, and its platforms.

    ``url`` is its address, else ``path`` its absolute path; ``size`` is in bytes.
    """

    name: str
    version: str
    file: str
    sha256: Digest
    platforms: tuple[str, ...]
    url: str | None = None
    path: str | None = None
    size: int | None = None

    @property
    def title(self) -> str:
        """Name and version, for messages."""
        return f"{self.name} {self.version}"


class WheelLock(NamedTuple):
    """The chosen wheels, for one version of Python on some platforms.

    ``inputs`` are the statements of the project that decided: requirements, origins, limits of
    versions, the lock of another tool.
    """

    python: str
    platforms: tuple[str, ...]
    inputs: tuple[str, ...]
    wheels: tuple[LockedWheel, ...]

    def targets(self, requires: str | None) -> tuple[PythonTarget, ...]:
        """Return the targets that it was made for, within the project's `requires-python`."""
        return tuple(target_for(requires, self.python, one) for one in self.platforms)


class _OwnLock(Pylock):
    renewal = "delete it, or give --upgrade-vendored, to renew it"
    code = Code.LOCK_FILE

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of strings from our own table."""
        value = inner(self.table, "tool", _TOOL).get(key)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise self.problem(f"`{key}` in [tool.{_TOOL}] must be a list of strings")
        return tuple(sorted(value))


def read_lock(root: str) -> WheelLock | None:
    """Return the lock of the project in ``root``, None if there is none.

    Raises ``Refused`` for an unreadable one, such as an unfinished merge, and for one that
    another tool made.
    """
    if not os.path.lexists(os.path.join(root, VENDOR_LOCK)):
        return None
    found = _OwnLock(root, VENDOR_LOCK)
    if found.document.created_by != _TOOL:
        found.renewal = "name it pylock.toml, where it decides, or replace it: --upgrade-vendored"
        raise found.problem(f"it was made by {found.document.created_by}, not by {_TOOL}")
    python = _PYTHON.fullmatch(str(found.document.requires_python))
    if python is None:
        raise found.problem("`requires-python` must be one version of Python: ==3.11.*")
    try:
        targets = [parse_target(python[1], one) for one in found.texts("platforms")]
    except UsageError as error:
        raise found.problem(error.diagnostics[0].message) from error
    if not targets:
        raise found.problem("`platforms` must name one")
    wheels = locked_wheels((target, found.select(target).values()) for target in targets)
    platforms = tuple(target.platform for target in targets)
    return WheelLock(python[1], platforms, found.texts("inputs"), wheels)


def unfit_lock(message: str) -> Refused:
    """Return the error for a lock without the wheels that the project needs."""
    return Refused.of(_OwnLock.code, message, where=VENDOR_LOCK, hint=_OwnLock.renewal)


def locked_wheels(
    chosen: Iterable[tuple[PythonTarget, Iterable[LockedVersion]]],
) -> tuple[LockedWheel, ...]:
    """Return the best wheel of each version per target; equal ones are merged into one."""
    found: dict[Digest, LockedWheel] = {}
    for target, versions in chosen:
        for one in versions:
            file = one.best(target)
            if file is None:
                continue
            before = found[file.sha256].platforms if file.sha256 in found else ()
            found[file.sha256] = LockedWheel(
                one.name,
                str(parse_wheel_filename(file.file)[1]),
                file.file,
                file.sha256,
                tuple(sorted({target.platform, *before})),
                file.url,
                None if file.path is None else os.path.realpath(file.path),
            )
    return tuple(sorted(found.values()))


def misfit(lock: WheelLock, inputs: tuple[str, ...], requires_python: str | None) -> str | None:
    """Return why the lock does not match these inputs, None if it does."""
    added = sorted(set(inputs) - set(lock.inputs))
    gone = sorted(set(lock.inputs) - set(inputs))
    if added:
        return f"it was not made from: {added[0]}"
    if gone:
        return f"it was made from an input that is gone: {gone[0]}"
    if not accepts(requires_python, lock.python):
        return f"it is for Python {lock.python}, and the project for {requires_python}"
    return None


def lock_bytes(root: str) -> bytes | None:
    """Return the content of the lock file in ``root``, None if there is none."""
    path = os.path.join(root, VENDOR_LOCK)
    with (
        reported(path),
        contextlib.suppress(FileNotFoundError),
        open(open_own(root, VENDOR_LOCK), "rb") as file,
    ):
        return file.read(MAX_LOCK_BYTES + 1)
    return None


def write_lock(root: str, lock: WheelLock, found: bytes | None = None) -> None:
    """Write the lock beside the project; the old one is replaced in one step.

    ``found`` is the content of the file when the new lock was made. Raises ``FileProblem`` (I012)
    where another run has written another lock since then.
    """
    data = dump_lock(lock, root)
    path = os.path.join(root, VENDOR_LOCK)
    while True:
        try:
            _write_instead(path, data, found)
        except FileProblem as error:
            if error.diagnostics[0].code is not Code.EXISTS:
                raise
            continue  # another run has created it: compare it
        return


def _write_instead(path: str, data: bytes, found: bytes | None) -> None:
    if not os.path.lexists(path):
        if found is not None:
            raise changed_meanwhile(path)
        write_file(path, data)
        return
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open_to_replace(lambda: os.open(path, flags), path) as replaced:
        there = os.pread(replaced.fd, MAX_LOCK_BYTES + 1, 0)
        if there == data:
            return  # another run wrote the same lock
        if there != found:
            raise changed_meanwhile(path)
        write_file(path, data, replaced=replaced)


def refuse_unsayable(lock: WheelLock, root: str, folder: str) -> None:
    """Raise ``Refused`` if the lock differs after it is written into ``folder`` and read again.

    A lock distinguishes platforms by the machine and the tags of the wheels: it cannot express a
    requirement on musl only.
    """
    write_file(os.path.join(folder, VENDOR_LOCK), dump_lock(lock, root))
    expected = {(one.sha256, one.platforms) for one in lock.wheels}
    with contextlib.suppress(Refused):
        read = read_lock(folder)
        if read is not None and expected == {(one.sha256, one.platforms) for one in read.wheels}:
            return
    raise Refused.of(
        Code.LOCK_FILE,
        f"the wheels for {', '.join(lock.platforms)} differ in a way that no lock can express",
        where=VENDOR_LOCK,
        hint="make a package for each of them: --vendor-platform",
    )


def dump_lock(lock: WheelLock, root: str) -> bytes:
    """Return the lock as text, for the project in ``root``: the same bytes for the same lock."""
    versions = groupby(sorted(lock.wheels), key=attrgetter("name", "version"))
    machines = _machines(lock.platforms)
    system = "implementation_name == 'cpython' and sys_platform == 'linux' and platform_machine"
    document = Document(
        lock_version=Version("1.0"),
        environments=[Marker(f"{system} == '{one}'") for one in machines],
        requires_python=SpecifierSet(f"=={lock.python}.*"),
        created_by=_TOOL,
        packages=[_package(list(wheels), machines, root) for _, wheels in versions],
        tool={_TOOL: {"platforms": list(lock.platforms), "inputs": list(lock.inputs)}},
    )
    return _HEAD + dump_in_lines(document.to_dict())


def _machines(platforms: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({PythonTarget("", one).machine for one in platforms}))


def _package(wheels: Sequence[LockedWheel], machines: tuple[str, ...], root: str) -> Package:
    own = _machines(platform for wheel in wheels for platform in wheel.platforms)
    only = " or ".join(f"platform_machine == '{one}'" for one in own)
    return Package(
        name=NormalizedName(wheels[0].name),
        version=Version(wheels[0].version),
        marker=Marker(only) if own != machines else None,
        wheels=[_wheel(one, root) for one in wheels],
    )


def _wheel(wheel: LockedWheel, root: str) -> PackageWheel:
    """Return a wheel with its URL; without one, with its path relative to the project.

    Not with both: other tools prefer a path to the URL, even if nothing exists there.
    """
    url = None if wheel.url is None else without_user(wheel.url)
    path = os.path.relpath(wheel.path, os.path.realpath(root)) if wheel.path else wheel.file
    return PackageWheel(
        name=wheel.file if (url or path).rpartition("/")[2] != wheel.file else None,
        url=url,
        path=path if url is None else None,
        size=wheel.size,
        hashes={"sha256": str(wheel.sha256)},
    )
