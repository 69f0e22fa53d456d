"""Vendored dependencies as `package` takes them: asked for or configured, planned, said.

A scratch folder holds what is unpacked until the package is written.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Refused, Severity, UsageError
from cloacina_ctl.files.leftovers import locked_private_folder
from cloacina_ctl.files.staging import reported, scratch_folder
from cloacina_ctl.formats.layout import VENDOR_FOLDER
from cloacina_ctl.formats.plan import PlannedFile
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.project.detect import VENDOR_LOCK
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

    from cloacina_ctl.files.folders import PrivateFolder
    from cloacina_ctl.formats.limits import Limits
    from cloacina_ctl.manifest import Requires
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.vendoring.choice import VendorOptions
    from cloacina_ctl.vendoring.vendor import Vendored


class VendorRequest(NamedTuple):
    """What the caller asks. ``wanted`` None means what the project configures.

    ``python`` and ``platforms`` are the target's, such as ``3.11``, ``manylinux_2_28_x86_64``;
    ``wheelhouse`` is a folder, the only place to take wheels from. ``sources`` are names, each with
    the wheel (or the folder of wheels) that is the only one for it.
    """

    wanted: bool | None = None
    wheelhouse: str | None = None
    python: str | None = None
    platforms: tuple[str, ...] = ()
    upgrade: bool = False
    locked: bool = False
    offline: bool = False
    sources: tuple[tuple[str, str], ...] = ()


class WorkFolder:
    """A scratch folder that is made when it is first asked for and gone after the block."""

    def __init__(self) -> None:
        self._held: PrivateFolder | None = None

    def __enter__(self) -> Self:
        return self

    @property
    def path(self) -> str:
        """The folder, which no one else can read."""
        return self.held.path

    @property
    def held(self) -> PrivateFolder:
        """The same, open."""
        if self._held is None:
            base = scratch_folder()
            with reported(base):
                self._held = locked_private_folder(base)
        return self._held

    def __exit__(self, *_: object) -> None:
        if self._held is not None:
            self._held.remove()
            self._held.close()
            self._held = None


def vendored_files(
    project: Project,
    request: VendorRequest,
    work: WorkFolder,
    limits: Limits,
    progress: Progress | None = None,
) -> Vendored | None:
    """Return what gets vendored, unpacked into ``work``; None where nothing is asked for.

    Raises ``UsageError`` where the request says how to vendor, but not that it is wanted.
    Starts uv or pip where no lock fits or a wheel is missing; runs nothing of a wheel. Raises
    ``Refused`` and ``BuildFailed`` as ``project.vendoring.vendor.vendor`` says.
    """
    wanted = project.config.vendor if request.wanted is None else request.wanted
    if not wanted:
        if request.wanted is None:
            _refuse_to_leave_out(project, request)
        return None
    if project.python is None:
        raise UsageError.of(Code.USAGE, "only a Python project's dependencies are vendored")
    from cloacina_ctl.vendoring.vendor import vendor

    if progress:
        progress("vendoring", 0, 0)
    return vendor(project, _options(project, request), work.path, limits)


def _refuse_to_leave_out(project: Project, request: VendorRequest) -> None:
    """Raise ``UsageError`` where a package without its dependencies is not what is meant."""
    asked = {
        "--wheelhouse": request.wheelhouse,
        "--vendor-python": request.python,
        "--vendor-platform": request.platforms,
        "--upgrade-vendored": request.upgrade,
    }
    what = next((f"{option} is given" for option, value in asked.items() if value), None)
    if what is None and request.locked and os.path.lexists(os.path.join(project.root, VENDOR_LOCK)):
        what = f"--locked is given, there is a {VENDOR_LOCK}"
    if what is not None:
        raise UsageError.of(
            Code.USAGE,
            f"{what}, and nothing would be vendored",
            hint="--vendor, or `vendor = true` in the configuration, packs the dependencies; "
            "--no-vendor leaves them out",
        )


def planned(vendored: Vendored) -> Iterator[PlannedFile]:
    """Yield the files as a native package has them: compiled code under its platform."""
    for file in vendored.files:
        reason = f"vendored: {file.title}"
        yield PlannedFile(file.path, file.source, file.size, file.executable, reason)


def planned_flat(
    vendored: Vendored, project: Project, request: VendorRequest
) -> Iterator[PlannedFile]:
    """Yield the files as formats without platforms have them: all under `vendor/`.

    Raises ``Refused`` where there is compiled code and not exactly one platform is named, by
    ``request`` or by the project: such a package runs on the one that it was made for alone.
    """
    named = set(request.platforms or project.config.vendor_platforms)
    native = sorted({file.title for file in vendored.files if file.platform})
    if native and len(named) != 1:
        raise Refused.of(
            Code.NATIVE_VENDORED,
            f"this format has no place for code for {'several platforms' if named else 'one'}"
            f"{'' if named else ' platform that was not named'}: {', '.join(native[:8])}",
            hint="name one platform: --vendor-platform manylinux_2_28_x86_64",
        )
    for file in vendored.files:
        path = MemberPath.parse(f"{VENDOR_FOLDER}{file.inner}")
        reason = f"vendored: {file.title}"
        yield PlannedFile(path, file.source, file.size, file.executable, reason)


def searched_elsewhere(vendored: Vendored) -> Iterator[Diagnostic]:
    """Yield a warning for libraries of wheels that search for others in a folder of some builder.

    They are packed as they are: a wheel's record has their digests.
    """
    from cloacina_ctl.platforms.folders import searches
    from cloacina_ctl.platforms.recognition import ELF, object_format
    from cloacina_ctl.platforms.search_path import cut_search_path
    from cloacina_ctl.project.own_files import read_head

    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for file in vendored.files:
        if file.platform is not None and object_format(read_head(file.source)) == ELF:
            search = cut_search_path(file.source)
            folders = (*search.removed, *search.left)
            if folders:
                found.setdefault((file.title, folders), []).append(str(file.inner))
    for (title, folders), paths in found.items():
        more = f" (and so do {len(paths) - 1} more of its libraries)" if len(paths) > 1 else ""
        hint = f"a wheel is not changed: ask who makes {title}"
        yield Diagnostic(
            Code.RUNPATH, searches(folders) + more, paths[0], hint, severity=Severity.WARNING
        )


def with_python(project: Project, vendored: Vendored | None) -> Project:
    """Return the project as its package has to state it: for the Pythons that fit."""
    if vendored is None or vendored.python is None:
        return project
    from cloacina_ctl.manifest import Requires

    requires: Requires = project.requires or Requires()
    return project._replace(requires=requires._replace(python=vendored.python))


def write_new_lock(project: Project, vendored: Vendored | None) -> None:
    """Write the lock beside the project where there is a new one."""
    if vendored is not None and vendored.new_lock is not None:
        from cloacina_ctl.vendoring.locks.lock import write_lock

        write_lock(project.root, vendored.new_lock, vendored.old_lock)


def _options(project: Project, request: VendorRequest) -> VendorOptions:
    """Return the request with what the project configures where it says nothing."""
    from cloacina_ctl.vendoring.choice import VendorOptions

    config = project.config
    wheelhouse = request.wheelhouse
    if wheelhouse is None and config.wheelhouse is not None:
        wheelhouse = os.path.join(project.root, config.wheelhouse)
    return VendorOptions(
        wheelhouse=wheelhouse,
        offline=request.offline,
        locked=request.locked,
        upgrade=request.upgrade,
        python=request.python or config.vendor_python,
        platforms=request.platforms or config.vendor_platforms,
        sources=request.sources,
    )
