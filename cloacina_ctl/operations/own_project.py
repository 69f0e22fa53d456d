"""A project's folder where a package is expected: what it would be, and a package of it for a run.

It is the user's own folder, named by the user, and so it needs no signature: anyone who can
change it can also change the package that `package` makes of it.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import CloacinaError, Code, Refused
from cloacina_ctl.formats.layout import SUFFIX
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.inspection.manifest_view import LegacySizes, LegacyView
from cloacina_ctl.manifest import Language
from cloacina_ctl.operations.package import Packaged, PackageRequest, package, prepare
from cloacina_ctl.operations.packaging.build import BuildOptions, BuildRequest
from cloacina_ctl.operations.packaging.target import SOURCE, FormatTarget
from cloacina_ctl.operations.packaging.vendoring import VendorRequest, WorkFolder
from cloacina_ctl.operations.results import Inspection
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.operations.packaging.prepare import Prepared
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.verification.policy import VerificationPolicy

PROJECT = "project"
_ANY_VERSION = "0"  # of a project whose version only a build knows: no run depends on it


class Made(NamedTuple):
    """A package that is there until the block ends, and the rule that it meets."""

    path: str
    rule: VerificationPolicy
    diagnostics: tuple[Diagnostic, ...]


def prepare_own(folder: str, limits: Limits = DEFAULT_LIMITS) -> Prepared:
    """Return what `package` would make of the project in ``folder``; builds and fetches nothing.

    Raises ``Refused`` with everything that is wrong with the project.
    """
    nothing_fetched = VendorRequest(wanted=False)
    return prepare(PackageRequest(folder, vendor=nothing_fetched, limits=limits))


def inspect_project(folder: str, limits: Limits = DEFAULT_LIMITS) -> Inspection:
    """Return what a package of the project in ``folder`` would say; raises as ``prepare_own``.

    What only a package has is None: its size, its digest; and so are the libraries of a crate and
    vendored dependencies.
    """
    prepared = prepare_own(folder, limits)
    project, plan, manifest = prepared.project, prepared.plan, prepared.manifest
    view = LegacyView(
        package=project.package,
        language=Language.RUST if project.rust is not None else Language.PYTHON,
        contents=LegacySizes(files=len(plan.files), size=plan.size),
        requires=project.requires,
        entry_module=project.python.entry_module if project.python is not None else None,
        workflows=manifest.workflows if manifest is not None else (),
    )
    return Inspection(
        path=folder,
        format=PROJECT,
        size=None,
        compressed=None,
        content=None,
        head=None,
        manifest=view,
        manifest_bytes=b"",
        files=plan.files,
        withheld=(),
        tool=None,
        signatures=(),
        unbuilt=prepared.unbuilt,
        warnings=prepared.diagnostics,
    )


@contextlib.contextmanager
def packaged_for_a_run(
    folder: str, rule: VerificationPolicy, progress: Progress | None = None, *, quiet: bool = False
) -> Iterator[Made]:
    """Make an unsigned package of the project in a private folder, which goes with the block.

    A crate is built as `package` builds it, ``quiet`` or with cargo's words on standard error. A
    project with a graph alone becomes a source package. Raises what ``package`` raises; errors of
    the body that name the package name ``folder`` instead.
    """
    with WorkFolder() as work:
        path = os.path.join(work.path, PROJECT + SUFFIX)
        build = BuildRequest(options=BuildOptions(quiet=quiet))
        made = _package(PackageRequest(folder, path, build=build, limits=rule.limits), progress)
        wanted = rule._replace(allow_unsigned=True, content=rule.content or made.content)
        try:
            yield Made(path, wanted, made.diagnostics)
        except CloacinaError as error:
            raise type(error)(*renamed(error.diagnostics, path, folder)) from error


def _package(request: PackageRequest, progress: Progress | None) -> Packaged:
    try:
        return package(request, progress)
    except Refused as error:
        code = error.diagnostics[0].code
        if code is Code.DYNAMIC_METADATA and request.version is None:
            return _package(request._replace(version=_ANY_VERSION), progress)
        if code is not Code.NO_WORKFLOW:
            raise
        return package(request._replace(target=FormatTarget(SOURCE)), progress)


def renamed(found: Iterable[Diagnostic], path: str, name: str) -> tuple[Diagnostic, ...]:
    """Return the diagnostics with ``name`` wherever they name the package at ``path``."""
    return tuple(
        one._replace(
            message=one.message.replace(path, name),
            where=None if one.where is None else one.where.replace(path, name),
            hint=None if one.hint is None else one.hint.replace(path, name),
        )
        for one in found
    )
