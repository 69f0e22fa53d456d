"""``inspect``: what a package says of itself, from its signature frame and head alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.archive.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.archive.reader import open_package
from cloacina_ctl.operations import authenticity
from cloacina_ctl.operations.authenticity import Rule
from cloacina_ctl.operations.views import SignatureView, signature_view
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.archive.tables import FileEntry, Tool
    from cloacina_ctl.digest import Digest
    from cloacina_ctl.manifest import Manifest


class Inspection(NamedTuple):
    """What a package says. Nothing of it is vouched for but what ``signatures`` say.

    ``compressed`` is what the payload takes in this file, ``size`` the file itself, both in bytes.
    """

    path: str
    format: str
    size: int
    compressed: int
    content: str
    head: Digest
    manifest: Manifest
    manifest_bytes: bytes
    files: tuple[FileEntry, ...]
    withheld: tuple[str, ...]
    tool: Tool
    signatures: tuple[SignatureView, ...]


def inspect(path: str, *, limits: Limits = DEFAULT_LIMITS) -> Inspection:
    """Return what the package at ``path`` says of itself (``-`` is standard input).

    Reads the signature frame and the head, executes and imports nothing, judges signatures by the
    keys that the user knows, and decides nothing: that is for ``verify``. Raises ``Refused`` for
    what is no package, also where the file is not as long as its index says.
    """
    with open_package(path, limits) as package:
        known = authenticity.keys_that_count(Rule()) if package.block.envelopes else ()
        judged = authenticity.judge_unread(package, known)
        head = package.head
        return Inspection(
            path=path,
            format="native",
            size=package.size,
            compressed=package.size - package.payload_offset,
            content=head.content,
            head=package.head_digest,
            manifest=head.manifest,
            manifest_bytes=head.manifest_bytes,
            files=head.files,
            withheld=package.block.withheld,
            tool=head.frame_index.tool,
            signatures=tuple(map(signature_view, authenticity.judge_read(package, judged))),
        )
