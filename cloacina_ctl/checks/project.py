"""The rules for any project, and all rules for one together."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from cloacina_ctl.checks import graph, python
from cloacina_ctl.checks.engine import Finding, RuleSet
from cloacina_ctl.checks.rust.crate import check_crate
from cloacina_ctl.errors import Code, Severity, first_of
from cloacina_ctl.platforms.findings import library_findings
from cloacina_ctl.platforms.folders import fixed_folders, searches
from cloacina_ctl.project.selection.walk import EMPTY_FOLDER, NO_SUBMODULE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.checks.subjects import ProjectSubject
    from cloacina_ctl.errors import Diagnostic

RULES: RuleSet[ProjectSubject] = RuleSet()
_NAMED = 3


@RULES.rule(Code.SECRET, Severity.NOTE)
def left_out_secret(subject: ProjectSubject) -> Iterator[Finding]:
    """A file that may hold a secret is left out and reported: it may be intended."""
    for left_out in subject.selection.left_out:
        if left_out.secret:
            path, place = left_out.path, subject.project.config.place or "the configuration"
            hint = f'if it is not a secret: `include = ["{path}"]`'
            if path.endswith("/"):
                hint = "if a file in it is not a secret: name its path in `include`"
            yield Finding(f"left out: {left_out.reason}", path, f"{hint}, in {place}")


@RULES.rule(Code.PRIVATE_KEY, Severity.WARNING)
def private_key(subject: ProjectSubject) -> Iterator[Finding]:
    """Everyone with the package would have the key."""
    for secret in subject.secrets:
        if secret.is_private_key:
            yield Finding(
                f"{secret.what} stands in a file that gets packed",
                secret.place,
                "remove it, and make a new one: this one may be exposed",
            )


@RULES.rule(Code.CREDENTIAL, Severity.WARNING)
def credential(subject: ProjectSubject) -> Iterator[Finding]:
    """Everyone with the package could log in with it."""
    for secret in subject.secrets:
        if not secret.is_private_key:
            yield Finding(
                f"{secret.what} stands in a file that gets packed",
                secret.place,
                "remove it, and revoke it: it may be exposed",
            )


@RULES.rule(Code.EMPTY_FOLDER, Severity.NOTE)
def empty_folder(subject: ProjectSubject) -> Iterator[Finding]:
    """A package contains only files."""
    for left_out in subject.selection.left_out:
        if left_out.reason == EMPTY_FOLDER:
            yield Finding(
                "left out: an empty folder",
                left_out.path,
                "put a file into it if it is needed",
            )


@RULES.rule(Code.TRACKED_IGNORED, Severity.WARNING)
def tracked_ignored(subject: ProjectSubject) -> Iterator[Finding]:
    """A file that was added to git by force, against a rule, is expected in the package."""
    files = subject.selection.tracked
    if not files:
        return
    what = "1 tracked file is" if len(files) == 1 else f"{len(files)} tracked files are"
    yield Finding(
        f"{what} ignored by a rule and not packed: {first_of(files, _NAMED)}",
        files[0],
        f"name the files that belong into the package: include = {json.dumps(files[:_NAMED])}",
    )


@RULES.rule(Code.NO_SUBMODULE, Severity.WARNING)
def no_submodule(subject: ProjectSubject) -> Iterator[Finding]:
    """The package would silently lack these files."""
    for left_out in subject.selection.left_out:
        if left_out.reason == NO_SUBMODULE:
            path = left_out.path.rstrip("/")
            yield Finding(
                "the submodule is not checked out, so nothing of it is packed",
                path,
                f"git submodule update --init --recursive -- {shlex.quote(path)}",
            )


@RULES.rule(Code.GIT_UNREAD, Severity.WARNING)
def git_unread(subject: ProjectSubject) -> Iterator[Finding]:
    """Rules may be missing, so files may be packed that they would leave out."""
    for problem in subject.selection.git_problems:
        if problem.is_link:
            message, hint = "its rules are ignored", "put the file itself there"
        else:
            message = "the repository cannot be read, and some of its rules may be missing"
            hint = "copy the whole repository, or repeat its rules in a .gitignore of the project"
        yield Finding(f"{message}: {problem.reason}", problem.path, hint)


@RULES.rule(Code.ALL_EXECUTABLE, Severity.NOTE)
def all_executable(subject: ProjectSubject) -> Iterator[Finding]:
    """On a file system with modes the package would be different."""
    if subject.selection.all_executable:
        yield Finding(
            "every file is marked executable: only programs and files that begin with `#!` count",
            None,
            "if the file system has modes, remove the mark from modules and data: `chmod a-x`",
        )


@RULES.rule(Code.OWN_PLATFORM, Severity.WARNING)
def own_platform(subject: ProjectSubject) -> Iterator[Finding]:
    """A build may leave such a file in the source tree, and the package runs on few machines."""
    code = subject.code
    files = [one for one in code.files if not one.is_meant]
    if not files or code.strictest is None or code.problems:
        return
    minors = code.minors or ()
    pythons = f" and Python {', '.join(f'3.{minor}' for minor in minors)}" if minors else ""
    names = [one.path for one in files]
    others = len(names) - 1
    more = f", and {others} more such file{'s' * (others > 1)}" if others else ""
    yield Finding(
        f"compiled code{more}: this makes the package run only on {code.strictest.tag}{pythons}",
        names[0],
        "if `maturin develop` or `build_ext --inplace` left it there: "
        f"exclude = {json.dumps(names[:_NAMED])}; if it is intended, name it in `include`",
    )


@RULES.rule(Code.RUNPATH, Severity.WARNING)
def runpath(subject: ProjectSubject) -> Iterator[Finding]:
    """A library that lies in the project is packed as it is."""
    for one in subject.code.files:
        folders = fixed_folders(one.library) if one.library is not None else ()
        if folders:
            hint = (
                "link it without -rpath, or with $ORIGIN: what lies in the project is not changed"
            )
            yield Finding(searches(folders), one.path, hint)


@RULES.rule(Code.UNSTATED_PLATFORM, Severity.WARNING)
def unstated_platform(subject: ProjectSubject) -> Iterator[Finding]:
    """Code for several systems, or for one that runs no packages, decides no platform."""
    files = subject.code.others
    if files:
        what = first_of([f"{one.path} ({one.words})" for one in files], _NAMED)
        yield Finding(
            f"compiled code that does not decide the platform of the package: {what}",
            files[0].path,
            "leave out what is not needed on Linux: `exclude` in the configuration",
        )


def check_selection(subject: ProjectSubject) -> Iterator[Diagnostic]:
    """Yield the problems of the files that are packed, and of those that are not."""
    yield from RULES.run(subject)


def check_project(subject: ProjectSubject) -> Iterator[Diagnostic]:
    """Yield all problems of a project, from its text alone."""
    project = subject.project
    if project.python is not None:
        yield from python.RULES.run(project)
    if project.rust is not None:
        yield from check_crate(project)
    for workflow in project.workflows:
        yield from graph.check_graph(workflow)
    yield from check_selection(subject)
    yield from subject.code.problems
    yield from _check_code(subject)


def _check_code(subject: ProjectSubject) -> Iterator[Diagnostic]:
    """Yield the problems that each library would have in the package."""
    beside = {file.path.rpartition("/")[2] for file in subject.selection.files}
    for one in subject.code.files:
        if one.library is not None and not one.is_program:
            yield from library_findings(one.library, one.path, beside)
