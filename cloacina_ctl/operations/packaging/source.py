"""A project as a source package: the tree that Cloacina 0.4 and later load, by their rules.

Nothing is built and nothing is run: their compiler does that. What it would miss is refused here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks.releases import facts_of_source
from cloacina_ctl.errors import Refused
from cloacina_ctl.formats import layout
from cloacina_ctl.formats.legacy.write_source import SizeRules, check_paths, source_order
from cloacina_ctl.formats.plan import Plan, PlannedFile
from cloacina_ctl.operations.packaging.crate_files import crate_files
from cloacina_ctl.operations.packaging.own_platform import unstated, with_own_python
from cloacina_ctl.operations.packaging.prepare import (
    Prepared,
    check_selected_imports,
    selected_files,
)
from cloacina_ctl.operations.packaging.vendoring import (
    planned_flat,
    searched_elsewhere,
    vendored_files,
    with_python,
)
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.project.package_toml import (
    authored,
    header_of,
    resolved_package_toml,
    resolved_tables,
)
from cloacina_ctl.releases.rules import PackageFacts, Sizes, broken_rules
from cloacina_ctl.releases.table import ANY_SOURCE, PYTHON, RUST, SOURCE, Release, release_of_crate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.operations.packaging.prepare import PackageRequest
    from cloacina_ctl.operations.packaging.vendoring import WorkFolder
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.project.model import Crate, Project, Selection

_OWN_MANIFEST = layout.SOURCE_FOLDER + layout.PACKAGE_TOML  # the resolved one takes its place


def prepare_source(
    request: PackageRequest, read: Prepared, work: WorkFolder, progress: Progress | None
) -> Prepared:
    """Return the plan of the source package of the project that was read and checked.

    Raises ``Refused`` with every rule of the release that is broken, also by what is vendored.
    """
    project = read.project
    crate = project.rust.crate if project.rust is not None else None
    release = request.target.runtime or default_release(crate)
    tables = resolved_tables(header_of(project), authored(project), release)
    language = PYTHON if project.rust is None else RUST
    facts = facts_of_source(language, tables, project.python, project.rust)
    refuse_broken(release, facts)
    project = with_own_python(project, read.code, request.vendor)
    vendored = vendored_files(project, request.vendor, work, request.limits, progress)
    project = with_python(project, vendored)
    files, found, selection = _own_files(request, read, work)
    files.append(_package_toml(project, release))
    if request.sign_fidius:
        from cloacina_ctl.operations.packaging.fidius_signature import room_for_signature

        files.append(room_for_signature())
    found += unstated(read.code, project, request.vendor)
    found += tuple(check_selected_imports(project, selection, request, vendored))
    if vendored is not None:
        files += planned_flat(vendored, project, request.vendor)
        found += (*vendored.diagnostics, *searched_elsewhere(vendored))
        selection = selection._replace(left_out=(*selection.left_out, *vendored.left_out))
    if request.sign_fidius:
        from cloacina_ctl.operations.packaging.fidius_signature import check_members

        check_members(file.path for file in files)
    rules = size_rules(release, SOURCE, project.package.name)
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


def default_release(crate: Crate | None) -> Release:
    """Return whose rules count where no release is named: the crate's own, else those of all."""
    found = release_of_crate(crate.cloacina_release) if crate is not None else None
    return found if found is not None and found.format == SOURCE else ANY_SOURCE


def refuse_broken(release: Release, facts: PackageFacts) -> None:
    """Raise ``Refused`` with every rule of the release that a package of these facts breaks."""
    broken = broken_rules(release, facts)
    if broken:
        raise Refused(*broken)


def size_rules(release: Release, form: str, root: str) -> SizeRules:
    """Return what the release takes of a package of the format ``form``; ``root`` is named."""

    def check(entries: int, files: int, package: int | None) -> None:
        broken = broken_rules(release, PackageFacts(form, sizes=Sizes(package, files, entries)))
        if broken:
            raise Refused(*(one._replace(where=root) for one in broken))

    return SizeRules(release.ratio, check)


def source_plan(project: Project, files: Iterable[PlannedFile], rules: SizeRules) -> Plan:
    """Return the plan in the order of the stream, or refuse what is too much or clashes."""
    root = layout.root_folder(project.package.name, project.package.version)
    ordered = tuple(sorted(files, key=lambda file: source_order(file.path)))
    check_paths(root, (file.path for file in ordered))
    rules.check(len(ordered), sum(file.size for file in ordered), None)
    return Plan(root, ordered)


def _package_toml(project: Project, release: Release) -> PlannedFile:
    text = resolved_package_toml(project, release)
    reason = "the resolved manifest"
    return PlannedFile(MemberPath.parse(layout.PACKAGE_TOML), text, len(text), False, reason)


def _of_crate(file: PlannedFile) -> PlannedFile:
    """Return a file of a crate under the path that it has in a source package."""
    return file._replace(path=MemberPath.parse(file.path.removeprefix(layout.SOURCE_FOLDER)))
