"""Whether a package is the requested one, signed by keys that count: the one proof of it.

The argument, step by step; each step uses only what the steps before it proved:

(1) The file is a regular file, opened once, and of a format that is known (``formats.opening``).
(2) The signatures over its bytes are checked before one of these is decompressed: those in the
    signature block of a native package are over its head, a sidecar is over the whole file. One
    under a key that counts must hold; one that fails ends everything here, also where unsigned
    packages are accepted.
(3) Where signatures are required there are enough by different keys, before a byte is decompressed.
    A bzip2 archive may hold one more, in `package.sig`: there this is known after (7). ``verify``
    alone, which uses nothing of the package, asks this last: its answer then says whether the
    content is whole as well, and is still no.
(4) The head of a native package agrees with itself and with the length of the file
    (``formats.native.head``).
(5) What was signed names this package: name, version and content.
(6) The package is the one that the caller pinned. The content of an older package is compared
    before it is decompressed, its name and version are known after (7).
(7) Every byte of every frame, header and file that is used is the one that the head promises
    (``formats.native.payload``); an older package is exactly one whole archive, and its bytes
    are those of (2) (``formats.legacy.reader``).
"""

from __future__ import annotations

import contextlib
import enum
from typing import TYPE_CHECKING, cast

from cloacina_ctl.digest import CONTENT_PREFIX
from cloacina_ctl.errors import Code, Diagnostic, NotTrusted, UsageError
from cloacina_ctl.formats.detect import NATIVE
from cloacina_ctl.formats.native.reader import NativePackage
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.formats.package import PackageIdentity
from cloacina_ctl.progress import stage
from cloacina_ctl.signing.policy import (
    Requirement,
    failed_signatures,
    require_signatures,
    trusted_signers,
)
from cloacina_ctl.signing.signatures import check_head_signatures, check_signed_subjects
from cloacina_ctl.signing.statement import Subject
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.policy import (
    AvailableKeys,
    VerificationPolicy,
    available_keys,
    check_policy,
    verification_keys,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cloacina_ctl.digest import Digest
    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.formats.legacy.reader import ArchiveContents, LegacyPackage
    from cloacina_ctl.formats.package import Package, Streamed
    from cloacina_ctl.formats.sinks import Sink
    from cloacina_ctl.progress import Progress, StageProgress
    from cloacina_ctl.signing.signatures import CheckedSignature, KnownKey


class Unsigned(enum.Enum):
    """When too few signatures are reported: before anything is used, or last."""

    FIRST = "first"
    LAST = "last"


class Evidence(NamedTuple):
    """The facts that are proved once a package was read.

    ``head`` is the digest of a native package's head, ``contents`` the content of a legacy one.
    ``trusted_signers`` are the fingerprints of the keys that count and signed it: empty only where
    the policy allows that. ``complete`` is false where sections are withheld, or only some files
    were read.
    """

    identity: PackageIdentity
    size: int
    files: tuple[FileEntry, ...]
    signatures: tuple[CheckedSignature, ...]
    trusted_signers: tuple[str, ...]
    complete: bool
    head: Digest | None = None
    contents: ArchiveContents | None = None


@contextlib.contextmanager
def verifying(
    path: str,
    policy: VerificationPolicy = VerificationPolicy(),
    *,
    unsigned: Unsigned = Unsigned.FIRST,
) -> Iterator[Proof]:
    """Open the package at ``path`` (``-`` is standard input) and begin its proof: (1) to (6).

    Raises ``FileProblem`` where it is no regular file, ``Refused`` where it is no package,
    ``NotTrusted`` where the policy is not met, ``UsageError`` for a policy that makes no sense.
    """
    check_policy(policy)
    known = verification_keys(policy)
    with open_any(path, policy.limits) as package:  # (1)
        yield Proof(package, policy, known, unsigned=unsigned)


def begin(
    package: Package, policy: VerificationPolicy, *, unsigned: Unsigned = Unsigned.FIRST
) -> Proof:
    """Begin the proof of a package that is open already; raises what ``verifying`` does."""
    check_policy(policy)
    return Proof(package, policy, verification_keys(policy), unsigned=unsigned)


def prove(package: Package, policy: VerificationPolicy, progress: Progress | None) -> Evidence:
    """Prove every byte of an open package; missing signatures are reported last.

    Raises what ``verifying`` and ``Proof.stream`` raise.
    """
    proof = begin(package, policy, unsigned=Unsigned.LAST)
    return proof.stream(progress=stage(progress, "verifying"))


def examine(package: Package, known: tuple[KnownKey, ...] | None = None) -> Proof:
    """Begin the proof for ``inspect`` and ``validate``: the same steps, without a policy.

    Signatures are checked by the ``known`` keys (None: the user's); ``warnings`` name those that
    cannot be read.
    """
    if known is not None:
        return Proof(package, None, known)
    signed = not isinstance(package, NativePackage) or bool(package.block.envelopes)
    keys = available_keys() if signed else AvailableKeys(())
    return Proof(package, None, keys.known, warnings=keys.unread)


class Proof:
    """An open package of which steps (2) to (6) hold, as far as they can before it is read.

    ``native`` is a native package, its head proved; otherwise ``legacy`` is the package, whose
    identity is known only after reading it. ``stream`` proves the rest.
    """

    def __init__(
        self,
        package: Package,
        policy: VerificationPolicy | None,
        known: tuple[KnownKey, ...],
        *,
        unsigned: Unsigned = Unsigned.FIRST,
        warnings: tuple[Diagnostic, ...] = (),
    ) -> None:
        self.package = package
        self.native: NativePackage | None = None
        self.legacy: LegacyPackage | None = None
        self.signatures: tuple[CheckedSignature, ...] = ()
        self._policy = policy
        self._known = known
        self._unsigned = unsigned
        self._warnings = warnings
        if isinstance(package, NativePackage):
            self._begin_native(package)
            self.native = package
        else:
            self.legacy = cast("LegacyPackage", package)
            self._begin_legacy(self.legacy)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """The user's keys that cannot be read, where there are signatures to check."""
        return self._warnings if self.signatures else ()

    def require_native(self) -> NativePackage:
        """Return the native package, its head proved; raise ``TypeError`` for a legacy one."""
        if self.native is None:
            raise TypeError("a legacy package, where a native one is expected")
        return self.native

    @property
    def identity(self) -> PackageIdentity:
        """The identity by the proved head; that of a legacy package is known after reading it."""
        return _identity_of(self.require_native())

    def stream(
        self,
        sink: Sink | None = None,
        files: Sequence[FileEntry] | None = None,
        progress: StageProgress | None = None,
    ) -> Evidence:
        """Read the package into ``sink`` and return the evidence: (7), and the remaining steps.

        Without a sink nothing is kept. Of a native package only ``files`` are read, all where None.
        A sink gets bytes before the whole is proved, so it must not publish its result until this
        returns. Raises ``Refused`` for a byte that is not as promised, ``NotTrusted`` where the
        policy is not met.
        """
        # Here, for `inspect` reads no further than the head.
        from cloacina_ctl.formats.sinks import DISCARD
        from cloacina_ctl.formats.threads import default_jobs

        sink = sink or DISCARD
        if self.legacy is None:
            jobs = (self._policy.jobs if self._policy is not None else None) or default_jobs()
            streamed = self.package.stream(sink, files, jobs=jobs, progress=progress)  # (7)
            return self._conclude(self.identity, streamed)
        from cloacina_ctl.verification.tree_signature import TreeSignatureSink

        tree = TreeSignatureSink(sink)
        streamed = self.legacy.stream(tree, progress=progress)  # (7)
        contents = cast("ArchiveContents", streamed.contents)
        self.signatures += tree.check(self.legacy, contents, self._known)  # (2), `package.sig`
        return self._conclude(contents.identity(self.legacy.path), streamed)

    def _begin_native(self, package: NativePackage) -> None:
        if self._policy is not None:
            _refuse_sidecar(self._policy)
        self.signatures = check_head_signatures(
            package.block.envelopes, package.head_digest, self._known
        )
        self._decide(Unsigned.FIRST)  # (2), (3)
        self.signatures = check_signed_subjects(self.signatures, subject_of(package))  # (4), (5)
        self._decide(Unsigned.FIRST, _identity_of(package))  # (6)

    def _begin_legacy(self, package: LegacyPackage) -> None:
        from cloacina_ctl.verification.tree_signature import check_sidecar

        policy = self._policy
        if policy is not None and policy.content is not None:
            found = {"content": CONTENT_PREFIX + package.digest}
            _check_identity(found, policy, package.path)  # (6)
        elsewhere = policy.signature if policy is not None else None
        self.signatures = check_sidecar(package, self._known, elsewhere)
        self._decide(None if package.may_hold_signature else Unsigned.FIRST)  # (2), (3)

    def _conclude(self, identity: PackageIdentity, streamed: Streamed) -> Evidence:
        self._decide(self._unsigned, identity)
        return Evidence(
            identity=identity,
            size=self.package.size,
            files=streamed.files,
            signatures=self.signatures,
            trusted_signers=trusted_signers(self.signatures),
            complete=streamed.complete,
            head=self.native.head_digest if self.native is not None else None,
            contents=streamed.contents,
        )

    def _decide(self, at: Unsigned | None, identity: PackageIdentity | None = None) -> None:
        """Refuse a signature that fails, another package, and too few signatures if it is time.

        It is not where ``at`` is None: more signatures may follow. Without a policy nothing is
        decided.
        """
        policy, path = self._policy, self.package.path
        if policy is None:
            return
        _refuse_failed_signatures(self.signatures, path)
        if identity is not None:
            _check_identity(identity._asdict(), policy, path)
        if at is self._unsigned:
            _require(self.signatures, policy, path, is_whole=at is Unsigned.LAST)


def _identity_of(package: NativePackage) -> PackageIdentity:
    """Return the identity of the package, from its head."""
    named, content = package.head.manifest.package, package.head.content
    return PackageIdentity(package.path, NATIVE.name, named.name, named.version, content)


def subject_of(package: NativePackage) -> Subject:
    """Return the subject of the package's signatures."""
    named = package.head.manifest.package
    return Subject(
        name=named.name,
        version=named.version,
        head=package.head_digest,
        content=package.head.content,
    )


def _require(
    signatures: tuple[CheckedSignature, ...],
    policy: VerificationPolicy,
    path: str,
    *,
    is_whole: bool = False,
) -> None:
    """Raise ``NotTrusted`` where too few keys that count have signed.

    ``is_whole`` where every byte was read by then: the message says that the content is intact.
    """
    requirement = Requirement(threshold=policy.threshold, allow_unsigned=policy.allow_unsigned)
    try:
        require_signatures(signatures, requirement, where=path)
    except NotTrusted as error:
        if not is_whole:
            raise
        first, *others = error.diagnostics
        whole = first._replace(message=f"the content is whole, but {first.message}")
        raise NotTrusted(whole, *others) from error


def _refuse_failed_signatures(signatures: tuple[CheckedSignature, ...], path: str) -> None:
    """Raise ``NotTrusted`` where a signature under a known key fails; no option excuses it."""
    failed = failed_signatures(signatures, path)
    if failed:
        raise NotTrusted(*failed)


def _check_identity(found: Mapping[str, str], policy: VerificationPolicy, path: str) -> None:
    """Raise ``NotTrusted`` for another package than the policy pins: name, version, content."""
    wanted = {"name": policy.name, "version": policy.version, "content": policy.content}
    problems = [
        Diagnostic(
            Code.PIN_MISMATCH, f"the {what} is {found[what]}, and {pinned} was asked for", path
        )
        for what, pinned in wanted.items()
        if pinned is not None and pinned != found.get(what, pinned)
    ]
    if problems:
        raise NotTrusted(*problems)


def _refuse_sidecar(policy: VerificationPolicy) -> None:
    """Refuse a sidecar for a native package: it would be ignored."""
    if policy.signature is not None:
        raise UsageError.of(
            Code.USAGE,
            "a native package has its signatures inside, and no sidecar",
            hint="leave out --signature",
        )
