"""Whether a server would load a package, told before a byte leaves this machine.

The server's own yes to an upload is worth little: it accepts packages without code, with an empty
name, with a version that is none, and never loads them. So everything is judged here: who vouches,
what ``validate`` finds, the rules of the server's release, and what a publisher needs beyond them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from cloacina_ctl.checks.subjects import LegacySubject
from cloacina_ctl.errors import Code, Diagnostic, Incompatible, refuse_errors
from cloacina_ctl.formats.legacy.model import Generation
from cloacina_ctl.inspection.legacy_contents import read_contents
from cloacina_ctl.manifest.texts import judge_pep440, judge_semver
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.verify import Unsigned, begin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.formats.legacy.model import SourceManifest
    from cloacina_ctl.formats.legacy.reader import LegacyPackage
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.releases.table import Runtime
    from cloacina_ctl.verification.policy import Rule


_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
# Right for a package of computation graphs alone, which `graph_name` says that it is.
_WITHOUT_TASKS = (Code.NO_PYTHON_TASK, Code.NO_RUST_WORKFLOW)


class Checked(NamedTuple):
    """What is known of a package that a server of that release would load.

    ``workflow`` is None and ``tasks`` are empty where it holds computation graphs alone.
    """

    name: str
    version: str
    content: str
    workflow: str | None
    tasks: tuple[str, ...]
    vouched_by: tuple[str, ...]
    warnings: tuple[Diagnostic, ...]


def check_for_server(
    package: LegacyPackage, rule: Rule, runtime: Runtime, progress: Progress | None = None
) -> Checked:
    """Read all of ``package`` once, and return what it is.

    Raises ``NotTrusted`` where the rule is not met, ``Refused`` for what is wrong with it whatever
    the release, ``Incompatible`` for what a server of the release ``runtime`` never loads.
    """
    _refuse_too_large(package, runtime)
    proof = begin(package, rule, unsigned=Unsigned.LAST)
    read = read_contents(proof, progress=progress)
    require_source(package, read.contents.generation)
    subject = LegacySubject.of(read)
    found = _findings(subject)
    refuse_errors(found)
    against = list(_against(runtime, subject))
    if against:
        raise Incompatible(*against)
    manifest = _manifest(subject)
    workflows = subject.source.workflows if subject.source is not None else ()
    return Checked(
        name=manifest.name,
        version=manifest.version,
        content=subject.contents.content,
        workflow=workflows[0].name if workflows else None,
        tasks=tuple(sorted(one.id for each in workflows for one in each.tasks if one.id)),
        vouched_by=read.evidence.trusted_signers,
        warnings=tuple(found),
    )


def _refuse_too_large(package: LegacyPackage, runtime: Runtime) -> None:
    """Refuse by its size what is not worth reading: that takes a minute where it is large."""
    if runtime.upload is not None and package.size > runtime.upload:
        raise Incompatible.of(
            Code.RELEASE_LIMIT,
            f"the file has {package.size} bytes, and a server of Cloacina {runtime.name} takes at "
            f"most {runtime.upload}",
            where=package.path,
        )


def require_source(package: LegacyPackage, generation: Generation) -> None:
    """Refuse what no server reads: servers take source packages alone."""
    if generation is not Generation.SOURCE:
        raise Incompatible.of(
            Code.OTHER_GENERATION,
            f"it is a {generation.value} package, and servers read source packages alone",
            where=package.path,
            hint="package it from its project: `cloacina-ctl package --format source`",
        )


def _manifest(subject: LegacySubject) -> SourceManifest:
    """Return the manifest, which `require_source` proved to be of this kind."""
    return cast("SourceManifest", subject.contents.manifest)


def _findings(subject: LegacySubject) -> list[Diagnostic]:
    """Return what ``validate`` finds, but for what it says of other releases."""
    from cloacina_ctl.checks.legacy_package import check_foreign
    from cloacina_ctl.checks.releases import release_findings

    of_releases = set(release_findings(subject))
    without_tasks = _WITHOUT_TASKS if _manifest(subject).graph_name is not None else ()
    return [
        *_identity_problems(subject),
        *(
            one
            for one in check_foreign(subject)
            if one not in of_releases and one.code not in without_tasks
        ),
    ]


def _identity_problems(subject: LegacySubject) -> Iterator[Diagnostic]:
    """Yield what no server refuses and everybody regrets: such a version is never superseded."""
    manifest = _manifest(subject)
    if not _NAME.fullmatch(manifest.name):
        yield Diagnostic(
            Code.FIELD_VALUE, f"no package can have this name: {manifest.name[:80]}", subject.path
        )
    version = manifest.version
    if judge_semver(version) is not None and judge_pep440(version) is not None:
        yield Diagnostic(
            Code.FIELD_VALUE, f"not a version such as 1.2.3: {version[:80]}", subject.path
        )


def _against(runtime: Runtime, subject: LegacySubject) -> Iterator[Diagnostic]:
    """Yield why a server of the release never loads the package."""
    from cloacina_ctl.checks.releases import reasons_against, releases_that_load

    server = f"a server of Cloacina {runtime.name}"
    reasons = list(reasons_against(runtime, subject))
    for reason in reasons:
        message = f"{server} does not load it: {reason.message}"
        yield Diagnostic(reason.code, message, subject.path, reason.cure)
    if not reasons and runtime.name not in releases_that_load(subject):
        yield _unloadable(runtime, subject)
    manifest = _manifest(subject)
    unnamed = manifest.workflow_name is None and manifest.graph_name is None
    if subject.language == "python" and unnamed:
        yield Diagnostic(
            Code.RELEASES_REFUSE,
            "`workflow_name` under [metadata] is missing, and every such package is `unknown`",
            subject.path,
            "package it again with a name for its workflow",
        )


def _unloadable(runtime: Runtime, subject: LegacySubject) -> Diagnostic:
    """Return why a release whose rules the manifest keeps does not load the code."""
    server = f"a server of Cloacina {runtime.name}"
    rust = subject.source.rust if subject.source is not None else None
    if rust is not None and runtime.lock_file and not rust.crate.has_lock_file:
        return Diagnostic(
            Code.NO_LOCK_FILE,
            f"no Cargo.lock is in it, and the compiler of {server} builds with --frozen",
            subject.path,
            "run `cargo generate-lockfile` in the project and package it again: a failed build "
            "uses the version up",
        )
    wanted = rust.crate.cloacina_release if rust is not None else None
    return Diagnostic(
        Code.RELEASES_REFUSE,
        f"{server} does not load it" + (f": the crate is for Cloacina {wanted}" if wanted else ""),
        subject.path,
        "name the server's release with --runtime, or change the crate's dependencies",
    )
