"""Places vendored files in a package, by platform, and finds clashes.

Files for every platform go to `vendor/`. A wheel with compiled code goes, as a whole, to
`platform/<tag>/vendor/`; the tag is read from its libraries, not from its name. The artifact of
kind `wheel-tree` names the library with the highest requirements on the platform: where that one
loads, all do (docs/format.md, "Members, sections, frames").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from cloacina_ctl.errors import Code, Diagnostic, Refused, Severity
from cloacina_ctl.formats.layout import PLATFORM_FOLDER, VENDOR_FOLDER
from cloacina_ctl.paths import MemberPath, collisions
from cloacina_ctl.project.python.layout import SourcePart
from cloacina_ctl.project.python.modules import read_bytes
from cloacina_ctl.project.python.namespaces import INIT, extends_path, hidden_name
from cloacina_ctl.project.python.provided import standard_wins
from cloacina_ctl.project.python.source_root import SourceRoot
from cloacina_ctl.project.python.stdlib_names import NEWEST
from cloacina_ctl.releases.table import SHADOWED_NAMES
from cloacina_ctl.values import NamedTuple
from cloacina_ctl.vendoring.native import artifact_for, compiled_of, said_of
from cloacina_ctl.vendoring.target import accepted_minors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from cloacina_ctl.formats.wheel.reader import Wheel
    from cloacina_ctl.manifest import Artifact
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.vendoring.locks.lock import LockedWheel
    from cloacina_ctl.vendoring.target import PythonTarget

_INFO = ".dist-info"


class VendoredFile(NamedTuple):
    """A file to pack. ``inner`` is its path beneath `vendor/`, ``platform`` its platform tag.

    ``title`` is the distribution's name and version; ``platform`` None is for every platform.
    """

    inner: MemberPath
    source: str
    size: int
    executable: bool
    title: str
    platform: str | None

    @property
    def path(self) -> MemberPath:
        """Its path in a native package."""
        folder = f"{PLATFORM_FOLDER}{self.platform}/" if self.platform else ""
        return MemberPath.parse(f"{folder}{VENDOR_FOLDER}{self.inner}")


class Tree(NamedTuple):
    """All vendored files, sorted by path, and the manifest's artifact of each platform.

    ``said`` are warnings: requirements of compiled code that not every system meets.
    """

    files: tuple[VendoredFile, ...]
    artifacts: tuple[Artifact, ...]
    said: tuple[Diagnostic, ...] = ()


def make_tree(wheels: Mapping[LockedWheel, Wheel], targets: tuple[PythonTarget, ...]) -> Tree:
    """Return the files of ``wheels`` with their places.

    Raises ``Refused`` for compiled code that is not for its platform, and for clashes.
    """
    compiled = {wheel: compiled_of(unpacked) for wheel, unpacked in wheels.items()}
    everywhere = {
        wheel for wheel in wheels
        if len(wheel.platforms) == len(targets) and not compiled[wheel].libraries
        and _is_pure(wheel)
    }  # fmt: skip
    files = [_placed(wheel, wheels[wheel], None) for wheel in sorted(everywhere)]
    artifacts = []
    said: list[Diagnostic] = []
    for target in targets:
        own = [
            wheel for wheel in sorted(wheels)
            if wheel not in everywhere and target.platform in wheel.platforms
        ]  # fmt: skip
        if own:
            artifact = artifact_for(target, own, compiled)
            artifacts.append(artifact)
            said += said_of(own, compiled, wheels)
            files += [_placed(wheel, wheels[wheel], artifact.platform) for wheel in own]
    tags = [artifact.platform for artifact in artifacts]
    if len(set(tags)) < len(tags):
        raise Refused.of(
            Code.NATIVE_VENDORED, f"the code for two platforms has one and the same tag: {tags[0]}",
            hint="name only one of them: --vendor-platform",
        )  # fmt: skip
    found = tuple(file for some in files for file in some)
    problems = tuple(_clashes(found))
    if problems:
        raise Refused(*problems)
    return Tree(
        _distinct(found), tuple(sorted(artifacts, key=lambda one: one.platform)), tuple(said)
    )


def check_names(project: Project, files: Iterable[VendoredFile]) -> Iterator[Diagnostic]:
    """Yield the problems of names at the top of the vendored tree: errors and warnings."""
    by_name: dict[str, list[VendoredFile]] = {}
    for file in files:
        by_name.setdefault(_top(file.inner), []).append(file)
    own = _Own(project)
    requires = project.requires.python if project.requires else None

    def minors() -> list[int]:
        return accepted_minors(requires, NEWEST)

    for name, some in sorted(by_name.items()):
        title = some[0].title
        if name.endswith(_INFO):
            continue
        if name in SHADOWED_NAMES:
            message = f"`{name}` of {title} has the name of a standard module; engines refuse it"
            yield Diagnostic(Code.SHADOWED_NAME, message, title, "do without this dependency")
        elif name == "cloaca":
            message = f"{title} takes the place of the engine's own module `cloaca`"
            yield Diagnostic(Code.SHADOWED_NAME, message, title, "do without this dependency")
        elif clash := own.clash(name, some):
            yield clash
        elif standard_wins(name, minors):
            message = f"`{name}` of {title} is never imported: the standard module wins"
            yield Diagnostic(Code.SHADOWED_NAME, message, title, None, Severity.WARNING)


class _Own:
    """The project's modules and its own `vendor/`, with which vendored files may clash."""

    def __init__(self, project: Project) -> None:
        self._project = project.root
        facts = project.python
        roots, parts = (facts.roots, facts.parts) if facts is not None else ((), ())
        self._modules = SourceRoot(project.root, roots, parts)
        folder = SourcePart(VENDOR_FOLDER.rstrip("/"), "")
        self._vendor = SourceRoot(project.root, ("",), (folder,))
        self._names = self._modules.names()
        self._vendored = frozenset(facts.vendored if facts is not None else ())

    def clash(self, name: str, files: list[VendoredFile]) -> Diagnostic | None:
        """Return the problem of vendored ``files`` with the top-level ``name``, if any."""
        found = self._hides(name, files) if name in self._names else None
        if found is None and name in self._vendored:
            return self._beside(name, files)
        return found

    def _hides(self, name: str, files: list[VendoredFile]) -> Diagnostic | None:
        own = _at(name, self._modules)
        hidden = hidden_name(own, [file.inner for file in files], self._extends(own))
        if hidden is None:
            return None
        title = _title_of(hidden, files)
        path = hidden.replace(".", "/")
        if f"{path}/{INIT}" in own or f"{path}.py" in own:
            message = f"`{hidden}` is a module of the project, which hides that of {title}"
            return Diagnostic(Code.VENDOR_CLASH, message, title, "rename the project's module")
        message = f"`{hidden}` of {title} has an `{INIT}`, so it hides the project's own folder"
        return Diagnostic(Code.VENDOR_CLASH, message, title, "rename the project's folder")

    def _beside(self, name: str, files: list[VendoredFile]) -> Diagnostic | None:
        """Return the clash with the project's own vendor/, which becomes the same folder."""
        own = _at(name, self._vendor)
        for file in files:
            if file.platform is None and _is_taken(file.inner, own):
                message = f"`{file.inner}` of {file.title} is in the project's own vendor/ already"
                return Diagnostic(
                    Code.VENDOR_CLASH, message, file.title, "remove it there, or here"
                )
        elsewhere = [file for file in files if file.platform is not None]
        hidden = hidden_name(own, [file.inner for file in elsewhere], self._extends(own))
        if hidden is None:
            return None
        title = _title_of(hidden, elsewhere)
        message = f"`{hidden}` of {title}, for one platform, is in the project's own vendor/ too"
        return Diagnostic(Code.VENDOR_CLASH, message, title, "remove it there, or here")

    def _extends(self, own: dict[str, str]) -> Callable[[str], bool]:
        return lambda path: extends_path(read_bytes(self._project, own[path]))


def _at(name: str, root: SourceRoot) -> dict[str, str]:
    """Return the modules under a top-level name, each with its path in the project."""
    return {
        path: source for path, source in root.files()
        if path == f"{name}.py" or path.startswith(f"{name}/")
    }  # fmt: skip


def _is_taken(path: str, own: Collection[str]) -> bool:
    """Return whether a module beside ``own`` would be the same as one of them, or hide it."""
    stem = path.removesuffix(".py")
    above = {stem[:end] for end in range(len(stem)) if stem[end] == "/"}
    return path in own or any(
        one.startswith(f"{stem}/") or one.removesuffix(".py") in above for one in own
    )


def _title_of(module: str, files: list[VendoredFile]) -> str:
    """Return the title of the distribution with a module."""
    path = module.replace(".", "/")
    return next(
        (file.title for file in files if file.inner.startswith((f"{path}/", f"{path}."))),
        files[0].title,
    )


def _placed(wheel: LockedWheel, unpacked: Wheel, platform: str | None) -> list[VendoredFile]:
    return [
        VendoredFile(file.path, file.source, file.size, file.executable, wheel.title, platform)
        for file in unpacked.files
    ]


def _is_pure(wheel: LockedWheel) -> bool:
    return all(tag.platform == "any" for tag in parse_wheel_filename(wheel.file)[3])


def _clashes(files: tuple[VendoredFile, ...]) -> Iterator[Diagnostic]:
    """Yield the clashes: different files with one path, and packages that hide each other."""
    sections: dict[str | None, list[VendoredFile]] = {}
    for file in files:
        sections.setdefault(file.platform, []).append(file)
    for some in sections.values():
        yield from _same_paths(some)
    common = sections.get(None, [])
    for platform, some in sections.items():
        if platform is not None:
            yield from _split_packages(common, some)


def _same_paths(files: list[VendoredFile]) -> Iterator[Diagnostic]:
    seen: dict[str, VendoredFile] = {}
    for file in files:
        other = seen.setdefault(file.inner, file)
        if other is not file and not _is_equal(other, file):
            message = f"{other.title} and {file.title} have different files with one path"
            yield Diagnostic(Code.VENDOR_CLASH, message, str(file.inner))
    for clash in collisions(seen):
        message = f"beside {clash.first}: {clash.rule}"
        yield Diagnostic(Code.VENDOR_CLASH, message, clash.second)


def _split_packages(common: list[VendoredFile], own: list[VendoredFile]) -> Iterator[Diagnostic]:
    """Yield packages that lie in two folders, only one of which is imported."""
    sources = {str(file.inner): file.source for file in common}

    def extends(path: str) -> bool:
        with open(sources[path], "rb") as file:
            return extends_path(file.read())

    hidden = hidden_name(sources, [file.inner for file in own], extends)
    if hidden is not None:
        first, second = _title_of(hidden, common), _title_of(hidden, own)
        message = f"`{hidden}` is in {first} and, for one platform, in {second}"
        yield Diagnostic(Code.VENDOR_CLASH, message, hidden)


def _distinct(files: Iterable[VendoredFile]) -> tuple[VendoredFile, ...]:
    """Return the files sorted by path, the first of equal ones."""
    found: dict[str, VendoredFile] = {}
    for file in files:
        found.setdefault(file.path, file)
    return tuple(found[path] for path in sorted(found))


def _is_equal(one: VendoredFile, other: VendoredFile) -> bool:
    if one.size != other.size:
        return False
    with open(one.source, "rb") as first, open(other.source, "rb") as second:
        return first.read() == second.read()


def _top(inner: str) -> str:
    """Return the first name of an import of the file; the folder's for `*.dist-info`."""
    first, slash, _ = inner.partition("/")
    return first if slash else first.partition(".")[0]
