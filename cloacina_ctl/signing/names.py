"""Names of keys, and fingerprints that users type."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, NotTrusted, UsageError
from cloacina_ctl.redaction import shown_word
from cloacina_ctl.settings import KEY_FILE_SUFFIXES, OPENSSH_FINGERPRINT
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.signing.keys import PublicKey

MIN_FINGERPRINT = 8
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SEPARATORS = re.compile(r"[\s:]")
_FINGERPRINT = re.compile(rf"[0-9a-f]{{{MIN_FINGERPRINT},64}}")
_WHOLE = r"[0-9a-f]{64}"
_WHOLE_OPENSSH = rf"{OPENSSH_FINGERPRINT}[A-Za-z0-9+/]{{43}}"


class NamedKey(NamedTuple):
    """A public key and the user's name for it."""

    name: str
    public: PublicKey


def is_name(name: str) -> bool:
    """Return whether a key may be called ``name``, which must not mean a file or fingerprint."""
    return (
        _NAME.fullmatch(name) is not None
        and not name.endswith(KEY_FILE_SUFFIXES)
        and _FINGERPRINT.fullmatch(name) is None
    )


def check_name(name: str) -> None:
    """Raise ``UsageError`` for a name that no key may have."""
    if not is_name(name):
        raise UsageError(
            Diagnostic(
                Code.USAGE,
                f"not a name for a key: {shown_word(name)}",
                None,
                "a letter or digit, then up to 63 of letters, digits, `.`, `_` and `-`; not ending "
                "in .pem, .pub or .key, and not the digits of a fingerprint",
            )
        )


def find_one(spec: str, keys: Iterable[NamedKey], *, listing: str) -> NamedKey:
    """Return the key whose name is ``spec``, or whose fingerprint begins with it.

    Exactly one key must match; the same key in two places counts once. Raises ``NotTrusted``
    otherwise, with ``listing`` as the command that lists the keys.
    """
    known = tuple(keys)
    matches = {key.public: key for key in known if key.name == spec}
    digits = bare_digits(spec)
    if not matches and _FINGERPRINT.fullmatch(digits):
        matches = {key.public: key for key in known if key.public.fingerprint.startswith(digits)}
    elif not matches and spec.startswith(OPENSSH_FINGERPRINT):
        matches = {key.public: key for key in known if key.public.openssh_fingerprint == spec}
    if len(matches) == 1:
        return next(iter(matches.values()))
    if matches:
        shown = ", ".join(public.fingerprint[:16] for public in matches)
        raise NotTrusted.of(
            Code.NO_SUCH_KEY,
            f"{len(matches)} keys are meant by `{shown_word(spec)}`: {shown}",
            hint="give more digits of the fingerprint",
        )
    raise NotTrusted.of(
        Code.NO_SUCH_KEY, f"no such key: {shown_word(spec)}", hint=f"`{listing}` lists them"
    )


def bare_digits(fingerprint: str) -> str:
    """Return the digits of a fingerprint that people wrote with spaces, colons or capitals."""
    return _SEPARATORS.sub("", fingerprint).lower()


def grouped(fingerprint: str) -> tuple[str, str]:
    """Return a whole fingerprint for people to compare: two lines of eight groups of four."""
    groups = [fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4)]
    return " ".join(groups[:8]), " ".join(groups[8:])


def check_fingerprint(public: PublicKey, expected: str, where: str) -> None:
    """Raise ``NotTrusted`` where ``expected`` is not the fingerprint of ``public``.

    ``expected`` is a whole one, with or without spaces and colons, or OpenSSH's. Raises
    ``UsageError`` for a part of one: an attacker could make a key that begins the same.
    """
    is_openssh = expected.startswith(OPENSSH_FINGERPRINT)
    given = expected.rstrip("=") if is_openssh else bare_digits(expected)
    if not re.fullmatch(_WHOLE_OPENSSH if is_openssh else _WHOLE, given):
        raise UsageError.of(
            Code.USAGE,
            f"not a whole fingerprint: {shown_word(expected)}",
            hint="give its 64 hex digits, or OpenSSH's form, SHA256:…: `cloacina-ctl key show` "
            "prints both",
        )
    if given != (public.openssh_fingerprint if is_openssh else public.fingerprint):
        raise NotTrusted.of(
            Code.FINGERPRINT_MISMATCH,
            f"the key is another one: its fingerprint is {public.fingerprint}, "
            f"{public.openssh_fingerprint}",
            where=where,
            hint="ask its owner for the fingerprint over another channel than that of the file",
        )
