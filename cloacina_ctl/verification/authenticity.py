"""Whether a package is the one that was asked for, made by somebody who is known.

The argument, step by step; each step uses only what the steps before it proved:

(1) The file is a regular file, opened once; its preamble, signature block and the size of its head
    have the exact form (``formats.reader``).
(2) The keys that count are those that the caller named, or the trusted ones. A signature under one
    of them must hold for exactly the bytes of this head; one that fails ends everything here, also
    where unsigned packages are allowed.
(3) Where a signature is required there is one by enough different keys, before a byte of the head
    is decompressed. (``verify`` alone, which uses nothing, goes on where one is missing: its answer
    then says whether the content is whole as well, and is still no.)
(4) The head agrees with itself and with the length of the file (``formats.head``).
(5) What was signed names this package: name, version and content.
(6) The package is the one that the caller pinned.
(7) Every byte of every frame, header and file that is used is the one that the head promises
    (``formats.payload``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl import settings
from cloacina_ctl.errors import (
    CloacinaError,
    Code,
    Diagnostic,
    FileProblem,
    NotTrusted,
    Severity,
    UsageError,
)
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.signing.judge import Judged, KnownKey, judge_head, judge_subject
from cloacina_ctl.signing.policy import Requirement, failed_signatures, require_signatures
from cloacina_ctl.signing.statement import Subject
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.formats.native.head import Head
    from cloacina_ctl.formats.native.reader import Package
    from cloacina_ctl.signing.keys import PublicKey


class Rule(NamedTuple):
    """What a package must be to be taken.

    ``keys`` are public keys, or what leads to one: a file or another source, the name or
    fingerprint of a stored key. None means the trusted keys and the user's own. ``name``,
    ``version`` and ``content`` pin the package itself. ``signature`` is the sidecar of a package
    of another generation, where it does not lie beside it; a native package has its signatures
    inside.
    """

    keys: tuple[str | PublicKey, ...] = ()
    threshold: int = 1
    allow_unsigned: bool = False
    name: str | None = None
    version: str | None = None
    content: str | None = None
    limits: Limits = DEFAULT_LIMITS
    jobs: int | None = None
    signature: str | None = None


class Vouched(NamedTuple):
    """The outcome for signatures: each as it was judged, and the fingerprints that count."""

    signatures: tuple[Judged, ...]
    vouched_by: tuple[str, ...]


class KeysAtHand(NamedTuple):
    """The keys that count by default, and warnings of those, or why all, cannot be read."""

    known: tuple[KnownKey, ...]
    unread: tuple[Diagnostic, ...] = ()


def keys_that_count(rule: Rule) -> tuple[KnownKey, ...]:
    """Return the keys whose signatures count: those named by the rule, else the trusted ones.

    The user's folder must be readable only where the rule needs it: not where it names files alone.
    Raises ``FileProblem`` where the folder is needed and cannot be read. Where unsigned packages
    are allowed no key is needed: the caller says what ``keys_at_hand`` warns of.
    """
    if not rule.keys:
        return keys_at_hand().known if rule.allow_unsigned else _trusted_keys()
    from cloacina_ctl.signing.keys import PublicKey
    from cloacina_ctl.signing.resolve import find_public

    try:
        names = {one.key.fingerprint: one.name for one in _trusted_keys()}
    except CloacinaError:
        if not all(isinstance(key, PublicKey) or settings.names_a_source(key) for key in rule.keys):
            raise
        names = {}  # what a key is called is convenient, and nothing else of it is needed
    found = [key if isinstance(key, PublicKey) else find_public(key) for key in rule.keys]
    return tuple(
        KnownKey(key=key, name=names.get(key.fingerprint), trusted=True)
        for key in {key.fingerprint: key for key in found}.values()
    )


def keys_at_hand() -> KeysAtHand:
    """Return the trusted keys for a question that has an answer without them.

    A folder that cannot be read is a warning here. One that others can write to is an error
    everywhere: that is no matter of where the program runs.
    """
    from cloacina_ctl.signing.store import KeyStore

    try:
        known = _trusted_keys()
        unusable = KeyStore(settings.config_folder()).unusable_public()
        return KeysAtHand(known, tuple(one.warning() for one in unusable))
    except FileProblem as error:
        hint = f"name the folder of your keys with {settings.ENV_FOLDER}"
        warnings = (one._replace(severity=Severity.WARNING, hint=hint) for one in error.diagnostics)
        return KeysAtHand((), tuple(warnings))


def keys_for(package: Package) -> KeysAtHand:
    """Return the trusted keys to look at a native package with; none for one without signatures."""
    return keys_at_hand() if package.block.envelopes else KeysAtHand(())


def _trusted_keys() -> tuple[KnownKey, ...]:
    from cloacina_ctl.signing.trust import known_keys

    try:
        return known_keys(settings.config_folder())
    except FileProblem as error:
        raise FileProblem(
            *(
                one._replace(
                    message=f"the keys that you trust cannot be read: {one.message}",
                    hint="name the file of the author's key with --key, or the folder of your "
                    f"keys with {settings.ENV_FOLDER}",
                )
                for one in error.diagnostics
            )
        ) from error


def judge_unread(package: Package, known: tuple[KnownKey, ...]) -> tuple[Judged, ...]:
    """Judge the signatures over the compressed head (step 2)."""
    return judge_head(package.block.envelopes, package.head_digest, known)


def judge_read(package: Package, judged: tuple[Judged, ...]) -> tuple[Judged, ...]:
    """Judge what the signatures say against what the head says (step 5)."""
    return judge_subject(judged, subject_of(package.head, package))


def vouch(package: Package, rule: Rule, known: tuple[KnownKey, ...]) -> Vouched:
    """Go through steps (2) to (6): what comes back is of a package that may be used.

    ``verify`` alone does not: it takes (3) last. Raises ``NotTrusted`` where the rule is not met,
    ``Refused`` for a head that contradicts itself.
    """
    refuse_sidecar(rule)
    path = package.path
    judged = judge_unread(package, known)  # (2)
    require(judged, rule, path)  # (3), and none that fails
    judged = judge_read(package, judged)  # (4), (5)
    vouched_by = require(judged, rule, path)
    check_pins(package.head, rule, path)  # (6)
    return Vouched(judged, vouched_by)


def subject_of(head: Head, package: Package) -> Subject:
    """Return what a signature of this package is over."""
    return Subject(
        name=head.manifest.package.name,
        version=head.manifest.package.version,
        head=package.head_digest,
        content=head.content,
    )


def require(judged: tuple[Judged, ...], rule: Rule, where: str) -> tuple[str, ...]:
    """Return the fingerprints that vouch, or raise ``NotTrusted`` where the rule is not met."""
    requirement = Requirement(threshold=rule.threshold, allow_unsigned=rule.allow_unsigned)
    return require_signatures(judged, requirement, where=where)


def require_after_all(judged: tuple[Judged, ...], rule: Rule, path: str) -> tuple[str, ...]:
    """Return who vouches, or say that nobody does of a package that is known to be whole."""
    try:
        return require(judged, rule, path)
    except NotTrusted as error:
        first, *others = error.diagnostics
        whole = first._replace(message=f"the content is whole, but {first.message}")
        raise NotTrusted(Diagnostic(*whole), *others) from error


def refuse_failed_signatures(judged: tuple[Judged, ...], where: str) -> None:
    """Raise ``NotTrusted`` where a signature under a known key fails; no option excuses it."""
    failed = failed_signatures(judged, where)
    if failed:
        raise NotTrusted(*failed)


def check_pins(head: Head, rule: Rule, where: str) -> None:
    """Refuse a package that is not the one that the rule pins (step 6)."""
    package = head.manifest.package
    check_identity(
        {"name": package.name, "version": package.version, "content": head.content}, rule, where
    )


def check_identity(found: dict[str, str], rule: Rule, where: str) -> None:
    """Refuse what is not pinned by the rule; ``found`` holds name, version, content, or some."""
    wanted = {"name": rule.name, "version": rule.version, "content": rule.content}
    problems = [
        Diagnostic(
            Code.PIN_MISMATCH, f"the {what} is {found[what]}, and {pinned} was asked for", where
        )
        for what, pinned in wanted.items()
        if pinned is not None and pinned != found.get(what, pinned)
    ]
    if problems:
        raise NotTrusted(*problems)


def refuse_sidecar(rule: Rule) -> None:
    """Refuse a sidecar for a native package: it would be ignored."""
    if rule.signature is not None:
        raise UsageError.of(
            Code.USAGE,
            "a native package has its signatures inside, and no sidecar",
            hint="leave --signature away",
        )


def check_rule(rule: Rule) -> None:
    """Refuse a rule that nothing could meet or that everything would."""
    if rule.threshold < 1:
        raise UsageError.of(Code.USAGE, f"the threshold must be at least 1: {rule.threshold}")
    if rule.allow_unsigned and rule.threshold > 1:
        raise UsageError.of(
            Code.USAGE,
            "--allow-unsigned and a threshold above 1 exclude each other",
        )
    if rule.content is not None and not rule.content.startswith("sha256:"):
        raise UsageError.of(
            Code.USAGE,
            f"a content digest begins with sha256: {rule.content}",
            hint="`cloacina-ctl inspect` shows it",
        )
