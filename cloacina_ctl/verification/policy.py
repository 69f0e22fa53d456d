"""What a package must be to be accepted, and which keys count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl import settings
from cloacina_ctl.errors import (
    CloacinaError,
    Code,
    Diagnostic,
    FileProblem,
    Severity,
    UsageError,
)
from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.signing.signatures import KnownKey
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.signing.keys import PublicKey


class VerificationPolicy(NamedTuple):
    """What a package must be to be accepted.

    ``keys`` are public keys, or texts that name one: a file or another source, the name or
    fingerprint of a stored key. None means the trusted keys and the user's own. ``name``,
    ``version`` and ``content`` pin the package itself. ``signature`` is the path of the sidecar of
    a legacy package, where it does not lie beside it; a native package has its signatures inside.
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


class AvailableKeys(NamedTuple):
    """The keys that count by default, and warnings of keys that cannot be read."""

    known: tuple[KnownKey, ...]
    unread: tuple[Diagnostic, ...] = ()


def verification_keys(rule: VerificationPolicy) -> tuple[KnownKey, ...]:
    """Return the keys whose signatures count: those named by the rule, else the trusted ones.

    The user's folder must be readable only where the rule needs it: not where it names only files.
    Raises ``FileProblem`` where the folder is needed and cannot be read. Where unsigned packages
    are allowed no key is needed: the caller reports the warnings of ``available_keys``.
    """
    if not rule.keys:
        return available_keys().known if rule.allow_unsigned else _trusted_keys()
    from cloacina_ctl.signing.keys import PublicKey
    from cloacina_ctl.signing.resolve import find_public

    try:
        names = {one.key.fingerprint: one.name for one in _trusted_keys()}
    except CloacinaError:
        if not all(isinstance(key, PublicKey) or settings.names_a_source(key) for key in rule.keys):
            raise
        names = {}  # the names of keys are optional here
    found = [key if isinstance(key, PublicKey) else find_public(key) for key in rule.keys]
    return tuple(
        KnownKey(key=key, name=names.get(key.fingerprint), trusted=True)
        for key in {key.fingerprint: key for key in found}.values()
    )


def available_keys() -> AvailableKeys:
    """Return the trusted keys for a command that also works without them.

    A folder that cannot be read is a warning here. One that others can write to is always an error:
    that does not depend on where the program runs.
    """
    from cloacina_ctl.signing.store import KeyStore

    try:
        known = _trusted_keys()
        unusable = KeyStore(settings.config_folder()).unusable_public()
        return AvailableKeys(known, tuple(one.warning() for one in unusable))
    except FileProblem as error:
        hint = f"name the folder of your keys with {settings.ENV_FOLDER}"
        warnings = (one._replace(severity=Severity.WARNING, hint=hint) for one in error.diagnostics)
        return AvailableKeys((), tuple(warnings))


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


def check_policy(rule: VerificationPolicy) -> None:
    """Refuse a rule that no package, or every package, would meet."""
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
