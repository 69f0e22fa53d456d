"""What keys are called: names that mean one thing, and what of a fingerprint is enough."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, NotTrusted, UsageError
from cloacina_ctl.redaction import shown_word
from cloacina_ctl.settings import KEY_FILE_SUFFIXES
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.signing.keys import PublicKey

MIN_FINGERPRINT = 8
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_FINGERPRINT = re.compile(rf"[0-9a-f]{{{MIN_FINGERPRINT},64}}")


class Named(NamedTuple):
    """A public key and what the user calls it."""

    name: str
    public: PublicKey


def is_name(name: str) -> bool:
    """Tell whether a key may be called ``name``: never what means a file or a fingerprint."""
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


def find_one(spec: str, keys: Iterable[Named], *, listing: str) -> Named:
    """Return the key whose name is ``spec``, or whose fingerprint begins with it.

    One key alone must fit; the same key in two places is one. Raises ``NotTrusted`` otherwise,
    with ``listing`` as the command that shows the keys there are.
    """
    known = tuple(keys)
    matches = {key.public: key for key in known if key.name == spec}
    digits = spec.lower()
    if not matches and _FINGERPRINT.fullmatch(digits):
        matches = {key.public: key for key in known if key.public.fingerprint.startswith(digits)}
    if len(matches) == 1:
        return next(iter(matches.values()))
    if matches:
        shown = ", ".join(public.fingerprint[:16] for public in matches)
        raise NotTrusted.of(
            Code.NO_SUCH_KEY,
            f"{len(matches)} keys are meant by `{spec}`: {shown}",
            hint="give more digits of the fingerprint",
        )
    raise NotTrusted.of(
        Code.NO_SUCH_KEY, f"no such key: {shown_word(spec)}", hint=f"`{listing}` lists them"
    )
