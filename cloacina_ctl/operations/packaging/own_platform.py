"""A Python project with compiled code of its own, as a package for one platform.

In a native package such a file goes to `platform/<tag>/`, under the path that it has beside the
others: the loader puts it there. What lies in `vendor/` goes to the platform's own
`vendor/`, each top-level package whole, as wheels do. Other formats have no place for a platform.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Refused, Severity
from cloacina_ctl.formats.layout import PLATFORM_FOLDER, VENDOR_FOLDER
from cloacina_ctl.manifest import Requires
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.platforms import artifact_of
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.formats.plan import PlannedFile
    from cloacina_ctl.manifest import Artifact
    from cloacina_ctl.operations.packaging.vendoring import VendorRequest
    from cloacina_ctl.platforms import Library
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.project.selection.compiled import CompiledFile, OwnCode
    from cloacina_ctl.vendoring.vendor import Vendored


class Placed(NamedTuple):
    """The project's own files, what is vendored, and what the manifest says of the platform."""

    files: tuple[PlannedFile, ...]
    vendored: Vendored | None
    artifacts: tuple[Artifact, ...]


def place_own_code(
    files: Iterable[PlannedFile], code: OwnCode, vendored: Vendored | None
) -> Placed:
    """Return all files under the paths that a native package has for them.

    Raises ``Refused`` where what is vendored is for another platform than the project's own code.
    """
    files = tuple(files)
    artifacts = vendored.artifacts if vendored is not None else ()
    if code.strictest is None:
        return Placed(files, vendored, artifacts)
    _refuse_another(code, artifacts)
    tag, artifact = code.strictest.tag, None
    for one in artifacts:  # one at most
        if _floor(one) > _floor(code.strictest):
            tag, artifact = one.platform, one
    own = _Places(code, tag)
    moved = tuple(file._replace(path=own.path_of(file.path)) for file in files)
    if artifact is None:
        first = next(one for one in code.files if one.library == code.strictest)
        path = own.path_of(first.file.path)
        artifact = artifact_of(code.strictest, path=path)._replace(kind="wheel-tree")
    if vendored is not None:
        there = tuple(
            one._replace(platform=tag) if one.platform is not None else one
            for one in vendored.files
        )
        vendored = vendored._replace(files=there, artifacts=(artifact,))
    return Placed(moved, vendored, (artifact,))


class _Places:
    """Where the project's own files go in a package for the platform ``tag``."""

    def __init__(self, code: OwnCode, tag: str) -> None:
        self._folder = f"{PLATFORM_FOLDER}{tag}/"
        self._files = {str(one.file.path) for one in code.files}
        self._tops = {_top(path) for path in self._files if path.startswith(VENDOR_FOLDER)}

    def path_of(self, path: MemberPath) -> MemberPath:
        if path in self._files or (path.startswith(VENDOR_FOLDER) and _top(path) in self._tops):
            return MemberPath.parse(self._folder + path)
        return path


def _check_targets(code: OwnCode, project: Project, request: VendorRequest) -> None:
    """Raise ``Refused`` where the project's code is not for the target's Python and platforms.

    These are named on the command line or in the configuration.
    """
    if not code.files:
        return
    from cloacina_ctl.vendoring.target import parse_target

    python = request.python or project.config.vendor_python
    problems: list[Diagnostic] = []
    for platform in request.platforms or project.config.vendor_platforms:
        target = parse_target(python or "3.10", platform)
        problems += (
            _problem(f"it is for {one.library.tag}, which is not on {target.platform}", one)
            for one in code.files
            if one.library is not None and one.library.tag not in target.platforms()
        )
    if python is not None and code.minors and int(python.partition(".")[2]) not in code.minors:
        problems += (
            _problem(f"it is named for Python 3.{one.minor}, not for {python}", one)
            for one in code.files
            if one.minor is not None
        )
    if problems:
        raise Refused(*problems)


def with_own_python(project: Project, code: OwnCode, request: VendorRequest) -> Project:
    """Return the project as its package has to state it: for the Pythons of its own code.

    Raises ``Refused`` where that is none of those that the project is for, and where the code is
    not for the target that ``request`` or the configuration names.
    """
    _check_targets(code, project, request)
    if not code.minors:
        return project
    from packaging.specifiers import SpecifierSet

    from cloacina_ctl.vendoring.target import accepts

    requires: Requires = project.requires or Requires()
    minors = [minor for minor in code.minors if accepts(requires.python, f"3.{minor}")]
    if not minors or minors != list(range(minors[0], minors[-1] + 1)):
        named = ", ".join(f"3.{minor}" for minor in code.minors)
        first = next(one for one in code.files if one.minor is not None)
        message = (
            f"it is named for Python {named}, and the project is for {requires.python or 'any'}"
        )
        raise Refused(_problem(message, first))
    low, high = minors[0], minors[-1]
    own = f"==3.{low}.*" if low == high else f">=3.{low},<3.{high + 1}"
    ends = (f"3.{low}.0", f"3.{high}.99")
    kept = [
        str(clause)
        for clause in SpecifierSet(requires.python or "")
        if not all(clause.contains(end) for end in ends)
    ]
    python = str(SpecifierSet(",".join([own, *kept])))
    return project._replace(requires=requires._replace(python=python))


def unstated(code: OwnCode, project: Project, request: VendorRequest) -> tuple[Diagnostic, ...]:
    """Return the warning that a format without platforms says nothing of the project's code."""
    if code.strictest is None:
        return ()
    named = request.platforms or project.config.vendor_platforms
    pythons = ", ".join(f"3.{minor}" for minor in code.minors or ())
    where = f"{code.strictest.tag}{f' and Python {pythons}' if pythons else ''}"
    message = f"it runs on {where} alone, and this format has no place to say that"
    hint = "use it only there, or make a native package"
    severity = Severity.NOTE if named else Severity.WARNING
    return (Diagnostic(Code.UNSTATED_PLATFORM, message, code.files[0].path, hint, severity),)


def _refuse_another(code: OwnCode, artifacts: tuple[Artifact, ...]) -> None:
    own = code.strictest
    if own is None:
        return
    for one in artifacts:
        libcs = {part.name for part in (one.libc, own.libc) if part is not None}
        if len(artifacts) > 1 or one.machine != own.machine or len(libcs) > 1:
            tags = ", ".join(artifact.platform for artifact in artifacts)
            message = f"it is for {own.tag}, and what is vendored is for {tags}"
            raise Refused(_problem(message, code.files[0]))


def _problem(message: str, file: CompiledFile) -> Diagnostic:
    hint = "build it for the target's Python and platform, or leave it out: `exclude`"
    return Diagnostic(Code.OWN_CODE, message, file.path, hint)


def _floor(of: Artifact | Library) -> tuple[int, ...]:
    return of.libc.release if of.libc is not None else ()


def _top(path: str) -> str:
    """Return the name that the path has in `vendor/`."""
    return path.split("/")[1]
