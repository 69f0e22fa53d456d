"""The signatures of a legacy package, checked while it is read once.

The sidecar is checked before a byte is decompressed (``check_sidecar``); a ``package.sig`` after
the last file, since it is over the files (``TreeSignatureSink``). ``verification.verify`` decides
by the results.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.files.staging import reported, scratch_folder, unnamed_file
from cloacina_ctl.formats.native.reader import STDIN
from cloacina_ctl.formats.sinks import DISCARD
from cloacina_ctl.signing.fidius_signature import (
    SIGNATURE_BYTES,
    SIGNATURE_FILE,
    OutOfOrder,
    SpooledTreeDigest,
    TreeDigest,
    check_signature,
    check_tree_signature,
)
from cloacina_ctl.signing.sidecar import check_sidecar_signature, find_sidecar, read_sidecar

if TYPE_CHECKING:
    from cloacina_ctl.digest import Digest
    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.formats.legacy.reader import ArchiveContents, LegacyPackage
    from cloacina_ctl.formats.sinks import Sink
    from cloacina_ctl.signing.signatures import CheckedSignature, KnownKey


def check_sidecar(
    package: LegacyPackage, known: tuple[KnownKey, ...], elsewhere: str | None = None
) -> tuple[CheckedSignature, ...]:
    """Check the sidecar beside the package, if there is one, over every byte of the file.

    ``elsewhere`` is the path of a sidecar in another place, and then must exist. A package on
    standard input has none. Raises ``Refused`` for one of another form and ``FileProblem`` for one
    that cannot be read: that is not the same as none.
    """
    if elsewhere is not None:
        return (check_sidecar_signature(read_sidecar(elsewhere), package.digest, known),)
    sidecar = None if package.path == STDIN else find_sidecar(package.path)
    return () if sidecar is None else (check_sidecar_signature(sidecar, package.digest, known),)


class TreeSignatureSink:
    """A sink that passes everything to ``sink`` and keeps what checking ``package.sig`` needs."""

    divisible = False

    def __init__(self, sink: Sink, tree: TreeDigest | SpooledTreeDigest | None = None) -> None:
        self._sink = sink
        self._tree: TreeDigest | SpooledTreeDigest | None = tree or TreeDigest()
        self._signature: bytearray | None = None
        self._in_signature = False

    def begin(self, file: FileEntry) -> None:
        """Get ready for the bytes of ``file``."""
        self._sink.begin(file)
        self._in_signature = file.path == SIGNATURE_FILE
        if self._in_signature:
            self._signature = bytearray()
        try:
            if self._tree is not None:
                self._tree.begin(file.path, file.size)
        except OutOfOrder:
            self._tree = None

    def write(self, data: memoryview) -> None:
        """Take the next bytes."""
        self._sink.write(data)
        if self._signature is not None and self._in_signature:
            room = SIGNATURE_BYTES + 1 - len(self._signature)
            self._signature += data[:room]
        if self._tree is not None:
            self._tree.feed(data)

    def end(self) -> None:
        """End the file: the bytes since ``begin`` are all of it."""
        self._sink.end()

    def check(
        self, package: LegacyPackage, contents: ArchiveContents, known: tuple[KnownKey, ...]
    ) -> tuple[CheckedSignature, ...]:
        """Check the ``package.sig`` of the files that were read, if there is one.

        Where the files are not in the order of its digest, which never happens in packages of
        upstream, the package is read once more, and its files are kept on the disk for that.
        """
        if self._signature is None:
            return ()
        where = f"{package.path}: {SIGNATURE_FILE}"
        signature = check_signature(bytes(self._signature), where=where)
        digest = self._tree.digest() if self._tree is not None else _read_again(package)
        members = [str(file.path) for file in contents.files]
        return (check_tree_signature(signature, digest, known, members),)


def _read_again(package: LegacyPackage) -> Digest:
    folder = scratch_folder()
    with reported(folder):
        fd = unnamed_file(folder)
    try:
        tree = SpooledTreeDigest(fd, folder)
        package.stream(TreeSignatureSink(DISCARD, tree))
        return tree.digest()
    finally:
        os.close(fd)
