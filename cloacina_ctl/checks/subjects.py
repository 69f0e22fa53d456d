"""What gets judged: facts that somebody else read, so that a rule reads nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.project.model import Selection
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from cloacina_ctl.archive.head import Head
    from cloacina_ctl.errors import CloacinaError
    from cloacina_ctl.platforms import Library
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.project.python_source import ModuleSource
    from cloacina_ctl.signing.judge import Judged


class ProjectSubject(NamedTuple):
    """A project, and what would be packed of it."""

    project: Project
    selection: Selection = Selection(())
    private_keys: tuple[str, ...] = ()


class ReadLibrary(NamedTuple):
    """A library of a package: what it says of itself, or why it could not be read."""

    path: str
    library: Library | None = None
    problem: CloacinaError | None = None


class PackageSubject(NamedTuple):
    """A package that was opened and whose every byte is the right one.

    ``sources`` is what the Python modules in it declare that its entry module imports.
    """

    path: str
    head: Head
    signatures: tuple[Judged, ...] = ()
    libraries: tuple[ReadLibrary, ...] = ()
    withheld: tuple[str, ...] = ()
    sources: tuple[ModuleSource, ...] = ()
