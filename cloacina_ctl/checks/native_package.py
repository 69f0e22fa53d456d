"""The rules for a native package of valid form: its manifest compared with its code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks import other_python, rule_names
from cloacina_ctl.checks.engine import Finding, RuleSet
from cloacina_ctl.checks.signatures import failing, is_checked
from cloacina_ctl.errors import Code, Severity, first_of
from cloacina_ctl.formats.layout import section_of
from cloacina_ctl.manifest import Language
from cloacina_ctl.platforms import artifact_of
from cloacina_ctl.platforms.baseline import MUSL
from cloacina_ctl.platforms.elf.header import reads_plugins
from cloacina_ctl.platforms.findings import library_findings
from cloacina_ctl.platforms.folders import fixed_folders, searches
from cloacina_ctl.platforms.tags import states
from cloacina_ctl.platforms.triples import unread as unread_machine
from cloacina_ctl.project.model import CONSTRUCTOR
from cloacina_ctl.signing.policy import how_to_sign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.checks.subjects import PackageSubject, ReadLibrary
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.manifest import Artifact, Libc, Task
    from cloacina_ctl.platforms import Library

RULES: RuleSet[PackageSubject] = RuleSet()
_MOST = 8

_RUNPATH_HINTS = {
    "cdylib": "package the crate again: `package` removes such folders",
    "wheel-tree": "link it without -rpath, or with $ORIGIN: `package` does not change it",
}


def _libraries(subject: PackageSubject) -> Iterator[tuple[ReadLibrary, Library, Artifact]]:
    artifacts = {artifact.path: artifact for artifact in subject.head.manifest.artifacts}
    for read in subject.libraries:
        if read.library is not None:
            yield read, read.library, artifacts[read.path]


@RULES.rule(Code.UNSIGNED, Severity.WARNING)
def unsigned(subject: PackageSubject) -> Iterator[Finding]:
    """The maker of an unsigned package is unknown."""
    if not subject.signatures:
        yield Finding("the package is not signed", subject.path, how_to_sign(subject.path))


@RULES.rule(Code.BAD_SIGNATURE)
def bad_signature(subject: PackageSubject) -> Iterator[Finding]:
    """A failing signature by a known key is a forgery or an accident, and always reported."""
    yield from failing(subject.signatures, subject.path)


@RULES.rule(Code.NO_TRUSTED_SIGNER, Severity.NOTE)
def no_trusted_signer(subject: PackageSubject) -> Iterator[Finding]:
    """Signatures by keys that this user does not trust prove nothing to this user."""
    if subject.signatures and not is_checked(subject.signatures):
        yield Finding(
            "signed, but not by a trusted key",
            subject.path,
            "trust a key with `cloacina-ctl trust add`",
        )


@RULES.rule(Code.WITHHELD, Severity.WARNING)
def withheld(subject: PackageSubject) -> Iterator[Finding]:
    """A withheld section cannot be checked."""
    for section in subject.withheld:
        yield Finding(f"the section `{section}` is not in this file", subject.path)


@RULES.rule(Code.PLATFORM_MISMATCH)
def platform_mismatch(subject: PackageSubject) -> Iterator[Finding]:
    """A library for a platform other than that of its folder loads nowhere that it is chosen."""
    for read, library, artifact in _libraries(subject):
        if not states(artifact.platform, library.tag, library.libc):
            message = f"it is packed under `{artifact.platform}` and is for `{library.tag}`"
            yield Finding(message, read.path)


@RULES.rule(Code.ARTIFACT_MISMATCH)
def artifact_mismatch(subject: PackageSubject) -> Iterator[Finding]:
    """The manifest's statements about a library must match the library."""
    for read, library, artifact in _libraries(subject):
        derived = artifact_of(library, path=artifact.path, built_with=artifact.built_with)
        for field in ("machine", "os", "libc", "needed", "interface"):
            claimed, found = getattr(artifact, field), getattr(derived, field)
            if claimed != found and not (field == "libc" and _is_stated(claimed, found)):
                yield Finding(
                    f"the manifest states {field} {_shown(claimed)}, the library {_shown(found)}",
                    read.path,
                )


@RULES.rule(Code.NO_PLUGIN)
def no_plugin(subject: PackageSubject) -> Iterator[Finding]:
    """A library without a plugin cannot be loaded by any runtime."""
    for read, library, artifact in _libraries(subject):
        if artifact.kind != "cdylib" or not reads_plugins(library.machine):
            continue
        if library.plugin is None:
            yield Finding(
                "the library exports no plugin",
                read.path,
                "add `cloacina_workflow_plugin::package!();` to the crate and package it again",
            )


@RULES.rule(Code.SOURCE_DISAGREES)
def tasks_disagree(subject: PackageSubject) -> Iterator[Finding]:
    """The tasks of the manifest must be those of the library's graph (without constructors)."""
    made = {task.id for task in _tasks(subject) if task.function == CONSTRUCTOR}
    claimed = {
        (id_, tuple(need for need in needs if need not in made))
        for id_, needs in _claimed_tasks(subject)
        if id_ not in made
    }
    for read, library, _ in _libraries(subject):
        found = {
            (id_, tuple(sorted(dependencies)))
            for graph in library.graphs
            for id_, dependencies in graph.tasks
        }
        if found and found != claimed:
            different = sorted({id_ for id_, _ in found ^ claimed})
            yield Finding(
                f"the manifest and the library disagree on the tasks: {first_of(different, _MOST)}",
                read.path,
            )


@RULES.rule(Code.PYTHON_SYNTAX)
def python_syntax(subject: PackageSubject) -> Iterator[Finding]:
    """A packed module that cannot be parsed cannot be imported either."""
    requires = _python_of(subject)
    for source in subject.sources:
        problem = source.problem
        if problem is not None and not other_python.is_for_newer(problem, requires, packed=True):
            yield Finding(*other_python.refused(problem, requires))


@RULES.rule(Code.NOT_CHECKED, Severity.WARNING)
def not_checked(subject: PackageSubject) -> Iterator[Finding]:
    """The Python of this machine may differ from that of the engine."""
    requires = _python_of(subject)
    for source in subject.sources:
        problem = source.problem
        if problem is not None and other_python.is_for_newer(problem, requires, packed=True):
            yield Finding(*other_python.not_checked(problem, requires))


@RULES.rule(Code.OLDER_PYTHON, Severity.WARNING)
def older_python(subject: PackageSubject) -> Iterator[Finding]:
    """Importing it raises `SyntaxError` on a Python that the package claims to support."""
    for source in subject.sources:
        yield from other_python.too_new(source.newer, _python_of(subject))


@RULES.rule(Code.WORKFLOW_BUILDER)
def workflow_builder(subject: PackageSubject) -> Iterator[Finding]:
    """The loader makes the workflow itself, and does not find tasks of a builder."""
    for source in subject.sources:
        for place in source.builders:
            message = "the module builds its workflow itself: engines find none of its tasks"
            yield Finding(message, place)


@RULES.rule(Code.LIBRARY_ONLY)
def library_only(subject: PackageSubject) -> Iterator[Finding]:
    """Servers provide their own `cloaca`, which declares tasks but does not run them."""
    for source in subject.sources:
        for place, name in source.library_only:
            message = f"importing the module needs `cloaca.{name}`, which packages do not have"
            yield Finding(message, place)


def _python_of(subject: PackageSubject) -> str | None:
    requires = subject.head.manifest.requires
    return requires.python if requires is not None else None


@RULES.rule(Code.PYTHON_DISAGREES)
def python_disagrees(subject: PackageSubject) -> Iterator[Finding]:
    """The tasks of the manifest must be those that the packed modules declare."""
    if not subject.sources or any(source.problem or source.hidden for source in subject.sources):
        return
    declared = {
        (
            task.id or "?",
            tuple(sorted({need.id for need in task.dependencies if need.id is not None})),
        )
        for source in subject.sources
        for task in source.tasks
    }
    claimed = _claimed_tasks(subject)
    if declared != claimed:
        different = sorted({id_ for id_, _ in declared ^ claimed})
        yield Finding(
            f"the manifest and the packed source disagree on: {first_of(different, _MOST)}",
            subject.path,
        )


@RULES.rule(Code.SHORT_RULE, Severity.WARNING)
def short_rule(subject: PackageSubject) -> Iterator[Finding]:
    """Engines compare the names in a rule of a Python task with full names."""
    manifest = subject.head.manifest
    if manifest.language is not Language.PYTHON:
        return
    for task in _tasks(subject):
        names = rule_names.short_names(task.trigger_rules or "")
        if names:
            yield Finding(rule_names.words(task.id, names), task.source, rule_names.HINT)


@RULES.rule(Code.UNSTATED_PLATFORM, Severity.WARNING)
def unstated_platform(subject: PackageSubject) -> Iterator[Finding]:
    """On another platform importing it fails, without a check beforehand."""
    if subject.unstated:
        yield Finding(
            f"compiled code without a stated platform: {first_of(subject.unstated, _MOST)}",
            subject.unstated[0],
            "package the project again: `package` reads which platform it is for",
        )


@RULES.rule(Code.RUNPATH, Severity.WARNING)
def runpath(subject: PackageSubject) -> Iterator[Finding]:
    """A folder of the builder's machine is searched on every machine that loads the library."""
    for read, library, artifact in _libraries(subject):
        folders = fixed_folders(library)
        if folders:
            yield Finding(searches(folders), read.path, _RUNPATH_HINTS[artifact.kind])


@RULES.rule(Code.ABSOLUTE_NEEDED, Severity.WARNING)
def needed_by_path(subject: PackageSubject) -> Iterator[Finding]:
    """A library that is needed by path is found only on the builder's machine."""
    for read, library, _ in _libraries(subject):
        for name in library.needed:
            if "/" in name:
                yield Finding(f"it needs a library by path: {name}", read.path)


@RULES.rule(Code.EXECUTABLE_STACK, Severity.WARNING)
def executable_stack(subject: PackageSubject) -> Iterator[Finding]:
    """An executable stack switches off a protection of the whole process."""
    for read, library, _ in _libraries(subject):
        if library.executable_stack:
            yield Finding("it requests an executable stack", read.path)


@RULES.rule(Code.TEXT_RELOCATIONS, Severity.WARNING)
def text_relocations(subject: PackageSubject) -> Iterator[Finding]:
    """Hardened systems refuse code that is rewritten when it is loaded."""
    for read, library, _ in _libraries(subject):
        if library.text_relocations:
            yield Finding("it rewrites its own code when it is loaded", read.path)


def _is_stated(claimed: Libc | None, found: Libc | None) -> bool:
    """Return whether the manifest states a release of musl, which a library never does."""
    return claimed is not None and claimed.name == MUSL and found == claimed._replace(floor=None)


def _claimed_tasks(subject: PackageSubject) -> set[tuple[str, tuple[str, ...]]]:
    return {(task.id, task.dependencies) for task in _tasks(subject)}


def _tasks(subject: PackageSubject) -> Iterator[Task]:
    return (task for workflow in subject.head.manifest.workflows for task in workflow.tasks)


def check_package(subject: PackageSubject) -> Iterator[Diagnostic]:
    """Yield all problems of a package of valid form."""
    for read in subject.libraries:
        for diagnostic in read.problem.diagnostics if read.problem else ():
            yield diagnostic._replace(where=read.path)
    yield from RULES.run(subject)
    for read, library, artifact in _libraries(subject):
        yield from library_findings(library, read.path, _beside(subject, read.path))
        if artifact.kind == "cdylib" and not reads_plugins(library.machine):
            yield unread_machine(library.machine, read.path)._replace(severity=Severity.WARNING)
    manifest = subject.head.manifest
    if manifest.language is Language.PYTHON:
        from cloacina_ctl.checks.imports import check_packed_imports

        members = (str(file.path) for file in subject.head.files)
        yield from check_packed_imports(subject.path, subject.imports, members, manifest.requires)


def _beside(subject: PackageSubject, path: str) -> set[str]:
    """Return the names of all files for the same platform as ``path``."""
    section = section_of(path)
    files = (file.path for file in subject.head.files if section_of(file.path) == section)
    return {one.rpartition("/")[2] for one in files}


def _shown(value: object) -> str:
    if value is None or value == ():
        return "nothing"
    if isinstance(value, tuple):
        return ", ".join(_shown(item) for item in value if item not in (None, ()))
    return str(value)
