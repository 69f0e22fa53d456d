"""A package that is verified by the rule of ``verify`` and then loaded, in a child process.

The argument is that of ``authenticity``, and ends with: (8) what the child gets is what (7) proved,
and nothing of it is loaded before somebody vouches; (9) what the loaded code says of its tasks and
its interface is what the manifest says.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Incompatible, Refused, Severity
from cloacina_ctl.formats.native.reader import Package
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.formats.threads import default_jobs
from cloacina_ctl.platforms.tags import host_platform
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.runtime.consistency import disagreements
from cloacina_ctl.runtime.loading import (
    Foreign,
    choose_artifact,
    load,
    take_native,
    vendored_elsewhere,
)
from cloacina_ctl.runtime.metadata import with_the_codes_own_words, workflow_of
from cloacina_ctl.runtime.process.child import HostOptions
from cloacina_ctl.runtime.scheduler.select import choose_workflow
from cloacina_ctl.runtime.session import Preparation
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification import authenticity
from cloacina_ctl.verification.authenticity import Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloacina_ctl.formats.legacy.reader import Contents, ForeignPackage
    from cloacina_ctl.formats.native.payload import Sink
    from cloacina_ctl.manifest.model import Artifact, Workflow
    from cloacina_ctl.runtime.metadata import Described
    from cloacina_ctl.runtime.process.bundle import Material
    from cloacina_ctl.runtime.session import Session
    from cloacina_ctl.signing.judge import KnownKey

__all__ = ["Loaded", "Rule", "Verification", "open_package"]


class Verification(NamedTuple):
    """How long it took to verify a package, and how large its file is, in bytes."""

    size: int
    seconds: float


class Loaded(NamedTuple):
    """A loaded package, and what was proved of it: names, identity, who vouches by fingerprint.

    ``workflows`` are what the manifest says, or where it cannot, what the code says; the one that
    is loaded has the trigger rules and retry settings of its code. ``warnings`` are what is odd
    about the package; what is noticed while it runs is the session's to tell.
    """

    name: str
    version: str
    content: str
    vouched_by: tuple[str, ...]
    workflows: tuple[Workflow, ...]
    session: Session
    verification: Verification
    warnings: tuple[Diagnostic, ...] = ()


class _Verified(NamedTuple):
    """What is known once every byte that gets loaded was proved."""

    name: str
    version: str
    content: str
    vouched_by: tuple[str, ...]
    workflows: tuple[Workflow, ...]
    artifacts: tuple[Artifact, ...]
    is_native: bool
    size: int


@contextlib.contextmanager
def open_package(
    path: str,
    rule: Rule = Rule(),
    options: HostOptions = HostOptions(),
    progress: Progress | None = None,
    *,
    workflow: str | None = None,
    loads: Callable[[str], None] | None = None,
) -> Iterator[Loaded]:
    """Verify the package at ``path`` and load it; the child process ends with the block.

    Of a package with several workflows the one called ``workflow`` is loaded, or the first.
    ``loads`` is called with the package's name before its code is loaded. Raises what ``verify``
    raises, before anything is loaded; ``Incompatible`` where it holds nothing for this machine;
    ``Refused`` for code that cannot be loaded or is not what the manifest says.
    """
    authenticity.check_rule(rule)
    with Preparation(path, options) as ready:
        began = time.monotonic()
        verified = _take(path, rule, ready.material, progress, workflow)
        verification = Verification(verified.size, time.monotonic() - began)
        if loads is not None:
            loads(verified.name)
        elsewhere = vendored_elsewhere(verified.artifacts, host_platform(), path)
        try:
            session = load(ready)
        except (Refused, Incompatible) as error:
            error.diagnostics += elsewhere
            raise
        with session:
            described = session.describe()
            verified = _named(verified, described)
            workflows, warnings = _compare(verified, described, path)
            yield Loaded(
                name=verified.name,
                version=verified.version,
                content=verified.content,
                vouched_by=verified.vouched_by,
                workflows=tuple(with_the_codes_own_words(one, described) for one in workflows),
                session=session,
                verification=verification,
                warnings=(*warnings, *elsewhere),
            )


def _take(
    path: str, rule: Rule, material: Material, progress: Progress | None, workflow: str | None
) -> _Verified:
    known = authenticity.keys_that_count(rule)
    with open_any(path, rule.limits) as package:  # (1)
        if not isinstance(package, Package):
            return _take_foreign(package, rule, known, material, progress)
        vouched_by = authenticity.vouch(package, rule, known).vouched_by  # (2) to (6)
        head = package.head
        manifest = head.manifest
        if workflow is not None:
            workflow = choose_workflow(manifest.workflows, workflow).name
        take_native(  # (7), (8)
            package,
            material,
            workflow=workflow,
            jobs=rule.jobs or default_jobs(),
            progress=stage(progress, "verifying"),
        )
        return _Verified(
            name=manifest.package.name,
            version=manifest.package.version,
            content=head.content,
            vouched_by=vouched_by,
            workflows=manifest.workflows,
            artifacts=manifest.artifacts,
            is_native=True,
            size=package.size,
        )


def _take_foreign(
    package: ForeignPackage,
    rule: Rule,
    known: tuple[KnownKey, ...],
    material: Material,
    progress: Progress | None,
) -> _Verified:
    """Prove and take a package of another generation, in one pass as ``foreign.proof`` does."""
    from cloacina_ctl.inspection.legacy_contents import Looked, look_into
    from cloacina_ctl.inspection.manifest_view import view_of
    from cloacina_ctl.verification.legacy import name_of, prove

    seen: list[Looked] = []

    def read(sink: Sink) -> Contents:
        seen.append(look_into(package, sink, progress))
        return seen[0].contents

    with Foreign(material) as taking:
        contents, judged = prove(package, rule, known, taking.sink, read, early=True)
        vouched = authenticity.require(judged, rule, package.path)
        taking.settle(contents)
        name, version = name_of(contents)
        return _Verified(
            name=name,
            version=version,
            content=contents.content,
            vouched_by=vouched,
            workflows=view_of(seen[0]).workflows,
            artifacts=(),
            is_native=False,
            size=package.size,
        )


def _named(verified: _Verified, described: Described) -> _Verified:
    """Give a workflow without a name, as the first releases have it, the one of its code."""
    name = _workflow_name(verified, described)
    workflows = (one if one.name else one._replace(name=name) for one in verified.workflows)
    return verified._replace(workflows=tuple(workflows))


def _workflow_name(verified: _Verified, described: Described) -> str:
    said = next((one.name for one in verified.workflows if one.name), verified.name)
    return described.workflow or said


def _compare(
    verified: _Verified, described: Described, path: str
) -> tuple[tuple[Workflow, ...], tuple[Diagnostic, ...]]:
    """Return the workflows, and what the code says otherwise (9).

    A native manifest that the code contradicts is refused. What another generation's package says
    was derived from its sources, or has no fingerprint to hold it against: there the code is right.
    """
    own = workflow_of(described._replace(workflow=_workflow_name(verified, described)))
    if not verified.workflows:
        return () if own is None else (own,), ()
    said = next((one for one in verified.workflows if one.name == described.workflow), None)
    interface, complete = None, False
    if verified.is_native and described.interface.kind != "python":
        artifact = choose_artifact(verified.artifacts, host_platform(), where=path)
        interface, complete = artifact.interface, not artifact.unloaded
    found = disagreements(
        said or verified.workflows[0], interface, described, path, complete=complete
    )
    if interface is not None:  # a library holds one workflow; of modules one is loaded
        found += tuple(_not_in_code(one, path) for one in verified.workflows if one is not said)
    if not found:
        return verified.workflows, ()
    if verified.is_native:
        raise Refused(*found)
    warnings = tuple(one._replace(severity=Severity.WARNING) for one in found)
    return verified.workflows if own is None else (own,), warnings


def _not_in_code(workflow: Workflow, where: str) -> Diagnostic:
    message = f"the manifest has a workflow that the code does not have: {workflow.name}"
    return Diagnostic(Code.CODE_DISAGREES, message, where, "package the project again")
