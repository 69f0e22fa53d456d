"""A project as a source package: the tree that Cloacina 0.4 and later load, by their rules.

Nothing is built and nothing is run: their compiler does that. What it would miss is refused here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks.for_runtime import ForRuntime, check_for_runtime
from cloacina_ctl.errors import Refused
from cloacina_ctl.formats import layout
from cloacina_ctl.formats.legacy.write_source import (
    Ceiling,
    SourceRules,
    check_paths,
    check_sizes,
    source_order,
)
from cloacina_ctl.formats.plan import Plan, PlannedFile
from cloacina_ctl.operations.packaging.crate_files import crate_files
from cloacina_ctl.operations.packaging.own_platform import unstated, with_own_python
from cloacina_ctl.operations.packaging.prepare import Prepared, judge_imports, selected_files
from cloacina_ctl.operations.packaging.vendoring import (
    planned_flat,
    searched_elsewhere,
    vendored_files,
    with_python,
)
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.project.package_toml import authored, metadata_keys, resolved_package_toml
from cloacina_ctl.releases.table import ANY_SOURCE, SOURCE, Runtime, runtime_of_crate, with_rule

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.operations.packaging.prepare import PackageRequest
    from cloacina_ctl.operations.packaging.vendoring import WorkFolder
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.project.model import Crate, Project, Selection

_OWN_MANIFEST = layout.SOURCE_FOLDER + layout.PACKAGE_TOML  # the resolved one takes its place
_RULES = (("ratio", "ratio"), ("total", "total"), ("entries", "entries"), ("archive", "upload"))


def prepare_source(
    request: PackageRequest, read: Prepared, work: WorkFolder, progress: Progress | None
) -> Prepared:
    """Return the plan of the source package of the project that was read and judged.

    Raises ``Refused`` with every rule of the runtime that is broken, also by what is vendored.
    """
    project = read.project
    crate = project.rust.crate if project.rust is not None else None
    runtime = request.target.runtime or default_runtime(crate)
    broken = tuple(check_for_runtime(_judged(project), runtime))
    if broken:
        raise Refused(*broken)
    project = with_own_python(project, read.code, request.vendor)
    vendored = vendored_files(project, request.vendor, work, request.limits, progress)
    project = with_python(project, vendored)
    files, found, selection = _own_files(request, read, work)
    files.append(_package_toml(project, runtime))
    if request.sign_fidius:
        from cloacina_ctl.operations.packaging.fidius_signature import room_for_signature

        files.append(room_for_signature())
    found += unstated(read.code, project, request.vendor)
    found += tuple(judge_imports(project, selection, request, vendored))
    if vendored is not None:
        files += planned_flat(vendored, project, request.vendor)
        found += (*vendored.diagnostics, *searched_elsewhere(vendored))
        selection = selection._replace(left_out=(*selection.left_out, *vendored.left_out))
    if request.sign_fidius:
        from cloacina_ctl.operations.packaging.fidius_signature import check_members

        check_members(file.path for file in files)
    rules = rules_of(runtime)
    return Prepared(
        project=project,
        selection=selection,
        diagnostics=found,
        plan=source_plan(project, files, rules),
        vendored=vendored,
        rules=rules,
    )


def _own_files(
    request: PackageRequest, read: Prepared, work: WorkFolder
) -> tuple[list[PlannedFile], tuple[Diagnostic, ...], Selection]:
    """Return the project's own files, what is worth saying of them, and what was left out."""
    selection = read.selection
    if read.project.rust is None:
        return [*selected_files(selection)], read.diagnostics, selection
    source = crate_files(read.project, selection, request.build.options, work)
    files = [_of_crate(file) for file in source.files if file.path != _OWN_MANIFEST]
    left_out = (*selection.left_out, *source.left_out)
    said = (*read.diagnostics, *source.diagnostics)
    return files, said, selection._replace(left_out=left_out)


def default_runtime(crate: Crate | None) -> Runtime:
    """Return whose rules count where nobody said: those of the crate's release, else of all."""
    found = runtime_of_crate(crate.cloacina_release) if crate is not None else None
    return found if found is not None and found.format == SOURCE else ANY_SOURCE


def rules_of(runtime: Runtime) -> SourceRules:
    """Return what the runtime refuses of a package's size, with those that have the same rule."""
    found = {}
    for name, field in _RULES:
        most = getattr(runtime, field)
        if most is not None:
            found[name] = Ceiling(most, f"Cloacina {with_rule(field, most)}")
    return SourceRules(**found)


def source_plan(project: Project, files: Iterable[PlannedFile], rules: SourceRules) -> Plan:
    """Return the plan in the order of the stream, or refuse what is too much or clashes."""
    root = layout.root_folder(project.package.name, project.package.version)
    ordered = tuple(sorted(files, key=lambda file: source_order(file.path)))
    check_paths(root, (file.path for file in ordered))
    check_sizes(root, (file.size for file in ordered), rules)
    return Plan(root, ordered)


def _judged(project: Project) -> ForRuntime:
    keys = metadata_keys(authored(project))
    if project.rust is None:
        return ForRuntime("python", keys)
    return ForRuntime("rust", keys, project.rust.crate)


def _package_toml(project: Project, runtime: Runtime) -> PlannedFile:
    text = resolved_package_toml(project, runtime)
    reason = "the resolved manifest"
    return PlannedFile(MemberPath.parse(layout.PACKAGE_TOML), text, len(text), False, reason)


def _of_crate(file: PlannedFile) -> PlannedFile:
    """Return a file of a crate under the path that it has in a source package."""
    return file._replace(path=MemberPath.parse(file.path.removeprefix(layout.SOURCE_FOLDER)))
