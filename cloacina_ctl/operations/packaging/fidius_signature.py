"""``package.sig`` in a source package: the signature of its tree that fidius' programs make.

It has to be among the files that it signs, so these are read once before they are packed. A file
that is another one when it is packed ends everything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.digest import Digest
from cloacina_ctl.errors import Code, FileProblem, Refused, UsageError
from cloacina_ctl.formats.plan import Plan, PlannedFile
from cloacina_ctl.formats.sources import SourceFiles
from cloacina_ctl.operations.packaging.target import SOURCE
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.signing.fidius_signature import (
    SIGNATURE_BYTES,
    SIGNATURE_FILE,
    TreeDigest,
    sign_tree,
    unsigned_members,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.operations.packaging.prepare import PackageRequest
    from cloacina_ctl.signing.keys import PrivateKey

_PIECE = 1 << 20
_WHOLE = "remove --sign-fidius: a sidecar signs every byte of the file"


def room_for_signature() -> PlannedFile:
    """Return the planned ``package.sig``; what it says follows when all files are known."""
    path = MemberPath(SIGNATURE_FILE)
    return PlannedFile(path, bytes(SIGNATURE_BYTES), SIGNATURE_BYTES, False, "signs the tree")


def check_request(request: PackageRequest) -> None:
    """Refuse what no ``package.sig`` can be made for."""
    if request.target.format != SOURCE:
        raise _wrong("--sign-fidius signs the tree of a source package", "add --format source")
    if request.pad:
        raise _wrong("--pad and --sign-fidius exclude each other: padding follows last", _WHOLE)
    if len(request.keys) != 1:
        hint = "name one: --sign KEY" if request.keys else "make one: `cloacina-ctl key generate`"
        raise _wrong(f"`package.sig` is by one key, and {len(request.keys)} are to sign", hint)


def check_members(paths: Iterable[str]) -> None:
    """Refuse files that the scheme does not sign: anyone could change them unnoticed."""
    for path in unsigned_members(paths):
        message = f"`package.sig` does not sign it, so anyone could change it: {path}"
        raise Refused.of(Code.RESERVED_NAME, message, where=path, hint=_WHOLE)


class SignedTree:
    """The plan of a tree with its signature in it; ``check`` compares what was packed with it."""

    def __init__(self, plan: Plan, key: PrivateKey) -> None:
        self._digests: dict[str, Digest] = {}
        signature = sign_tree(self._read(plan), key)
        self.plan = Plan(
            plan.root,
            tuple(
                file._replace(source=signature) if file.path == SIGNATURE_FILE else file
                for file in plan.files
            ),
        )

    def check(self, files: Iterable[FileEntry]) -> None:
        """Refuse a package with a file that is not the one that was signed."""
        for file in files:
            if file.path != SIGNATURE_FILE and file.sha256 != self._digests[file.path]:
                raise FileProblem.of(
                    Code.CHANGED,
                    "changed while packing: it is not the file that was signed",
                    where=str(file.path),
                    hint="run it again when nothing writes to the project",
                )

    def _read(self, plan: Plan) -> Digest:
        import hashlib

        tree, buffer = TreeDigest(), _Buffer()
        with SourceFiles() as sources:
            for file in plan.files:
                tree.begin(file.path, file.size)
                sha256 = hashlib.sha256()
                for part in sources.content(file, buffer):
                    tree.feed(part)
                    sha256.update(part)
                self._digests[file.path] = Digest(sha256.hexdigest())
        return tree.digest()


class _Buffer:
    """Room for one piece after the other."""

    def __init__(self) -> None:
        self._bytes = bytearray(_PIECE)

    def room(self) -> memoryview:
        """Return all of it: what was in it is not needed any more."""
        return memoryview(self._bytes)

    def took(self, count: int) -> None:
        """Keep nothing."""

    def put(self, data: bytes) -> None:
        """Keep nothing."""


def _wrong(message: str, hint: str) -> UsageError:
    return UsageError.of(Code.USAGE, message, hint=hint)
