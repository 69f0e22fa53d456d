"""Reads the compiled code of wheels: its platform, and its requirements there.

The platform is read from the libraries; the name of a wheel counts only for musl, whose release is
not recorded in a library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from cloacina_ctl.errors import Code, Diagnostic, Refused, Severity
from cloacina_ctl.formats.layout import PLATFORM_FOLDER, VENDOR_FOLDER
from cloacina_ctl.manifest.model import Libc
from cloacina_ctl.platforms import artifact_of, read_library
from cloacina_ctl.platforms.baseline import GLIBC, MUSL
from cloacina_ctl.platforms.findings import no_promise, outside, unmarked
from cloacina_ctl.platforms.tags import HostPlatform, platform_fits, tag_of
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cloacina_ctl.formats.wheel.reader import Wheel, WheelFile
    from cloacina_ctl.manifest import Artifact
    from cloacina_ctl.platforms import Library
    from cloacina_ctl.vendoring.locks.lock import LockedWheel
    from cloacina_ctl.vendoring.target import PythonTarget

WHEEL_TREE = "wheel-tree"
_ELF = b"\x7fELF"
_SCRIPTS = "scripts"


class Native(NamedTuple):
    """A library in a wheel, and its facts."""

    file: WheelFile
    library: Library


class Compiled(NamedTuple):
    """The compiled code of a wheel: its libraries, and other compiled files, in words."""

    libraries: tuple[Native, ...] = ()
    others: tuple[str, ...] = ()


def compiled_of(unpacked: Wheel) -> Compiled:
    """Return the libraries of a wheel, its programs, and unsupported libraries.

    Raises ``Refused`` for a library that is damaged or that no glibc loads.
    """
    libraries, others = [], []
    for file in unpacked.files:
        with open(file.source, "rb") as stream:
            if stream.read(len(_ELF)) != _ELF:
                continue
        try:
            library = read_library(file.source, where=str(file.path))
        except Refused as error:
            if error.diagnostics[0].code is not Code.NOT_A_LIBRARY:
                raise
            others.append(f"{file.path}: {error.diagnostics[0].message}")
        else:
            if library.unmarked_relocations:
                raise Refused(unmarked(str(file.path)))
            libraries.append(Native(file, library))
    others += [
        f"{path}: {reason}"
        for path, reason in unpacked.left_out
        if path.split("/")[1:2] == [_SCRIPTS]
    ]
    return Compiled(tuple(libraries), tuple(others))


def artifact_for(
    target: PythonTarget, wheels: list[LockedWheel], compiled: Mapping[LockedWheel, Compiled]
) -> Artifact:
    """Return the manifest's entry for the compiled code of ``wheels`` for ``target``.

    It names the library with the highest requirements on the platform. Raises ``Refused`` for code
    that does not run there, and where no library shows the platform.
    """
    natives = [native for wheel in wheels for native in compiled[wheel].libraries]
    if not natives:
        raise _no_library(wheels[0], compiled[wheels[0]])
    host = _host(target)
    for native in natives:
        _refuse_other(native, host, target)
    libcs = {native.library.libc.name for native in natives if native.library.libc}
    if len(libcs) > 1:
        raise Refused.of(
            Code.NATIVE_VENDORED, f"libraries for {' and for '.join(sorted(libcs))} together",
            where=wheels[0].file,
        )  # fmt: skip
    strictest = max(natives, key=_demand)
    tag = strictest.library.tag
    if libcs == {MUSL}:
        tag = _musl_tag([wheel for wheel in wheels if compiled[wheel].libraries], target)
    path = f"{PLATFORM_FOLDER}{tag}/{VENDOR_FOLDER}{strictest.file.path}"
    return artifact_of(strictest.library, path=path)._replace(kind=WHEEL_TREE, platform=tag)


def said_of(
    wheels: Iterable[LockedWheel],
    compiled: Mapping[LockedWheel, Compiled],
    unpacked: Mapping[LockedWheel, Wheel],
) -> Iterator[Diagnostic]:
    """Yield warnings about the compiled code of wheels for one platform."""
    wheels = tuple(wheels)
    beside = {file.path.rpartition("/")[2] for wheel in wheels for file in unpacked[wheel].files}
    reported: set[str] = set()
    for wheel in wheels:
        libraries, others = compiled[wheel]
        for native in libraries:
            where = str(native.file.path)
            yield from no_promise(native.library, where)
            missing = set(native.library.needs_outside(beside)) - reported
            reported |= missing
            yield from outside(sorted(missing), where)
        if others and not libraries:
            message = f"{wheel.title} has no library, and its other code is not used: {others[0]}"
            yield Diagnostic(
                Code.NATIVE_VENDORED, message, wheel.file, _elsewhere(wheel), Severity.WARNING
            )


def _refuse_other(native: Native, host: HostPlatform, target: PythonTarget) -> None:
    library = native.library
    if library.machine == host.machine and (
        host.libc is None or platform_fits(library.tag, host, library.libc)
    ):
        return
    raise Refused.of(
        Code.NATIVE_VENDORED,
        f"it is for {library.tag}, which is not on {target.platform}",
        where=str(native.file.path),
        hint="name a newer platform, if the target machine has it: --vendor-platform",
    )


def _no_library(wheel: LockedWheel, compiled: Compiled) -> Refused:
    """Return the error for a wheel of one platform without a library that shows which."""
    if compiled.others:
        message = f"{wheel.title} has no library that shows its platform: {compiled.others[0]}"
        hint = _elsewhere(wheel)
    else:
        message = f"{wheel.title} is named for one platform and has no compiled code"
        hint = "give a wheel for every platform (`py3-none-any`): --wheelhouse DIR"
    return Refused.of(Code.NATIVE_VENDORED, message, where=wheel.file, hint=hint)


def _elsewhere(wheel: LockedWheel) -> str:
    return f"install {wheel.name} where the package runs, and remove it from the dependencies"


def _musl_tag(wheels: list[LockedWheel], target: PythonTarget) -> str:
    """Return the platform of the wheel with the newest release of musl in its name."""
    releases = []
    for wheel in wheels:
        named = {tag.platform for tag in parse_wheel_filename(wheel.file)[3]}
        fitting = [release for release in target.musl_releases() if release[1] in named]
        releases += fitting[-1:]
    if not releases:
        return tag_of(target.machine, Libc(MUSL))
    return max(releases)[1]


def _host(target: PythonTarget) -> HostPlatform:
    """Return a machine with exactly the properties of the platform."""
    family, _, rest = target.platform.partition("_")
    if family == "linux":
        return HostPlatform(target.machine, "linux")
    major, minor = rest.split("_")[:2]
    name = MUSL if family == "musllinux" else GLIBC
    return HostPlatform(target.machine, "linux", Libc(name, f"{major}.{minor}"))


def _demand(native: Native) -> tuple[bool, bool, tuple[int, ...], str]:
    """Return a sort key for a library's requirements; those beyond any release sort last."""
    library = native.library
    floor = library.libc.floor if library.libc else None
    numbers = tuple(map(int, floor.split("."))) if floor else ()
    return (
        bool(library.unknown_versions), library.libc is not None, numbers, str(native.file.path)
    )  # fmt: skip
