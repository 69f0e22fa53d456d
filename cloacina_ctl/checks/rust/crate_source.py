"""Finds why the source of a crate does not build without the rest of its project."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from cloacina_ctl.checks.engine import Finding, RuleSet
from cloacina_ctl.errors import Code, Severity, first_of
from cloacina_ctl.project.crate_source.facts import OUTSIDE
from cloacina_ctl.project.crate_source.local_packages import no_workspace
from cloacina_ctl.project.crate_source.tables import MOST_NAMED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.crate_source.facts import SourceFacts

RULES: RuleSet[SourceFacts] = RuleSet()


@RULES.rule(Code.COMPILED_IN)
def compiled_in(subject: SourceFacts) -> Iterator[Finding]:
    """A file that the compiler reads and that is not packed breaks every build elsewhere."""
    for missing in subject.missing:
        read, path = missing.read, missing.read.path
        hint = "check the path; a generated file belongs into OUT_DIR"
        if missing.reason == OUTSIDE:
            hint = "move or copy the file into the crate, and correct the path"
        elif missing.left_out:
            hint = f"add include = {json.dumps([path])} to [package.metadata.cloacina]"
        yield Finding(
            f"`{read.how}` reads {path}, which is not packed: {missing.reason}",
            subject.prefix + read.place or None,  # a build lists the file, not its reader
            hint,
            None if read.is_certain else Severity.WARNING,
        )


@RULES.rule(Code.WATCHED, Severity.WARNING)
def watched(subject: SourceFacts) -> Iterator[Finding]:
    """A build script may work without a file that it reads, so this is not an error."""
    for path in subject.watched:
        yield Finding(
            "a build script reads it, and it is not in the package",
            path,
            "make sure that the build script works without it",
        )


@RULES.rule(Code.NO_WORKSPACE)
def needs_workspace(subject: SourceFacts) -> Iterator[Finding]:
    """Cargo refuses a manifest that inherits from a missing workspace."""
    if subject.inherited:
        said = no_workspace(subject.inherited, subject.prefix + "Cargo.toml")
        yield Finding(said.message, said.where, said.hint)


@RULES.rule(Code.PATH_DEPENDENCY)
def path_outside(subject: SourceFacts) -> Iterator[Finding]:
    """Cargo looks for every dependency by path before it builds anything."""
    for name in subject.outside:
        yield Finding(
            f"`{name}` is a dependency by path, and its folder is not in the package",
            subject.prefix + "Cargo.toml",
            "package the crate again: dependencies by path are packed too",
        )


@RULES.rule(Code.PROJECT_CHOOSES, Severity.WARNING)
def tells_cargo(subject: SourceFacts) -> Iterator[Finding]:
    """These settings are for the author's machine, and apply on every machine that builds it."""
    for path, keys in subject.settings:
        yield Finding(
            f"the package configures cargo: {first_of(keys, MOST_NAMED)}",
            subject.prefix + path,
            "leave the file out, unless every build needs these settings",
        )
