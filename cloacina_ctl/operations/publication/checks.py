"""Whether a server would load a package, checked before a byte leaves this machine.

The server's own yes to an upload is worth little: it accepts packages without code, with an empty
name, with a version that is none, and never loads them. So everything is checked here: signatures,
what ``validate`` finds, the rules of the server's release, and what a publisher needs beyond them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from cloacina_ctl.checks.releases import facts_of_package
from cloacina_ctl.checks.subjects import LegacySubject
from cloacina_ctl.errors import Code, Diagnostic, Incompatible, refuse_errors
from cloacina_ctl.formats.legacy.model import Format
from cloacina_ctl.inspection.legacy_contents import read_contents
from cloacina_ctl.manifest.texts import pep440_problem, semver_problem
from cloacina_ctl.releases.rules import PackageFacts, Sizes, reasons_against
from cloacina_ctl.releases.table import PYTHON, SOURCE
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.verify import Unsigned, begin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.formats.legacy.model import SourceManifest
    from cloacina_ctl.formats.legacy.reader import LegacyPackage
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.releases.table import Release
    from cloacina_ctl.verification.policy import VerificationPolicy


_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
# Right for a package of computation graphs alone, which `graph_name` says that it is.
_WITHOUT_TASKS = (Code.NO_PYTHON_TASK, Code.NO_RUST_WORKFLOW)


class CheckedPackage(NamedTuple):
    """What is known of a package that a server of that release would load.

    ``workflow`` is None and ``tasks`` are empty where it holds computation graphs alone.
    """

    name: str
    version: str
    content: str
    workflow: str | None
    tasks: tuple[str, ...]
    trusted_signers: tuple[str, ...]
    warnings: tuple[Diagnostic, ...]


def check_for_server(
    package: LegacyPackage,
    rule: VerificationPolicy,
    release: Release,
    progress: Progress | None = None,
) -> CheckedPackage:
    """Read all of ``package`` once, and return what it is.

    Raises ``NotTrusted`` where the rule is not met, ``Refused`` for what is wrong with it whatever
    the release, ``Incompatible`` for what a server of ``release`` never loads.
    """
    _refuse_too_large(package, release)
    proof = begin(package, rule, unsigned=Unsigned.LAST)
    read = read_contents(proof, progress=progress)
    require_source(package, read.contents.format)
    subject = LegacySubject.of(read)
    found = _findings(subject)
    refuse_errors(found)
    against = _of_server(release, facts_of_package(subject), package.path) + _unnamed(subject)
    if against:
        raise Incompatible(*against)
    manifest = _manifest(subject)
    workflows = subject.source.workflows if subject.source is not None else ()
    return CheckedPackage(
        name=manifest.name,
        version=manifest.version,
        content=subject.contents.content,
        workflow=workflows[0].name if workflows else None,
        tasks=tuple(sorted(one.id for each in workflows for one in each.tasks if one.id)),
        trusted_signers=read.evidence.trusted_signers,
        warnings=tuple(found),
    )


def _refuse_too_large(package: LegacyPackage, release: Release) -> None:
    """Refuse by its size what is not worth reading: that takes a minute where it is large."""
    against = _of_server(release, PackageFacts(SOURCE, sizes=Sizes(package.size)), package.path)
    if against:
        raise Incompatible(*against)


def require_source(package: LegacyPackage, form: Format) -> None:
    """Refuse what no server reads: servers take source packages alone."""
    if form is not Format.SOURCE:
        raise Incompatible.of(
            Code.OLDER_FORMAT,
            f"it is a {form.value} package, and servers read only source packages",
            where=package.path,
            hint="package it from its project: `cloacina-ctl package --format source`",
        )


def _manifest(subject: LegacySubject) -> SourceManifest:
    """Return the manifest, which `require_source` proved to be of this kind."""
    return cast("SourceManifest", subject.contents.manifest)


def _findings(subject: LegacySubject) -> list[Diagnostic]:
    """Return what ``validate`` finds, but for what it says of other releases."""
    from cloacina_ctl.checks.legacy_package import check_contents

    without_tasks = _WITHOUT_TASKS if _manifest(subject).graph_name is not None else ()
    found = (one for one in check_contents(subject) if one.code not in without_tasks)
    return [*_identity_problems(subject), *found]


def _identity_problems(subject: LegacySubject) -> Iterator[Diagnostic]:
    """Yield what no server refuses, though it is an error: such a version is never superseded."""
    manifest = _manifest(subject)
    if not _NAME.fullmatch(manifest.name):
        yield Diagnostic(
            Code.FIELD_VALUE, f"no package can have this name: {manifest.name[:80]}", subject.path
        )
    version = manifest.version
    if semver_problem(version) is not None and pep440_problem(version) is not None:
        yield Diagnostic(
            Code.FIELD_VALUE, f"not a version such as 1.2.3: {version[:80]}", subject.path
        )


def _of_server(release: Release, facts: PackageFacts, path: str) -> tuple[Diagnostic, ...]:
    """Return why a server of the release never loads a package of these facts."""
    server = f"a server of Cloacina {release.name}"
    return tuple(
        Diagnostic(reason.code, f"{server} does not load it: {reason.message}", path, reason.hint)
        for reason in reasons_against(release, facts)
    )


def _unnamed(subject: LegacySubject) -> tuple[Diagnostic, ...]:
    """Return an error for a Python package without a name: servers give all of them one name."""
    manifest = _manifest(subject)
    has_name = manifest.workflow_name is not None or manifest.graph_name is not None
    if has_name or subject.language != PYTHON:
        return ()
    message = "`workflow_name` under [metadata] is missing, and every such package is `unknown`"
    hint = "package it again with a name for its workflow"
    return (Diagnostic(Code.RELEASES_REFUSE, message, subject.path, hint),)
