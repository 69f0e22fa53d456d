"""What the verbs that read return: the same for packages of every generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.digest import Digest
    from cloacina_ctl.errors import Diagnostic
    from cloacina_ctl.formats.file_index import FileEntry, Tool
    from cloacina_ctl.formats.legacy.model import ForeignManifest
    from cloacina_ctl.formats.plan import PlannedFile
    from cloacina_ctl.inspection.manifest_view import ForeignView
    from cloacina_ctl.manifest import Manifest
    from cloacina_ctl.operations.views import SignatureView


class Inspection(NamedTuple):
    """What a package says. Nothing of it is vouched for but what ``signatures`` say.

    ``compressed`` is what the payload takes in this file, ``size`` the file itself, both in bytes.
    ``format`` is the generation. One that is not native has no ``head`` and a ``manifest`` of the
    same shape, made of what it says and what its code says; ``original`` is its own manifest,
    ``releases`` are those of Cloacina that load it, as far as the manifest decides. ``warnings``
    say where the user's keys cannot be read: then no signature is by a known key. ``not_packed``
    are declared dependencies that the package does not hold.

    Of a project, whose ``format`` is ``project``, it is what a package would say: that has no size
    and no ``content`` yet. ``unbuilt`` names what a crate has only after a build.
    """

    path: str
    format: str
    size: int | None
    compressed: int | None
    content: str | None
    head: Digest | None
    manifest: Manifest | ForeignView
    manifest_bytes: bytes
    files: tuple[FileEntry, ...] | tuple[PlannedFile, ...]
    withheld: tuple[str, ...]
    tool: Tool | None
    signatures: tuple[SignatureView, ...]
    original: ForeignManifest | None = None
    releases: tuple[str, ...] = ()
    unbuilt: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    not_packed: tuple[str, ...] = ()


class Verified(NamedTuple):
    """What was proved of a package; ``complete`` is false where sections are withheld.

    ``vouched_by`` holds the fingerprints of the known keys that signed it: empty only where the
    rule allowed that. ``format`` is the generation; one that is not native has no ``head``, and its
    ``content`` is the digest of the whole file.
    """

    path: str
    format: str
    size: int
    name: str
    version: str
    content: str
    head: Digest | None
    files: int
    signatures: tuple[SignatureView, ...]
    vouched_by: tuple[str, ...]
    complete: bool


class Unpacked(NamedTuple):
    """What lies in ``destination`` now; not ``complete`` where only some members were asked for."""

    path: str
    format: str
    destination: str
    name: str
    version: str
    content: str
    files: tuple[str, ...]
    size: int
    signatures: tuple[SignatureView, ...]
    vouched_by: tuple[str, ...]
    complete: bool
