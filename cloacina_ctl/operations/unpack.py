"""``unpack``: the files of a package in a folder, each proved before the folder appears."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused, UsageError
from cloacina_ctl.formats.extraction import Extraction
from cloacina_ctl.formats.layout import root_folder
from cloacina_ctl.formats.native.payload import pour, select
from cloacina_ctl.formats.native.reader import Package
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.formats.threads import default_jobs
from cloacina_ctl.operations.results import Unpacked
from cloacina_ctl.operations.views import signature_view
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification import authenticity
from cloacina_ctl.verification.authenticity import Rule

if TYPE_CHECKING:
    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.signing.judge import KnownKey

__all__ = ["Unpacked", "Wanted", "unpack"]


class Wanted(NamedTuple):
    """Which files are wanted. ``members`` are glob patterns, none for all.

    Of a native package only the frames that hold what they match are proved. ``partial`` takes
    what is there of a package that sections were removed from. With ``metadata`` the members of a
    native package's head lie there too, as `tar` unpacks them.
    """

    members: tuple[str, ...] = ()
    partial: bool = False
    metadata: bool = False


def unpack(
    path: str,
    destination: str | None = None,
    rule: Rule = Rule(),
    wanted: Wanted = Wanted(),
    progress: Progress | None = None,
) -> Unpacked:
    """Put the files of the package at ``path`` into ``destination``, by the rule of ``verify``.

    ``destination`` then holds the package's files; None means ``NAME-VERSION`` in the current
    folder. It must not exist or be empty, and appears whole or not at all.
    """
    authenticity.check_rule(rule)
    known = authenticity.keys_that_count(rule)
    with open_any(path, rule.limits) as package:  # (1)
        if isinstance(package, Package):
            return _unpack_native(package, rule, known, (destination, wanted), progress)
        from cloacina_ctl.operations.foreign import unpack_foreign, verify_foreign

        if destination is None:  # only reading tells the name; then everything is proved again
            verified = verify_foreign(package, rule, known, progress)
            rule = rule._replace(name=verified.name, version=verified.version)
            destination = _default_folder(verified.name, verified.version)
        request = (destination, wanted.members, wanted.partial)
        return unpack_foreign(package, rule, known, request, progress)


def _unpack_native(
    package: Package,
    rule: Rule,
    known: tuple[KnownKey, ...],
    request: tuple[str | None, Wanted],
    progress: Progress | None,
) -> Unpacked:
    destination, wanted = request
    vouched = authenticity.vouch(package, rule, known)  # (2) to (6)
    head = package.head
    named = head.manifest.package
    destination = destination or _default_folder(named.name, named.version)
    files = _wanted(package, wanted.members, partial=wanted.partial)
    at = stage(progress, "unpacking")
    with Extraction(destination) as extraction:
        if wanted.metadata:
            for name, data in head.members():
                extraction.add(name, data)
        jobs = rule.jobs or default_jobs()
        poured = pour(package, extraction, files, jobs=jobs, progress=at)  # (7)
        extraction.commit()
    return Unpacked(
        path=package.path,
        format="native",
        destination=destination,
        name=named.name,
        version=named.version,
        content=head.content,
        files=tuple(file.path for file in poured.files),
        size=sum(file.size for file in poured.files),
        signatures=tuple(map(signature_view, vouched.signatures)),
        vouched_by=vouched.vouched_by,
        complete=poured.complete,
    )


def _default_folder(name: str, version: str) -> str:
    """Return the folder for a package in the current one; refuse a name that leads elsewhere."""
    folder = root_folder(name, version)
    try:
        is_plain = "/" not in MemberPath.parse(folder)
    except Refused:
        is_plain = False
    if not is_plain:
        raise UsageError.of(
            Code.USAGE,
            f"the package's name and version make no name of a folder: {folder[:200]}",
            hint="name the folder: --output FOLDER",
        )
    return folder


def _wanted(
    package: Package, members: tuple[str, ...], *, partial: bool
) -> tuple[FileEntry, ...] | None:
    """Return the files to take, None for all; refuse when some of them were removed."""
    from cloacina_ctl.formats.layout import section_of

    files = select(package.head.files, members) if members else package.head.files
    if not partial:
        package.require_sections({section_of(file.path) for file in files})
    if not members:
        return None
    return tuple(file for file in files if package.holds(section_of(file.path)))
