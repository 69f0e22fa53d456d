"""``inspect``: what a package contains.

Of a native package only the signature frame and the head are read. A legacy package has no table of
contents: all of it is read, also its code.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.formats.limits import DEFAULT_LIMITS, Limits
from cloacina_ctl.formats.opening import open_any
from cloacina_ctl.operations.results import Inspection, signature_view
from cloacina_ctl.verification.verify import examine

if TYPE_CHECKING:
    from cloacina_ctl.formats.native.head import Head
    from cloacina_ctl.formats.package import Package
    from cloacina_ctl.progress import Progress
    from cloacina_ctl.verification.verify import Proof

__all__ = ["Inspection", "inspect"]


def inspect(
    path: str, *, limits: Limits = DEFAULT_LIMITS, progress: Progress | None = None
) -> Inspection:
    """Return what the package at ``path`` says of itself (``-`` is standard input).

    Where ``path`` is the folder of a project it is what a package of that would say, and an
    ``https`` address is asked for the beginning of the file alone.
    Reads the signature frame and the head, of a legacy package everything. Executes and imports
    nothing, checks signatures by the trusted keys, and accepts or refuses nothing: that is for
    ``verify``. Raises ``Refused`` for what is no package, also where the file is not as long as its
    index says.
    """
    if os.path.isdir(path):
        from cloacina_ctl.operations.own_project import inspect_project

        return inspect_project(path, limits)
    with _open(path, limits) as opened:
        proof = examine(opened)
        if proof.native is None:
            return inspect_legacy(proof, progress)
        package, head = proof.native, proof.native.head
        return Inspection(
            path=package.path,
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
            signatures=tuple(map(signature_view, proof.signatures)),
            warnings=proof.warnings,
            not_packed=_not_packed(head),
        )


def inspect_legacy(proof: Proof, progress: Progress | None = None) -> Inspection:
    """Return what an older package says of itself, and what its code says of it."""
    from cloacina_ctl.checks.releases import facts_of_package
    from cloacina_ctl.checks.subjects import LegacySubject
    from cloacina_ctl.inspection.legacy_contents import read_contents
    from cloacina_ctl.inspection.manifest_view import tool_of, view_of
    from cloacina_ctl.releases.rules import releases_that_load

    read = read_contents(proof, progress=progress)
    contents, evidence = read.contents, read.evidence
    facts = facts_of_package(LegacySubject.of(read))
    return Inspection(
        path=evidence.identity.path,
        format=evidence.identity.format,
        size=evidence.size,
        compressed=evidence.size,
        content=contents.content,
        head=None,
        manifest=view_of(read),
        manifest_bytes=contents.manifest_bytes,
        files=contents.files,
        withheld=(),
        tool=tool_of(read),
        signatures=tuple(map(signature_view, evidence.signatures)),
        original=contents.manifest,
        releases=tuple(release.name for release in releases_that_load(facts)),
        warnings=proof.warnings,
    )


def is_address(word: str) -> bool:
    """Return whether ``word`` is the address of a file on a server, and no path."""
    return word.lower().startswith(("https://", "http://"))


def _open(path: str, limits: Limits) -> Package:
    if not is_address(path):
        return open_any(path, limits)
    from cloacina_ctl.operations.remote import open_remote

    return open_remote(path, limits)


def _not_packed(head: Head) -> tuple[str, ...]:
    """Return the declared dependencies that the package does not hold."""
    requires = head.manifest.requires
    if requires is None or not requires.dependencies:
        return ()
    from cloacina_ctl.project.python.distributions import name_of, not_packed

    names = [name_of(text) for text in requires.dependencies]
    return not_packed(names, [str(file.path) for file in head.files])
