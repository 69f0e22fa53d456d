"""The subjects of rules: facts that were read before, so that a rule reads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.project.model import Selection
from cloacina_ctl.project.selection.compiled import OwnCode
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.errors import CloacinaError
    from cloacina_ctl.formats.legacy.reader import ArchiveContents
    from cloacina_ctl.formats.native.head import Head
    from cloacina_ctl.inspection.legacy_contents import LegacyContents
    from cloacina_ctl.platforms import Library
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.project.packaged import PackedSource
    from cloacina_ctl.project.python.imports import Import
    from cloacina_ctl.project.python.source import ModuleSource
    from cloacina_ctl.project.selection.credentials import PackedSecret
    from cloacina_ctl.signing.signatures import CheckedSignature


class ProjectSubject(NamedTuple):
    """A project, and its packed files: the selection, secrets in it, compiled code in it."""

    project: Project
    selection: Selection = Selection(())
    secrets: tuple[PackedSecret, ...] = ()
    code: OwnCode = OwnCode()


class ReadLibrary(NamedTuple):
    """A library of a package: its facts, or why it could not be read."""

    path: str
    library: Library | None = None
    problem: CloacinaError | None = None


class PackageSubject(NamedTuple):
    """A package that was opened and whose bytes were all verified.

    ``sources`` are the declarations of the Python modules that its entry module imports,
    ``imports`` the imports that they need; ``unstated`` are compiled files whose platform the
    manifest does not state.
    """

    path: str
    head: Head
    signatures: tuple[CheckedSignature, ...] = ()
    libraries: tuple[ReadLibrary, ...] = ()
    withheld: tuple[str, ...] = ()
    sources: tuple[ModuleSource, ...] = ()
    unstated: tuple[str, ...] = ()
    imports: tuple[Import, ...] = ()


class LegacySubject(NamedTuple):
    """A package of an older format that is whole: its manifest, its code, its signatures.

    ``size`` is of the file, in bytes. ``library`` or ``library_problem`` is set if it has a
    library; ``unread`` names sources that were too many to read.
    """

    path: str
    size: int
    contents: ArchiveContents
    language: str | None = None
    entry_module: str | None = None
    source: PackedSource | None = None
    library: Library | None = None
    library_problem: CloacinaError | None = None
    unread: tuple[str, ...] = ()
    secrets: tuple[PackedSecret, ...] = ()
    signatures: tuple[CheckedSignature, ...] = ()

    @classmethod
    def of(cls, read: LegacyContents) -> LegacySubject:
        """Return the subject for a package that was read and verified."""
        return cls(
            path=read.evidence.identity.path,
            size=read.evidence.size,
            contents=read.contents,
            language=read.language,
            entry_module=read.entry_module,
            source=read.source,
            library=read.library,
            library_problem=read.library_problem,
            unread=read.unread,
            secrets=read.secrets,
            signatures=read.evidence.signatures,
        )
