"""The package that a word names: a file, a project's folder, or what is installed under a name."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import CloacinaError, Code, UsageError
from cloacina_ctl.formats.layout import SUFFIX
from cloacina_ctl.formats.native.reader import STDIN
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.verification.policy import VerificationPolicy


class Chosen(NamedTuple):
    """What a word means: a path, and the rule that a package there must meet.

    ``is_project`` where it is the folder of a project. ``note`` says which one was taken where the
    word could have meant two things.
    """

    path: str
    rule: VerificationPolicy
    is_project: bool = False
    note: str | None = None


def find_package(
    word: str, rule: VerificationPolicy, *, tenant: str | None = None, registry: str | None = None
) -> Chosen:
    """Return what ``word`` means.

    A path, a name that ends as packages do, and ``-`` are files, or folders of projects. Anything
    else is ``NAME[@VERSION]`` in the registry, so that nothing that lies in the current folder
    takes the place of what is installed; where nothing of that name is, a file or folder is.
    Raises what ``find_installed`` raises.
    """
    if word == STDIN or os.sep in word or word.endswith(SUFFIX) or word in (os.curdir, os.pardir):
        return _at_path(word, rule)
    from cloacina_ctl.operations.installation.lookup import DEFAULT_TENANT, find_installed

    try:
        found = find_installed(word, rule, tenant=tenant or DEFAULT_TENANT, registry=registry)
    except CloacinaError as error:
        is_absent = error.diagnostics[0].code is Code.NOT_INSTALLED
        if not is_absent or registry is not None:
            raise
        if not os.path.exists(word):
            raise _neither(
                error, "there is no file and no project of that name here either"
            ) from error
        if os.path.isdir(word) and (wrong := _no_project(word)) is not None:
            raise _neither(error, f"the folder .{os.sep}{word} is no project: {wrong}") from error
        chosen = _at_path(word, rule)
        note = f"{word} is not installed: using the project folder .{os.sep}{word}"
        return chosen._replace(note=note) if chosen.is_project else chosen
    named = f"{found.installed.name} {found.installed.version}"
    note = f"using the installed package {named}; the project folder is .{os.sep}{word}"
    return Chosen(found.path, found.rule, note=note if os.path.isdir(word) else None)


def _no_project(folder: str) -> str | None:
    """Return what a folder without a project lacks; None where there is one, be it a wrong one."""
    from cloacina_ctl.project.detect import detect

    try:
        detect(folder)
    except CloacinaError as error:
        first = error.diagnostics[0]
        if first.code is Code.NO_PROJECT:
            return first.message.removeprefix("no project there: ")
    return None


def _neither(error: CloacinaError, reason: str) -> CloacinaError:
    """Return the error for a word that is neither installed nor names a file or a project."""
    first, *others = error.diagnostics
    hint = f"{reason}; {first.hint}"
    return type(error)(first._replace(hint=hint), *others)


def _at_path(path: str, rule: VerificationPolicy) -> Chosen:
    if not os.path.isdir(path):
        return Chosen(path, rule)
    if rule.keys or rule.threshold > 1:
        raise UsageError.of(
            Code.USAGE,
            "a project has no signatures: --key and --threshold are for packages",
            where=path,
            hint="make a package of it first: `cloacina-ctl package`",
        )
    return Chosen(path, rule, is_project=True)
