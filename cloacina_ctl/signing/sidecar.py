"""The sidecar of legacy packages: ``x.cloacina.sig``, one signature over all of a file.

Upstream's form since 0.4: JSON with six keys, an Ed25519 signature over the 32 bytes of the file's
SHA-256. Checked here, step by step:

(1) The file has the exact form: ``parse_sidecar``. Keys that upstream's readers ignore are ignored.
(2) It names a known key; the name only helps to find the key.
(3) The digest in it is that of the file.
(4) That key made the signature over the digest. The key was checked when it was read.

The time in it is not signed, so it stays a claim even where the signature holds.
"""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

from cloacina_ctl.clock import is_time, now_utc
from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, FileProblem, Refused, UsageError
from cloacina_ctl.files.ownership import is_there
from cloacina_ctl.signing.files import read_regular
from cloacina_ctl.signing.schemes import SIDECAR
from cloacina_ctl.signing.signatures import (
    CheckedSignature,
    KnownKey,
    SignatureStatus,
    by_fingerprint,
)
from cloacina_ctl.signing.statement import Claims, each_once
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.signing.keys import PrivateKey

SUFFIX = ".sig"
VERSION = 1
ALGORITHM = "ed25519"
MAX_SIDECAR = 64 << 10  # a sidecar has about 400 bytes
SIGNATURE_BYTES = 64

_KEYS = ("version", "algorithm", "package_hash", "key_fingerprint", "signature", "signed_at")
_HEX = re.compile(r"[0-9a-f]{64}")
# RFC 3339 as upstream's library writes it; the part up to the seconds is checked by `clock`.
_TIME = re.compile(r"([0-9-]{10}T[0-9:]{8})(\.[0-9]{1,9})?(Z|[+-][01][0-9]:[0-5][0-9])")
_MAX_SHOWN = 40


class Sidecar(NamedTuple):
    """The content of a sidecar: anyone can have written it."""

    digest: Digest
    keyid: str
    sig: bytes
    signed_at: str


def sidecar_path(package: str) -> str:
    """Return the path of the sidecar of the package at that path."""
    return package + SUFFIX


def make_sidecar(digest: Digest, key: PrivateKey, signed_at: str | None = None) -> bytes:
    """Return the sidecar by which ``key`` signs the file with that digest, as upstream spells it.

    ``signed_at`` is a time such as 2026-01-02T03:04:05Z, now if None. Raises ``UsageError`` for
    another form.
    """
    when = now_utc() if signed_at is None else signed_at
    if not is_time(when):
        raise UsageError.of(
            Code.USAGE, f"expected a time such as 2026-01-02T03:04:05Z, found: {when[:80]}"
        )
    values = (
        VERSION,
        ALGORITHM,
        str(digest),
        key.public.fingerprint,
        base64.b64encode(key.sign(bytes.fromhex(digest))).decode("ascii"),
        when[:-1] + "+00:00",
    )
    return json.dumps(dict(zip(_KEYS, values, strict=True)), indent=2).encode("ascii")


def find_sidecar(package: str) -> Sidecar | None:
    """Return the sidecar beside the package at that path, or None where there is none."""
    path = sidecar_path(package)
    return read_sidecar(path) if is_there(path) else None


def read_sidecar(path: str) -> Sidecar:
    """Return the sidecar at ``path``; never waits, and reads a bounded number of bytes.

    Raises ``FileProblem`` where it is no regular file or cannot be read, ``Refused`` for every
    other form.
    """
    data, _ = read_regular(path, MAX_SIDECAR)
    if data is None:
        raise FileProblem.of(Code.NOT_REGULAR, "a sidecar must be a regular file", where=path)
    return parse_sidecar(data, where=path)


def parse_sidecar(data: bytes, *, where: str) -> Sidecar:
    """Return the sidecar that ``data`` spells, or raise ``Refused`` for any other form (1)."""
    value = _read_json(data, where)
    missing = [key for key in _KEYS if key not in value]
    if missing:
        raise _bad(f"it lacks {', '.join(missing)}", where)
    version, algorithm = value["version"], value["algorithm"]
    if type(version) is not int or version != VERSION:
        raise _bad(f"expected version {VERSION}, found: {_shown(version)}", where)
    if algorithm != ALGORITHM:
        raise _bad(f"expected the algorithm {ALGORITHM}, found: {_shown(algorithm)}", where)
    return Sidecar(
        digest=Digest(_hex(value, "package_hash", where)),
        keyid=_hex(value, "key_fingerprint", where),
        sig=_signature(value["signature"], where),
        signed_at=_time(value["signed_at"], where),
    )


def check_sidecar_signature(
    sidecar: Sidecar, digest: Digest, known: Iterable[KnownKey]
) -> CheckedSignature:
    """Check a sidecar against the digest of all bytes of the file beside it."""
    key = by_fingerprint(known).get(sidecar.keyid)  # (2)
    reason = None
    if sidecar.digest != digest:  # (3)
        reason = "it is the signature of another file"
    elif key is not None and not key.key.verify(sidecar.sig, bytes.fromhex(digest)):  # (4)
        reason = "the signature does not match"
    return CheckedSignature(
        envelope=None,
        keyid=sidecar.keyid,
        status=_status(key, reason),
        name=key.name if key is not None else None,
        reason=reason,
        claims=Claims(SIDECAR.name, signed_at=sidecar.signed_at),
        scheme=SIDECAR,
    )


def _status(key: KnownKey | None, reason: str | None) -> SignatureStatus:
    if key is None:
        return SignatureStatus.UNKNOWN_KEY
    if reason is not None:
        return SignatureStatus.INVALID
    return SignatureStatus.TRUSTED if key.trusted else SignatureStatus.VALID


def _read_json(data: bytes, where: str) -> dict[str, object]:
    if len(data) > MAX_SIDECAR:
        raise _bad(f"it has more than {MAX_SIDECAR} bytes", where)
    if data.startswith(b"\xef\xbb\xbf"):
        raise _bad("it begins with a byte order mark", where)
    try:
        value = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=each_once,
            parse_int=_small_number,
            parse_constant=_no_constant,
        )
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _bad("it is not JSON in UTF-8", where) from error
    except ValueError as error:  # of each_once
        raise _bad("it says something twice", where) from error
    if not isinstance(value, dict):
        raise _bad("it is no JSON object", where)
    return value


def _small_number(text: str) -> int:
    """Read a version; an int of a million digits would take quadratic time."""
    return int(text) if len(text) < 10 else -1


def _no_constant(name: str) -> None:
    """Refuse NaN and Infinity, which are no JSON."""
    raise json.JSONDecodeError("no JSON", name, 0)


def _hex(value: dict[str, object], key: str, where: str) -> str:
    text = value[key]
    if not isinstance(text, str) or _HEX.fullmatch(text) is None:
        raise _bad(f"`{key}` is not 64 lower-case hex digits: {_shown(text)}", where)
    return text


def _signature(text: object, where: str) -> bytes:
    """Decode base64 of one spelling: the decoder alone takes several for the same bytes."""
    raw = b""
    if isinstance(text, str):
        try:
            raw = base64.b64decode(text.encode("ascii"), validate=True)
        except ValueError as error:
            raise _bad("`signature` is not base64", where) from error
    if base64.b64encode(raw).decode("ascii") != text:
        raise _bad("`signature` is not base64 in its standard spelling", where)
    if len(raw) != SIGNATURE_BYTES:
        raise _bad(f"a signature has {SIGNATURE_BYTES} bytes, this one {len(raw)}", where)
    return raw


def _time(text: object, where: str) -> str:
    found = _TIME.fullmatch(text) if isinstance(text, str) else None
    if found is None or not is_time(found[1] + "Z"):
        raise _bad(f"`signed_at` is no time of RFC 3339: {_shown(text)}", where)
    return found[0]


def _shown(value: object) -> str:
    if isinstance(value, (dict, list)):
        return "an object or a list"
    text = json.dumps(value)
    return text if len(text) <= _MAX_SHOWN else text[:_MAX_SHOWN] + "…"


def _bad(why: str, where: str) -> Refused:
    return Refused.of(
        Code.BAD_SIDECAR,
        f"not a sidecar: {why}",
        where=where,
        hint="get it again from the author, or sign again: `cloacina-ctl sign`",
    )
