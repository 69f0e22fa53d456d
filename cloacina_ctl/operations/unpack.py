"""``unpack``: the files of a package in a folder, each proved before the folder appears."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Refused, UsageError
from cloacina_ctl.formats.extraction import Extraction
from cloacina_ctl.formats.layout import root_folder
from cloacina_ctl.formats.sinks import ChosenSink, select
from cloacina_ctl.operations.results import Unpacked, signature_view
from cloacina_ctl.paths import MemberPath
from cloacina_ctl.progress import Progress, stage
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.verification.policy import VerificationPolicy
from cloacina_ctl.verification.verify import begin, verifying

if TYPE_CHECKING:
    from cloacina_ctl.formats.file_index import FileEntry
    from cloacina_ctl.formats.native.reader import NativePackage
    from cloacina_ctl.verification.verify import Evidence, Proof

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
    rule: VerificationPolicy = VerificationPolicy(),
    wanted: Wanted = Wanted(),
    progress: Progress | None = None,
) -> Unpacked:
    """Put the files of the package at ``path`` into ``destination``, by the rule of ``verify``.

    ``destination`` then holds the package's files; None means ``NAME-VERSION`` in the current
    folder. It must not exist or be empty, and appears whole or not at all.
    """
    with verifying(path, rule) as proof:
        if proof.native is not None:
            named = proof.identity
            destination = destination or _default_folder(named.name, named.version)
            return _unpack_native(proof, destination, wanted, progress)
        if wanted.partial:
            raise UsageError.of(Code.USAGE, "only native packages have sections to be withheld")
        if destination is not None:
            return _unpack_legacy(proof, destination, wanted, progress)
        # The name is known after reading; everything is verified again when it is unpacked.
        named = proof.stream(progress=stage(progress, "verifying")).identity
        rule = rule._replace(name=named.name, version=named.version)
        destination = _default_folder(named.name, named.version)
        return _unpack_legacy(begin(proof.package, rule), destination, wanted, progress)


def _unpack_native(
    proof: Proof, destination: str, wanted: Wanted, progress: Progress | None
) -> Unpacked:
    package = proof.require_native()
    files = _wanted(package, wanted.members, partial=wanted.partial)
    with Extraction(destination) as extraction:
        if wanted.metadata:
            for name, data in package.head.members():
                extraction.add(name, data)
        evidence = proof.stream(extraction, files, stage(progress, "unpacking"))
        extraction.commit()
    return _unpacked(evidence, destination, evidence.files)


def _unpack_legacy(
    proof: Proof, destination: str, wanted: Wanted, progress: Progress | None
) -> Unpacked:
    with Extraction(destination) as extraction:
        sink = ChosenSink(extraction, wanted.members) if wanted.members else extraction
        evidence = proof.stream(sink, progress=stage(progress, "unpacking"))
        files = select(evidence.files, wanted.members) if wanted.members else evidence.files
        extraction.commit()
    return _unpacked(evidence, destination, files, complete=not wanted.members)


def _unpacked(
    evidence: Evidence,
    destination: str,
    files: tuple[FileEntry, ...],
    *,
    complete: bool | None = None,
) -> Unpacked:
    found = evidence.identity
    return Unpacked(
        path=found.path,
        format=found.format,
        destination=destination,
        name=found.name,
        version=found.version,
        content=found.content,
        files=tuple(str(file.path) for file in files),
        size=sum(file.size for file in files),
        signatures=tuple(map(signature_view, evidence.signatures)),
        trusted_signers=evidence.trusted_signers,
        complete=evidence.complete if complete is None else complete,
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
            f"the package's name and version are not valid as the name of a folder: {folder[:200]}",
            hint="name the folder: --output FOLDER",
        )
    return folder


def _wanted(
    package: NativePackage, members: tuple[str, ...], *, partial: bool
) -> tuple[FileEntry, ...] | None:
    """Return the files to take, None for all; refuse when some of them were removed."""
    from cloacina_ctl.formats.layout import section_of

    files = select(package.head.files, members) if members else package.head.files
    if not partial:
        package.require_sections({section_of(file.path) for file in files})
    if not members:
        return None
    return tuple(file for file in files if package.holds(section_of(file.path)))
