"""``package.sig``: 64 bytes at the root of a source tree, a signature over the tree's digest.

The scheme of fidius, which packs the trees of legacy packages; Cloacina signs provider archives
with it. The digest is SHA-256 over each file's path and content, both with their length before
them, by path; some files and all modes are left out (``rides_along``). Checked step by step:

(1) The signature has 64 bytes. It names no key: each known key is tried. Where none fits, a changed
    tree cannot be distinguished from a signature by an unknown key.
(2) A known key made it over the digest. The key was checked when it was read.
(3) Every file of the package is signed: else the signature holds for a part only, and does not
    count.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.files.staging import reported, write_all
from cloacina_ctl.signing.schemes import PACKAGE_SIG
from cloacina_ctl.signing.signatures import CheckedSignature, SignatureStatus, by_fingerprint
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from cloacina_ctl.signing.keys import PrivateKey
    from cloacina_ctl.signing.signatures import KnownKey

SIGNATURE_FILE = "package.sig"
SIGNATURE_BYTES = 64

_SKIPPED_FOLDERS = ("target", ".git")
_SKIPPED_SUFFIX = ".sig"
_PIECE = 1 << 20
_NAMED_IN_A_MESSAGE = 3


def rides_along(path: str) -> bool:
    """Return whether no signature of this scheme covers the file ``path``, relative to the root.

    These are files below a folder called ``target`` or ``.git`` at any depth, and any ``*.sig``.
    """
    *folders, name = path.split("/")
    return name.endswith(_SKIPPED_SUFFIX) or any(one in _SKIPPED_FOLDERS for one in folders)


def unsigned_members(paths: Iterable[str]) -> tuple[str, ...]:
    """Return those of ``paths`` that are not signed, except for the signature itself."""
    return tuple(path for path in paths if path != SIGNATURE_FILE and rides_along(path))


class OutOfOrder(Exception):
    """A file followed one whose path sorts after its own, so the digest cannot be streamed."""


class TreeDigest:
    """The digest of a tree whose files are sorted by path, as upstream packs them: nothing is kept.

    Call ``begin`` for each file, then ``feed`` with its bytes in any pieces; ``digest`` at the end.
    Files that the scheme skips may be passed too.
    """

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256()
        self._last: str | None = None
        self._counts = False

    def begin(self, path: str, size: int) -> None:
        """Start the file ``path``, relative to the root; raises ``OutOfOrder`` or ``Refused``."""
        self._counts = not rides_along(path)
        if not self._counts:
            return
        name = _covered(path)
        if self._last is not None and name <= self._last:
            raise OutOfOrder(path)
        self._last = name
        self._sha256.update(_prefix(name, size))

    def feed(self, piece: bytes | memoryview) -> None:
        """Take the next bytes of the file that was begun."""
        if self._counts:
            self._sha256.update(piece)

    def digest(self) -> Digest:
        """Return the digest of the tree, after its last file."""
        return Digest(self._sha256.hexdigest())


class _Kept(NamedTuple):
    """The place of a file's bytes among the kept ones."""

    name: str
    start: int
    size: int


class SpooledTreeDigest:
    """The digest of a tree whose files are in any order: their bytes are kept in a file.

    ``fd`` is a file for this purpose only, empty and open for reading and writing, such as one of
    ``staging.unnamed_file``; ``where`` names it in errors. The caller closes it.
    """

    def __init__(self, fd: int, where: str | os.PathLike[str]) -> None:
        self._fd = fd
        self._where = where
        self._files: list[_Kept] = []
        self._end = 0
        self._counts = False

    def begin(self, path: str, size: int) -> None:
        """Start the file ``path``, relative to the root."""
        self._counts = not rides_along(path)
        if self._counts:
            self._files.append(_Kept(_covered(path), self._end, size))

    def feed(self, piece: bytes | memoryview) -> None:
        """Keep the next bytes of the file that was begun."""
        if self._counts:
            with reported(self._where):
                write_all(self._fd, piece)
            self._end += len(piece)

    def digest(self) -> Digest:
        """Return the digest of the tree, after its last file."""
        import os

        sha256 = hashlib.sha256()
        for file in sorted(self._files):
            sha256.update(_prefix(file.name, file.size))
            for start in range(file.start, file.start + file.size, _PIECE):
                most = min(_PIECE, file.start + file.size - start)
                with reported(self._where):
                    sha256.update(os.pread(self._fd, most, start))
        return Digest(sha256.hexdigest())


def sign_tree(digest: Digest, key: PrivateKey) -> bytes:
    """Return the content of ``package.sig`` by which ``key`` signs the tree with that digest."""
    return key.sign(bytes.fromhex(digest))


def check_signature(data: bytes, *, where: str) -> bytes:
    """Return ``data``, the content of a ``package.sig``, or raise ``Refused`` (1)."""
    if len(data) != SIGNATURE_BYTES:
        raise Refused.of(
            Code.BAD_SIDECAR,
            f"{SIGNATURE_FILE} has {SIGNATURE_BYTES} bytes, this one {len(data)}",
            where=where,
            hint="get the package again from its author",
        )
    return data


def check_tree_signature(
    signature: bytes, digest: Digest, known: Iterable[KnownKey], members: Iterable[str] = ()
) -> CheckedSignature:
    """Check a ``package.sig`` over the tree with that digest.

    ``members`` are the paths of all files of the package, relative to its root: where one of them
    is not signed, the signature of a trusted key is VALID and not TRUSTED.
    """
    message = bytes.fromhex(digest)
    for fingerprint, one in by_fingerprint(known).items():
        if one.key.verify(signature, message):  # (2)
            reason = _uncovered(unsigned_members(members))  # (3)
            counts = one.trusted and reason is None
            status = SignatureStatus.TRUSTED if counts else SignatureStatus.VALID
            return CheckedSignature(None, fingerprint, status, one.name, reason, scheme=PACKAGE_SIG)
    reason = f"{SIGNATURE_FILE} is by no known key, or the tree was changed: it names no key"
    return CheckedSignature(
        None, "", SignatureStatus.UNKNOWN_KEY, reason=reason, scheme=PACKAGE_SIG
    )


def _uncovered(members: tuple[str, ...]) -> str | None:
    if not members:
        return None
    named = ", ".join(members[:_NAMED_IN_A_MESSAGE])
    more = len(members) - _NAMED_IN_A_MESSAGE
    named = f"{named} and {more} more" if more > 0 else named
    files = "a file" if len(members) == 1 else f"{len(members)} files"
    return f"it does not cover {files}: {named}"


def _covered(path: str) -> str:
    """Return ``path``; refuse one for which upstream's programs hash the wrong file or none.

    They turn each backslash into a slash before they open the file, on every system.
    """
    if "\\" in path:
        raise Refused.of(
            Code.MEMBER_NAME, f"{SIGNATURE_FILE} covers no name with a backslash", where=path
        )
    return path


def _prefix(name: str, size: int) -> bytes:
    path = name.encode("utf-8")
    return len(path).to_bytes(8, "little") + path + size.to_bytes(8, "little")
