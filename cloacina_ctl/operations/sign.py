"""``sign``: another signature on a package, one replaced, one removed; the payload untouched.

A package of another generation gets a sidecar instead (``sign_sidecar``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.archive.block import SignatureBlock, encode_block
from cloacina_ctl.archive.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.archive.opening import open_any
from cloacina_ctl.archive.payload import Nowhere, pour
from cloacina_ctl.archive.reader import STDIN, Package
from cloacina_ctl.archive.workers import default_jobs
from cloacina_ctl.authenticity import subject_of
from cloacina_ctl.digest import CONTENT_PREFIX
from cloacina_ctl.errors import Code, NotTrusted, UsageError
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.redaction import shown_word
from cloacina_ctl.signing.statement import SIGNATURE_TYPE, claims, now_utc, sign_package
from cloacina_ctl.staging import StagedFile, reported, write_all
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.archive.foreign.package import ForeignPackage
    from cloacina_ctl.envelope import Envelope
    from cloacina_ctl.signing.keys import PrivateKey


class SignRequest(NamedTuple):
    """What to do with the signatures of the package at ``path``.

    ``keys`` sign; ``remove`` and ``replace`` name signatures by their keyid, or by a beginning of
    it that names one key. ``output`` is where the result goes: over the package itself if None. For
    a package of another generation the result is its sidecar, beside it if None.
    """

    path: str
    keys: tuple[PrivateKey, ...] = ()
    remove: tuple[str, ...] = ()
    replace: tuple[str, ...] = ()
    comment: str | None = None
    output: str | None = None
    overwrite: bool = False
    signed_at: str | None = None
    limits: Limits = DEFAULT_LIMITS


class Signed(NamedTuple):
    """The package as it is now, and what changed: fingerprints of keys.

    One of another generation has a ``sidecar``, a path; its ``content`` is the digest of the whole
    file, which the sidecar signs.
    """

    path: str
    size: int
    content: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    signatures: int
    sidecar: str | None = None


def sign(request: SignRequest, progress: Progress | None = None) -> Signed:
    """Add and remove signatures; afterwards the file has new ones, or is as it was.

    Every byte of the package is proved first: who signs says that it is whole. Raises ``Refused``
    where it is not, or where there is no room; ``NotTrusted`` for a keyid that is not there.
    """
    if not (request.keys or request.remove):
        raise UsageError.of(Code.USAGE, "neither a key to sign with nor a signature to remove")
    if request.path == STDIN and request.output is None:
        raise UsageError.of(
            Code.USAGE, "what comes on standard input has no place", hint="name one with --output"
        )
    with open_any(request.path, request.limits) as package:
        if isinstance(package, Package):
            return _sign_inside(package, request, progress)
        return _sign_beside(package, request, progress)


def _sign_inside(package: Package, request: SignRequest, progress: Progress | None) -> Signed:
    """Write the package with a new block of signatures."""
    head = package.head
    pour(package, Nowhere(), jobs=default_jobs(), progress=stage(progress, "verifying"))
    kept, removed = _take_out(package, (*request.remove, *request.replace))
    subject = subject_of(head, package)
    signed_at = request.signed_at or now_utc()
    new = tuple(
        sign_package(subject, key, signed_at=signed_at, comment=request.comment)
        for key in request.keys
    )
    _refuse_repetition(kept, new)
    block = SignatureBlock((*kept, *new), package.block.withheld)
    size = _write(request, package, block)
    return Signed(
        path=request.output or request.path,
        size=size,
        content=head.content,
        added=tuple(envelope.keyid for envelope in new),
        removed=removed,
        signatures=len(block.envelopes),
    )


def _sign_beside(
    package: ForeignPackage, request: SignRequest, progress: Progress | None
) -> Signed:
    """Write the sidecar of a package that has no room for signatures inside."""
    from cloacina_ctl.operations.sign_sidecar import SidecarRequest, write_sidecar

    if request.remove or request.replace:
        raise UsageError.of(
            Code.USAGE,
            "the signature of this package is a file beside it: there is none inside to take out",
            hint="remove the file, or replace it: `--force`",
        )
    if request.comment is not None:
        raise UsageError.of(Code.USAGE, "a sidecar has no room for a comment")
    written = write_sidecar(
        package,
        SidecarRequest(request.keys, request.output, request.overwrite, request.signed_at),
        progress,
    )
    return Signed(
        path=request.path,
        size=package.size,
        content=CONTENT_PREFIX + written.digest,
        added=(written.keyid,),
        removed=() if written.replaced is None else (written.replaced,),
        signatures=1,
        sidecar=written.path,
    )


def _take_out(
    package: Package, keyids: tuple[str, ...]
) -> tuple[tuple[Envelope, ...], tuple[str, ...]]:
    """Return the envelopes that stay, and the keyids of those that do not."""
    present = {envelope.keyid for envelope in package.block.envelopes}
    gone: set[str] = set()
    for keyid in keyids:
        found = {one for one in present if one.startswith(keyid.lower())}
        if len(found) != 1 or len(keyid) < 8:
            raise NotTrusted.of(
                Code.NO_SUCH_SIGNATURE,
                f"{len(found)} keys signed it whose keyid begins with: {shown_word(keyid)}",
                where=package.path,
                hint="`cloacina-ctl inspect` lists the signatures",
            )
        gone |= found
    kept = tuple(one for one in package.block.envelopes if one.keyid not in gone)
    return kept, tuple(sorted(gone))


def _refuse_repetition(kept: tuple[Envelope, ...], new: tuple[Envelope, ...]) -> None:
    """Refuse a second signature of one key, which would count nothing; attestations may differ."""
    signers = {one.keyid for one in kept if _says(one) == SIGNATURE_TYPE}
    for envelope in new:
        if envelope.keyid in signers:
            raise UsageError.of(
                Code.ALREADY_SIGNED,
                f"it has a signature of this key already: {envelope.keyid}",
                hint=f"replace it: `--replace {envelope.keyid[:16]}`",
            )


def _says(envelope: Envelope) -> str | None:
    said = claims(envelope)
    return said.predicate_type if said is not None else None


def _write(request: SignRequest, package: Package, block: SignatureBlock) -> int:
    frame = encode_block(block, len(package.head_bytes), request.limits)
    output = request.output or request.path
    overwrite = request.overwrite or request.output is None
    with StagedFile(output, replace=overwrite) as staged:
        with reported(output):
            write_all(staged.fd, frame)
        package.copy_behind_block(staged.fd)
        staged.commit()
    return len(frame) + package.size - package.head_offset
