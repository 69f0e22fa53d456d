"""``sign``: another signature on a package, one replaced, one removed; the payload untouched.

A legacy package gets a sidecar instead (``sign_sidecar``).
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from cloacina_ctl.clock import now_utc
from cloacina_ctl.digest import CONTENT_PREFIX
from cloacina_ctl.errors import Code, FileProblem, NotTrusted, Refused, UsageError
from cloacina_ctl.files.ownership import is_there
from cloacina_ctl.files.staging import StagedFile, open_to_replace, reported, write_all, write_file
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.formats.native.reader import STDIN, NativePackage
from cloacina_ctl.formats.native.signature_block import SignatureBlock, encode_block
from cloacina_ctl.formats.opening import descriptor, open_descriptor
from cloacina_ctl.formats.sinks import DISCARD
from cloacina_ctl.formats.threads import default_jobs
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.redaction import shown_word
from cloacina_ctl.signing.names import bare_digits
from cloacina_ctl.signing.policy import sign_command
from cloacina_ctl.signing.sidecar import make_sidecar, read_sidecar, sidecar_path
from cloacina_ctl.signing.signatures import KnownKey, SignatureStatus
from cloacina_ctl.signing.statement import SIGNATURE_TYPE, claims, sign_package
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.verify import examine, subject_of

if TYPE_CHECKING:
    from cloacina_ctl.digest import Digest
    from cloacina_ctl.dsse import Envelope
    from cloacina_ctl.files.locks import Waits
    from cloacina_ctl.files.staging import Replaced
    from cloacina_ctl.formats.legacy.reader import LegacyPackage
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.signing.keys import PrivateKey

# A legacy package is signed by a sidecar beside the file, which stays as it is. A sidecar has room
# for one signature: one by the same key is renewed; one by another key, or a file that is none, is
# replaced only where the caller says so.

_ONE = "a sidecar has room for one signature"


class SidecarRequest(NamedTuple):
    """Which keys are to sign, and where the sidecar goes: beside the package if None."""

    keys: tuple[PrivateKey, ...]
    output: str | None = None
    overwrite: bool = False
    signed_at: str | None = None


class WrittenSidecar(NamedTuple):
    """The sidecar that was written: fingerprints of its key and of the one that it had before."""

    path: str
    digest: Digest
    keyid: str
    replaced: str | None


def write_sidecar(
    package: LegacyPackage,
    request: SidecarRequest,
    progress: Progress | None = None,
    waits: Waits = contextlib.nullcontext,
) -> WrittenSidecar:
    """Write the sidecar of ``package``: afterwards it is there, whole, or as it was.

    Every byte of the package is proved first, as ``verify`` does. Raises ``UsageError`` for what no
    sidecar holds, ``Refused`` for what is no whole package, and ``FileProblem`` where something
    else is in the way, or came into the way meanwhile.
    """
    key = _only_key(request.keys)
    keyid = key.public.fingerprint
    output = request.output or sidecar_path(package.path)
    _refuse_the_package(output, package.path)
    with contextlib.ExitStack() as held:
        replaced = before = None
        if is_there(output):
            replaced = held.enter_context(_sidecar_turn(output, waits))
            before = _signer(output, overwrite=request.overwrite)
        if before not in (None, keyid) and not request.overwrite:
            raise _taken(f"it is the signature of another key, {before}; {_ONE}", output)
        package.stream(DISCARD, progress=stage(progress, "verifying"))
        # Where there was none, one that came meanwhile is not replaced: its content is unknown.
        write_file(output, make_sidecar(package.digest, key, request.signed_at), replaced=replaced)
    return WrittenSidecar(
        output, package.digest, keyid, replaced=None if before == keyid else before
    )


def _sidecar_turn(output: str, waits: Waits) -> contextlib.AbstractContextManager[Replaced]:
    """Hold the sidecar that is there, so that what is read of it stays so until it is replaced."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return open_to_replace(lambda: os.open(output, flags), output, waits=waits)


def _only_key(keys: tuple[PrivateKey, ...]) -> PrivateKey:
    if len(keys) > 1:
        raise UsageError.of(
            Code.BLOCK_FULL,
            f"{_ONE}, and {len(keys)} keys are to sign",
            hint="sign with one key; write a second sidecar with --output",
        )
    return keys[0]


def _refuse_the_package(output: str, package: str) -> None:
    """Refuse to write the sidecar over the package itself, also with ``--force``."""
    with reported(output):
        taken = os.path.exists(output) and os.path.exists(package)  # not what came on stdin
        if taken and os.path.samefile(output, package):
            raise UsageError.of(
                Code.USAGE,
                "the signature would replace the package: it needs a file of its own",
                hint=f"remove --output: the default is {sidecar_path(package)}",
            )


def _signer(output: str, *, overwrite: bool) -> str | None:
    """Return the keyid of the sidecar that is there, or refuse to replace what is none."""
    try:
        return read_sidecar(output).keyid
    except Refused as error:
        if overwrite:
            return None
        raise _taken("it exists already and is no sidecar", output) from error


def _taken(why: str, output: str) -> FileProblem:
    return FileProblem.of(
        Code.EXISTS,
        why,
        where=output,
        hint="write elsewhere with --output, or replace it with --force",
    )


__all__ = ["SignRequest", "Signed", "sign", "sign_command"]


class SignRequest(NamedTuple):
    """What to do with the signatures of the package at ``path``.

    ``keys`` sign; ``remove`` and ``replace`` name signatures by their keyid, or by a beginning of
    it that names one key. ``output`` is where the result goes: over the package itself if None. For
    a legacy package the result is its sidecar, beside it if None.
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

    ``already`` are keys that were asked to sign and had: with them alone nothing was written.
    A legacy package has a ``sidecar``, a path; its ``content`` is the digest of the whole
    file, which the sidecar signs.
    """

    path: str
    size: int
    content: str
    added: tuple[str, ...]
    removed: tuple[str, ...]
    signatures: int
    sidecar: str | None = None
    already: tuple[str, ...] = ()


def sign(
    request: SignRequest,
    progress: Progress | None = None,
    waits: Waits = contextlib.nullcontext,
) -> Signed:
    """Add and remove signatures; afterwards the file has new ones, or is as it was.

    Every byte of the package is proved first: a signature says that it is whole. Runs that sign one
    file take turns, so that no signature is lost; ``waits`` is entered while another has its turn.
    Raises ``Refused`` where it is not whole, or where there is no room; ``NotTrusted`` for a keyid
    that is not there; ``FileProblem`` where another program holds the file (I011), or replaced or
    changed it meanwhile (I012).
    """
    if not (request.keys or request.remove):
        raise UsageError.of(Code.USAGE, "neither a key to sign with nor a signature to remove")
    if request.path == STDIN and request.output is None:
        raise UsageError.of(
            Code.USAGE,
            "no output for a package from standard input",
            hint="name one: --output FILE",
        )
    with contextlib.ExitStack() as held:
        replaced = held.enter_context(_turn(request, waits)) if _is_in_place(request) else None
        fd = os.dup(replaced.fd) if replaced else descriptor(request.path, request.limits)
        with open_descriptor(fd, request.path, request.limits) as package:
            if isinstance(package, NativePackage):
                return _sign_inside(package, request, replaced, progress)
            return _sign_beside(package, request, progress, waits)


def _is_in_place(request: SignRequest) -> bool:
    """Return whether the result goes over the package itself, under whatever path."""
    if request.output is None:
        return True
    if request.path == STDIN or not os.path.exists(request.path):
        return False
    with reported(request.output):
        return os.path.exists(request.output) and os.path.samefile(request.path, request.output)


def _turn(request: SignRequest, waits: Waits) -> contextlib.AbstractContextManager[Replaced]:
    """Hold the package: another run that signs it reads what this one has written."""
    return open_to_replace(
        lambda: descriptor(request.path, request.limits), request.path, waits=waits
    )


def _sign_inside(
    package: NativePackage,
    request: SignRequest,
    replaced: Replaced | None,
    progress: Progress | None,
) -> Signed:
    """Write the package with a new block of signatures."""
    head = package.head
    package.stream(DISCARD, jobs=default_jobs(), progress=stage(progress, "verifying"))
    kept, removed = _take_out(package, (*request.remove, *request.replace))
    subject = subject_of(package)
    signed_at = request.signed_at or now_utc()
    keys, already = _who_signs(request, package, kept)
    new = tuple(
        sign_package(subject, key, signed_at=signed_at, comment=request.comment) for key in keys
    )
    block = SignatureBlock((*kept, *new), package.block.withheld)
    is_as_asked = not (new or removed) and _is_in_place(request)
    size = package.size if is_as_asked else _write(request, package, block, replaced)
    return Signed(
        path=request.output or request.path,
        size=size,
        content=head.content,
        added=tuple(envelope.keyid for envelope in new),
        removed=removed,
        signatures=len(block.envelopes),
        already=already,
    )


def _sign_beside(
    package: LegacyPackage, request: SignRequest, progress: Progress | None, waits: Waits
) -> Signed:
    """Write the sidecar of a package that has no room for signatures inside."""
    if request.remove or request.replace:
        raise UsageError.of(
            Code.USAGE,
            "the signature of this package is in a sidecar, not inside the package",
            hint="remove the file, or replace it: `--force`",
        )
    if request.comment is not None:
        raise UsageError.of(Code.USAGE, "a sidecar has no room for a comment")
    written = write_sidecar(
        package,
        SidecarRequest(request.keys, request.output, request.overwrite, request.signed_at),
        progress,
        waits,
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
    package: NativePackage, keyids: tuple[str, ...]
) -> tuple[tuple[Envelope, ...], tuple[str, ...]]:
    """Return the envelopes that stay, and the keyids of those that do not."""
    present = {envelope.keyid for envelope in package.block.envelopes}
    gone: set[str] = set()
    for keyid in keyids:
        digits = bare_digits(keyid)
        found = {one for one in present if one.startswith(digits)}
        if len(found) != 1 or len(digits) < 8:
            raise NotTrusted.of(
                Code.NO_SUCH_SIGNATURE,
                f"{len(found)} keys signed it whose fingerprint begins with: {shown_word(keyid)}",
                where=package.path,
                hint="`cloacina-ctl inspect` lists the signatures",
            )
        gone |= found
    kept = tuple(one for one in package.block.envelopes if one.keyid not in gone)
    return kept, tuple(sorted(gone))


def _who_signs(
    request: SignRequest, package: NativePackage, kept: tuple[Envelope, ...]
) -> tuple[tuple[PrivateKey, ...], tuple[str, ...]]:
    """Return the keys that sign, and the fingerprints of those whose signature stands already.

    A second signature of one key would count nothing, and a job that runs twice is no mistake. One
    that fails is no signature, and a comment cannot go into one that is there: both are refused.
    """
    asked = {key.public.fingerprint: key for key in request.keys}
    # One that says nothing that can be read is a signature that fails.
    signed = {one.keyid for one in kept if _says(one) in (SIGNATURE_TYPE, None)} & asked.keys()
    known = tuple(KnownKey(key=asked[keyid].public) for keyid in signed)
    checked = examine(package, known).signatures
    for keyid in sorted(signed):
        fails = [
            one
            for one in checked
            if one.keyid == keyid and one.status is not SignatureStatus.TRUSTED
        ]
        if fails or request.comment is not None:
            raise UsageError.of(
                Code.ALREADY_SIGNED,
                f"it has a signature of this key{', which fails' if fails else ''}: {keyid}",
                hint=f"replace it: `--replace {keyid[:16]}`",
            )
    left = tuple(key for key in request.keys if key.public.fingerprint not in signed)
    return left, tuple(sorted(signed))


def _says(envelope: Envelope) -> str | None:
    said = claims(envelope)
    return said.predicate_type if said is not None else None


def _write(
    request: SignRequest, package: NativePackage, block: SignatureBlock, replaced: Replaced | None
) -> int:
    frame = encode_block(block, len(package.head_bytes), request.limits)
    output = request.output or request.path
    if request.output is not None and not request.overwrite:
        replaced = None
    with StagedFile(output, replace=request.overwrite, replaced=replaced) as staged:
        with reported(output):
            write_all(staged.fd, frame)
        package.copy_behind_block(staged.fd)
        staged.commit()
    return len(frame) + package.size - package.head_offset
