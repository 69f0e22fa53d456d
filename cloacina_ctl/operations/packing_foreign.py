"""Writing a planned package of another generation, and the sidecar that signs it.

Such a package has no room for a signature inside: upstream's own form is a file beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.archive.foreign.tar_stream import feed_plan
from cloacina_ctl.archive.foreign.write_source import Output, SourceRules, write_source
from cloacina_ctl.archive.foreign.write_v1 import write_v1
from cloacina_ctl.digest import CONTENT_PREFIX
from cloacina_ctl.errors import Code, Diagnostic, FileProblem, Severity, UsageError
from cloacina_ctl.manifest import Language
from cloacina_ctl.operations.preparing import Packaged, output_path, refuse_rewritten_sources
from cloacina_ctl.operations.target import SOURCE
from cloacina_ctl.operations.vendoring import write_new_lock
from cloacina_ctl.progress import stage
from cloacina_ctl.staging import write_file
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.archive.foreign.write_source import Written
    from cloacina_ctl.archive.tables import FileEntry
    from cloacina_ctl.digest import Digest
    from cloacina_ctl.operations.preparing import PackageRequest, Prepared
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.signing.keys import PrivateKey


def write_foreign(
    request: PackageRequest, prepared: Prepared, progress: Progress | None
) -> Packaged:
    """Make the package and, where there is a key, its sidecar.

    Raises ``Refused`` where the written package breaks a rule of its runtime; then there is none.
    """
    project, output = prepared.project, output_path(request, prepared.project)
    signer = Signer(request.keys, overwrite=request.overwrite, signed_at=request.signed_at)
    warnings = signer.check(output)
    written = _write(request, prepared, output, progress)
    runtime = request.target.runtime
    return Packaged(
        path=output,
        size=written.size,
        content=CONTENT_PREFIX + written.digest,
        name=project.package.name,
        version=project.package.version,
        language=Language.RUST if project.rust is not None else Language.PYTHON,
        files=len(written.files),
        signed_by=tuple(key.public.fingerprint for key in request.keys),
        diagnostics=(*prepared.diagnostics, *warnings),
        format=request.target.format,
        runtime=runtime.name if runtime is not None else None,
        sidecar=signer.sign(output, written.digest),
        padding=written.padding,
    )


def _write(
    request: PackageRequest, prepared: Prepared, output: str, progress: Progress | None
) -> Written:
    tree = None
    if request.sign_fidius:
        from cloacina_ctl.operations.tree_signature import SignedTree

        tree = SignedTree(prepared.plan, request.keys[0])

    def check(files: tuple[FileEntry, ...]) -> None:
        if tree is not None:
            tree.check(files)
        refuse_rewritten_sources(prepared, files)
        write_new_lock(prepared.project, prepared.vendored)

    plan = tree.plan if tree is not None else prepared.plan
    to = Output(output, request.overwrite, check)
    feed = feed_plan(plan, stage(progress, "packing"))
    if request.target.format == SOURCE:
        return write_source(to, plan.root, feed, prepared.rules or SourceRules(), pad=request.pad)
    return write_v1(to, feed)


class Signer(NamedTuple):
    """Who signs a package that has no room inside; nobody where there is no key."""

    keys: tuple[PrivateKey, ...] = ()
    overwrite: bool = False
    signed_at: str | None = None

    def check(self, output: str) -> tuple[Diagnostic, ...]:
        """Refuse what no sidecar can be written for, before anything is.

        Returns a warning where one that is there would stay beside another package.
        """
        from cloacina_ctl.signing.files import is_there
        from cloacina_ctl.signing.sidecar import sidecar_path

        path = sidecar_path(output)
        if len(self.keys) > 1:
            raise UsageError.of(
                Code.BLOCK_FULL,
                f"a sidecar has room for one signature, and {len(self.keys)} keys are to sign",
                hint="sign with one: --sign KEY",
            )
        if not is_there(path):
            return ()
        if self.keys and not self.overwrite:
            raise FileProblem.of(
                Code.EXISTS,
                "it exists already",
                where=path,
                hint="choose another name, or allow both to be replaced with --force",
            )
        stale = "the signature beside the package is of another file"
        cure = "remove it, or sign this one: `cloacina-ctl sign`"
        return () if self.keys else (
            Diagnostic(Code.BAD_SIGNATURE, stale, path, cure, Severity.WARNING),
        )  # fmt: skip

    def sign(self, output: str, digest: Digest) -> str | None:
        """Write the sidecar of the package ``output`` and return where it is."""
        if not self.keys:
            return None
        from cloacina_ctl.signing.sidecar import make_sidecar, sidecar_path

        path = sidecar_path(output)
        data = make_sidecar(digest, self.keys[0], self.signed_at)
        write_file(path, data, replace=self.overwrite)
        return path
