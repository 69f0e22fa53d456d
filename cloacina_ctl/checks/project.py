"""What goes wrong with any project, and all the rules for one together."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from cloacina_ctl.checks import graph, python, rust
from cloacina_ctl.checks.engine import Finding, Rules
from cloacina_ctl.errors import Code, Severity
from cloacina_ctl.project.walk import EMPTY_FOLDER, NO_SUBMODULE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.checks.subjects import ProjectSubject
    from cloacina_ctl.errors import Diagnostic

RULES: Rules[ProjectSubject] = Rules()
_NAMED = 3


@RULES.rule(Code.SECRET, Severity.NOTE)
def left_out_secret(subject: ProjectSubject) -> Iterator[Finding]:
    """A file that may hold a secret is left out, and that is said: it may have been meant."""
    for left_out in subject.selection.left_out:
        if left_out.secret:
            path, place = left_out.path, subject.project.config.place or "the configuration"
            cure = f'if it is no secret: `include = ["{path}"]`'
            if path.endswith("/"):
                cure = "if a file in it is no secret: name its path in `include`"
            yield Finding(f"left out: {left_out.reason}", path, f"{cure}, in {place}")


@RULES.rule(Code.PRIVATE_KEY, Severity.WARNING)
def private_key(subject: ProjectSubject) -> Iterator[Finding]:
    """Whoever gets the package gets the key."""
    for secret in subject.secrets:
        if secret.is_private_key:
            yield Finding(
                f"{secret.what} stands in a file that gets packed",
                secret.place,
                "take it out, and make a new one: this one may be known already",
            )


@RULES.rule(Code.CREDENTIAL, Severity.WARNING)
def credential(subject: ProjectSubject) -> Iterator[Finding]:
    """Whoever gets the package can log in with it."""
    for secret in subject.secrets:
        if not secret.is_private_key:
            yield Finding(
                f"{secret.what} stands in a file that gets packed",
                secret.place,
                "take it out, and revoke it: it may be known already",
            )


@RULES.rule(Code.EMPTY_FOLDER, Severity.NOTE)
def empty_folder(subject: ProjectSubject) -> Iterator[Finding]:
    """A package holds files alone."""
    for left_out in subject.selection.left_out:
        if left_out.reason == EMPTY_FOLDER:
            yield Finding(
                "left out: an empty folder",
                left_out.path,
                "put a file into it if it has to be there",
            )


@RULES.rule(Code.TRACKED_IGNORED, Severity.WARNING)
def tracked_ignored(subject: ProjectSubject) -> Iterator[Finding]:
    """Whoever added a file by force, against a rule, expects it in the package."""
    files = subject.selection.tracked
    if not files:
        return
    named = ", ".join(files[:_NAMED])
    more = f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    what = "1 tracked file is" if len(files) == 1 else f"{len(files)} tracked files are"
    yield Finding(
        f"{what} ignored by a rule and not packed: {named}{more}",
        files[0],
        f"name what belongs into the package: include = {json.dumps(files[:_NAMED])}",
    )


@RULES.rule(Code.NO_SUBMODULE, Severity.WARNING)
def no_submodule(subject: ProjectSubject) -> Iterator[Finding]:
    """The package would be one of a project without these files, and nobody would see why."""
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
    """Rules may be missing, and with them what they leave out."""
    for problem in subject.selection.git_problems:
        if problem.is_link:
            message, hint = "its rules do not count", "put the file itself there"
        else:
            message = "the repository cannot be read, and rules of it may be missing"
            hint = "copy the whole repository, or repeat its rules in a .gitignore of the project"
        yield Finding(f"{message}: {problem.reason}", problem.path, hint)


def check_project(subject: ProjectSubject) -> Iterator[Diagnostic]:
    """Yield everything that is found wrong with a project, from its text alone."""
    project = subject.project
    if project.python is not None:
        yield from python.RULES.run(project)
    if project.rust is not None:
        yield from rust.RULES.run(project)
    for workflow in project.workflows:
        yield from graph.check_graph(workflow)
    yield from RULES.run(subject)
