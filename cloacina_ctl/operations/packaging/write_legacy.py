"""Writing a planned legacy package, and the sidecar that signs it.

Such a package has no room for a signature inside: upstream's own form is a file beside it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from cloacina_ctl.digest import CONTENT_PREFIX
from cloacina_ctl.errors import Code, Diagnostic, FileProblem, Severity, UsageError
from cloacina_ctl.files.staging import StagedFile, reported, write_all
from cloacina_ctl.formats.legacy.tar_writer import feed_plan
from cloacina_ctl.formats.legacy.write_source import Destination, SizeRules, write_source
from cloacina_ctl.formats.legacy.write_v1 import write_v1
from cloacina_ctl.manifest import Language
from cloacina_ctl.operations.packaging.prepare import (
    Packaged,
    check_sources_unchanged,
    output_path,
)
from cloacina_ctl.operations.packaging.target import SOURCE
from cloacina_ctl.operations.packaging.vendoring import write_new_lock
from cloacina_ctl.progress import stage

if TYPE_CHECKING:
    from typing_extensions import Self

    from cloacina_ctl.digest import Digest
    from cloacina_ctl.formats.legacy.write_source import WrittenArchive
    from cloacina_ctl.operations.packaging.prepare import PackageRequest, Prepared
    from cloacina_ctl.progress import Progress


def write_legacy(
    request: PackageRequest, prepared: Prepared, progress: Progress | None
) -> Packaged:
    """Make the package and, where there is a key, its sidecar.

    Raises ``Refused`` where the written package breaks a rule of its release; then there is none.
    """
    project, output = prepared.project, output_path(request, prepared.project)
    with Signer(request, output) as signer:
        warnings = signer.check()
        written = _write(request, prepared, signer, progress)
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
        sidecar=signer.made,
        padding=written.padding,
        vendored=prepared.vendored.wheels if prepared.vendored else (),
        changes=prepared.vendored.changes if prepared.vendored else (),
    )


def _write(
    request: PackageRequest, prepared: Prepared, signer: Signer, progress: Progress | None
) -> WrittenArchive:
    tree = None
    if request.sign_fidius:
        from cloacina_ctl.operations.packaging.fidius_signature import SignedTree

        tree = SignedTree(prepared.plan, request.keys[0])

    def before(written: WrittenArchive) -> None:
        if tree is not None:
            tree.check(written.files)
        check_sources_unchanged(prepared, written.files)
        signer.stage(written.digest)
        write_new_lock(prepared.project, prepared.vendored)

    plan = tree.plan if tree is not None else prepared.plan
    to = Destination(signer.output, request.overwrite, before, signer.commit)
    feed = feed_plan(plan, stage(progress, "packing"))
    rules = prepared.rules or SizeRules()
    if request.target.format == SOURCE:
        return write_source(to, plan.root, feed, rules, pad=request.pad)
    return write_v1(to, feed, rules)


class Signer:
    """The sidecar of a package that has no room inside; there is none where there is no key.

    It is whole on the disk before the package appears, and appears after it.
    """

    def __init__(self, request: PackageRequest, output: str) -> None:
        self.output = output
        self.made: str | None = None
        self._keys, self._signed_at = request.keys, request.signed_at
        self._overwrite = request.overwrite
        self._stack = contextlib.ExitStack()
        self._staged: StagedFile | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def check(self) -> tuple[Diagnostic, ...]:
        """Refuse what no sidecar can be written for, before anything is.

        Returns a warning where one that is there would stay beside another package.
        """
        from cloacina_ctl.files.ownership import is_there
        from cloacina_ctl.signing.sidecar import sidecar_path

        path = sidecar_path(self.output)
        if len(self._keys) > 1:
            raise UsageError.of(
                Code.BLOCK_FULL,
                f"a sidecar has room for one signature, and {len(self._keys)} keys are to sign",
                hint="sign with one: --sign KEY",
            )
        if not is_there(path):
            return ()
        if self._keys and not self._overwrite:
            raise FileProblem.of(
                Code.EXISTS,
                "it exists already",
                where=path,
                hint="choose another name, or allow both to be replaced with --force",
            )
        stale = "the sidecar signs another file, not this package"
        hint = "remove it, or sign this one: `cloacina-ctl sign`"
        return () if self._keys else (
            Diagnostic(Code.BAD_SIGNATURE, stale, path, hint, Severity.WARNING),
        )  # fmt: skip

    def stage(self, digest: Digest) -> None:
        """Have the signature of the package that has this digest on the disk, unseen."""
        if not self._keys:
            return
        from cloacina_ctl.signing.sidecar import make_sidecar, sidecar_path

        path = sidecar_path(self.output)
        staged = self._stack.enter_context(StagedFile(path, replace=self._overwrite))
        with reported(path):
            write_all(staged.fd, make_sidecar(digest, self._keys[0], self._signed_at))
        staged.flush()
        self._staged = staged

    def commit(self) -> None:
        """Let the sidecar appear, where there is one; ``made`` is its path."""
        if self._staged is not None:
            self._staged.commit()
            self.made = self._staged.path
