"""Verifies a package by the policy of ``verify`` and then loads it in a child process.

The argument continues that of ``verification.verify``:
(8) the child gets exactly what (7) proved, and nothing is loaded before the package is accepted;
(9) the tasks and the interface of the loaded code are those of the manifest.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Incompatible, Refused, Severity
from cloacina_ctl.platforms.tags import host_platform
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.runtime.consistency import disagreements
from cloacina_ctl.runtime.loading import (
    LegacyMaterial,
    choose_artifact,
    load,
    take_native,
    vendored_elsewhere,
)
from cloacina_ctl.runtime.metadata import override_from_code, workflow_of
from cloacina_ctl.runtime.process.child import HostOptions
from cloacina_ctl.runtime.scheduler.select import choose_workflow
from cloacina_ctl.runtime.session import Preparation
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.policy import VerificationPolicy
from cloacina_ctl.verification.verify import verifying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloacina_ctl.manifest.model import Artifact, Workflow
    from cloacina_ctl.runtime.metadata import PackageMetadata
    from cloacina_ctl.runtime.process.bundle import Material
    from cloacina_ctl.runtime.session import Session
    from cloacina_ctl.verification.verify import Evidence, Proof

__all__ = ["RunnablePackage", "Verification", "VerificationPolicy", "open_package"]


class Verification(NamedTuple):
    """How long it took to verify a package, and how large its file is, in bytes."""

    size: int
    seconds: float


class RunnablePackage(NamedTuple):
    """A loaded package and its evidence: name, version, content, fingerprints of trusted signers.

    ``workflows`` come from the manifest, or from the code where the manifest has none; the loaded
    one has the trigger rules and retry settings of its code. ``warnings`` are about the package;
    the session has the warnings of the run.
    """

    name: str
    version: str
    content: str
    trusted_signers: tuple[str, ...]
    workflows: tuple[Workflow, ...]
    session: Session
    verification: Verification
    warnings: tuple[Diagnostic, ...] = ()


class _Verified(NamedTuple):
    """What is known once every byte to be loaded is proved."""

    evidence: Evidence
    workflows: tuple[Workflow, ...]
    artifacts: tuple[Artifact, ...] = ()

    @property
    def is_native(self) -> bool:
        """Whether the manifest is a native one, which the code must match."""
        return self.evidence.head is not None

    @property
    def name(self) -> str:
        """The name of the package."""
        return self.evidence.identity.name


@contextlib.contextmanager
def open_package(
    path: str,
    rule: VerificationPolicy = VerificationPolicy(),
    options: HostOptions = HostOptions(),
    progress: Progress | None = None,
    *,
    workflow: str | None = None,
    loads: Callable[[str], None] | None = None,
) -> Iterator[RunnablePackage]:
    """Verify the package at ``path`` and load it; the child process ends with the block.

    Of several workflows the one called ``workflow`` is loaded, or the first. ``loads`` is called
    with the package's name before its code is loaded. Raises as ``verify``, before anything is
    loaded; ``Incompatible`` where it holds nothing for this machine; ``Refused`` for code that
    cannot be loaded or contradicts the manifest.
    """
    with Preparation(path, options) as ready:
        began = time.monotonic()
        verified = _take(path, rule, ready.material, progress, workflow)
        verification = Verification(verified.evidence.size, time.monotonic() - began)
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
            yield RunnablePackage(
                name=verified.name,
                version=verified.evidence.identity.version,
                content=verified.evidence.identity.content,
                trusted_signers=verified.evidence.trusted_signers,
                workflows=tuple(override_from_code(one, described) for one in workflows),
                session=session,
                verification=verification,
                warnings=(*warnings, *elsewhere),
            )


def _take(
    path: str,
    rule: VerificationPolicy,
    material: Material,
    progress: Progress | None,
    workflow: str | None,
) -> _Verified:
    with verifying(path, rule) as proof:  # (1) to (6)
        if proof.native is None:
            return _take_legacy(proof, material, progress)
        manifest = proof.native.head.manifest
        if workflow is not None:
            workflow = choose_workflow(manifest.workflows, workflow).name
        evidence = take_native(  # (7), (8)
            proof, material, workflow=workflow, progress=stage(progress, "verifying")
        )
        return _Verified(
            evidence=evidence, workflows=manifest.workflows, artifacts=manifest.artifacts
        )


def _take_legacy(proof: Proof, material: Material, progress: Progress | None) -> _Verified:
    """Prove and take a package of an older format, in one pass."""
    from cloacina_ctl.inspection.legacy_contents import read_contents
    from cloacina_ctl.inspection.manifest_view import view_of

    with LegacyMaterial(material) as taking:
        read = read_contents(proof, taking.sink, progress)
        taking.settle(read.contents)
        return _Verified(evidence=read.evidence, workflows=view_of(read).workflows)


def _named(verified: _Verified, described: PackageMetadata) -> _Verified:
    """Give a workflow without a name, as the first releases have it, the name in its code."""
    name = _workflow_name(verified, described)
    workflows = (one if one.name else one._replace(name=name) for one in verified.workflows)
    return verified._replace(workflows=tuple(workflows))


def _workflow_name(verified: _Verified, described: PackageMetadata) -> str:
    said = next((one.name for one in verified.workflows if one.name), verified.name)
    return described.workflow or said


def _compare(
    verified: _Verified, described: PackageMetadata, path: str
) -> tuple[tuple[Workflow, ...], tuple[Diagnostic, ...]]:
    """Return the workflows, and the differences from the code (9).

    A native manifest that the code contradicts is refused. The metadata of a legacy package was
    derived from its sources, or has no fingerprint to check it with: there the code is right.
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
