"""A crate as a package of Cloacina 0.2 or 0.3: the library that cargo builds, and a manifest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Incompatible, UsageError
from cloacina_ctl.formats.layout import MANIFEST, root_folder
from cloacina_ctl.formats.legacy.write_v1 import dump_v1
from cloacina_ctl.formats.plan import Plan, PlannedFile
from cloacina_ctl.operations.packaging.build import build_library
from cloacina_ctl.operations.packaging.prepare import THE_LIBRARY, Prepared
from cloacina_ctl.operations.packaging.source import size_rules
from cloacina_ctl.operations.packaging.v1_manifest import NEWEST_V1, release_of_library, v1_manifest
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.releases.rules import PackageFacts, broken_rules
from cloacina_ctl.releases.table import PYTHON, V1

if TYPE_CHECKING:
    from cloacina_ctl.operations.packaging.prepare import PackageRequest
    from cloacina_ctl.progress import Progress


def prepare_v1(request: PackageRequest, read: Prepared, progress: Progress | None) -> Prepared:
    """Build the crate that was read and judged; return the plan of its package.

    Where no build is wanted, nothing of it is known but its name: all else comes of the build.
    Raises ``Incompatible`` where the library is none that 0.2 or 0.3 load.
    """
    project, wanted = read.project, request.target.runtime
    if request.include_source:
        raise UsageError.of(Code.USAGE, "a `v1` package holds a library and no source")
    if project.rust is None:
        raise Incompatible(*broken_rules(wanted or NEWEST_V1, PackageFacts(V1, PYTHON)))
    root = root_folder(project.package.name, project.package.version)
    if not request.build.wanted:
        return read._replace(plan=Plan(root, ()), unbuilt=(MANIFEST, THE_LIBRARY))
    if progress:
        progress("building", 0, 0)
    built = build_library(project, request.build)
    release = release_of_library(built.artifact, wanted)
    manifest = v1_manifest(
        project.package, built.workflows[0], built.artifact, built.exports, release
    )
    text = dump_v1(manifest)
    name, reason = MemberPath.parse(os.path.basename(built.library)), "the library that cargo built"
    files = (
        PlannedFile(MemberPath(MANIFEST), text, len(text), False, "the manifest of 0.2 and 0.3"),
        PlannedFile(name, built.library, built.size, True, reason, built.patches),
    )
    return Prepared(
        project=project,
        selection=read.selection,
        diagnostics=(*read.diagnostics, *built.diagnostics),
        plan=Plan(root, files),
        rules=size_rules(release, V1, root),
    )
