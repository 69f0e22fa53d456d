"""``unpack``: the files of a package in a folder, each proved before the folder appears."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl import authenticity
from cloacina_ctl.archive.extraction import Extraction
from cloacina_ctl.archive.opening import open_any
from cloacina_ctl.archive.payload import pour, select
from cloacina_ctl.archive.reader import Package
from cloacina_ctl.archive.workers import default_jobs
from cloacina_ctl.authenticity import Rule
from cloacina_ctl.operations.results import Unpacked
from cloacina_ctl.operations.views import signature_view
from cloacina_ctl.progress import Progress, stage

if TYPE_CHECKING:
    from cloacina_ctl.archive.tables import FileEntry
    from cloacina_ctl.signing.judge import KnownKey

__all__ = ["Unpacked", "unpack"]


def unpack(
    path: str,
    destination: str,
    rule: Rule = Rule(),
    *,
    members: tuple[str, ...] = (),
    partial: bool = False,
    progress: Progress | None = None,
) -> Unpacked:
    """Put the files of the package at ``path`` into ``destination``, by the rule of ``verify``.

    ``destination`` then holds what stands under the package's root folder; it must not exist or
    be empty, and appears whole or not at all. ``members`` are glob patterns: only what they match
    is taken, and only the frames that hold it are proved. ``partial`` takes what is there of a
    package that sections were removed from.
    """
    authenticity.check_rule(rule)
    known = authenticity.keys_that_count(rule)
    with open_any(path, rule.limits) as package:  # (1)
        if not isinstance(package, Package):
            from cloacina_ctl.operations.foreign import unpack_foreign

            request = (destination, members, partial)
            return unpack_foreign(package, rule, known, request, progress)
        return _unpack_native(package, destination, rule, (members, partial, known), progress)


def _unpack_native(
    package: Package,
    destination: str,
    rule: Rule,
    request: tuple[tuple[str, ...], bool, tuple[KnownKey, ...]],
    progress: Progress | None,
) -> Unpacked:
    members, partial, known = request
    vouched = authenticity.vouch(package, rule, known)  # (2) to (6)
    head = package.head
    wanted = _wanted(package, members, partial=partial)
    at = stage(progress, "unpacking")
    with Extraction(destination) as extraction:
        if not members:
            for name, data in head.members():
                extraction.add(name, data)
        jobs = rule.jobs or default_jobs()
        poured = pour(package, extraction, wanted, jobs=jobs, progress=at)  # (7)
        extraction.commit()
    return Unpacked(
        path=package.path,
        format="native",
        destination=destination,
        name=head.manifest.package.name,
        version=head.manifest.package.version,
        content=head.content,
        files=tuple(file.path for file in poured.files),
        size=sum(file.size for file in poured.files),
        signatures=tuple(map(signature_view, vouched.signatures)),
        vouched_by=vouched.vouched_by,
        complete=poured.complete,
    )


def _wanted(
    package: Package, members: tuple[str, ...], *, partial: bool
) -> tuple[FileEntry, ...] | None:
    """Return the files to take, None for all; refuse when some of them were removed."""
    from cloacina_ctl.archive.layout import section_of

    files = select(package.head.files, members) if members else package.head.files
    if not partial:
        package.require_sections({section_of(file.path) for file in files})
    if not members:
        return None
    return tuple(file for file in files if package.holds(section_of(file.path)))
