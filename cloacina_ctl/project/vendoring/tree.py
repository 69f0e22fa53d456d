"""Where vendored files lie in a package, for which platform, and which of them clash.

What is for every platform goes to `vendor/`. A wheel with compiled code goes, with all that is in
it, to `platform/<tag>/vendor/`; the tag is that of its libraries, read, not that of its name. The
artifact of kind `wheel-tree` names the library that needs the most of the platform: where that one
loads, all do (docs/format.md, "Members, sections, frames").
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from cloacina_ctl.archive.layout import PLATFORM_FOLDER, VENDOR_FOLDER
from cloacina_ctl.errors import Code, Diagnostic, Refused, Severity
from cloacina_ctl.paths import MemberPath, collisions
from cloacina_ctl.project.runtimes import SHADOWED_NAMES
from cloacina_ctl.project.vendoring.native import artifact_for, compiled_of, said_of
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cloacina_ctl.archive.wheel import Wheel
    from cloacina_ctl.manifest import Artifact
    from cloacina_ctl.project.model import Project
    from cloacina_ctl.project.vendoring.lock import LockedWheel
    from cloacina_ctl.project.vendoring.target import Target

_INFO = ".dist-info"


class VendoredFile(NamedTuple):
    """A file to pack. ``inner`` is its path beneath `vendor/`, ``platform`` the tag that it is for.

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
    """All vendored files, sorted by path, and what the manifest says of each platform's.

    ``said`` are warnings: what compiled code needs that not every system has.
    """

    files: tuple[VendoredFile, ...]
    artifacts: tuple[Artifact, ...]
    said: tuple[Diagnostic, ...] = ()


def make_tree(wheels: Mapping[LockedWheel, Wheel], targets: tuple[Target, ...]) -> Tree:
    """Return where the files of ``wheels`` lie.

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
            Code.NATIVE_VENDORED, f"the code for two platforms is for one and the same: {tags[0]}",
            hint="name one of them alone: --vendor-platform",
        )  # fmt: skip
    found = tuple(file for some in files for file in some)
    problems = tuple(_clashes(found))
    if problems:
        raise Refused(*problems)
    return Tree(
        _distinct(found), tuple(sorted(artifacts, key=lambda one: one.platform)), tuple(said)
    )


def judge_names(project: Project, files: Iterable[VendoredFile]) -> Iterator[Diagnostic]:
    """Yield what is wrong with the names at the top of the vendored tree: errors and warnings."""
    facts = project.python
    modules = frozenset(facts.top_level if facts else ())
    own = frozenset(name.removesuffix(".py") for name in modules)
    vendored = frozenset(facts.vendored if facts else ())
    seen: dict[str, str] = {}
    for file in files:
        seen.setdefault(_top(file.inner), file.title)
    for name, title in sorted(seen.items()):
        if name.endswith(_INFO):
            continue
        if name in SHADOWED_NAMES:
            message = f"`{name}` of {title} has the name of a standard module; engines refuse it"
            yield Diagnostic(Code.SHADOWED_NAME, message, title, "do without this dependency")
        elif name == "cloaca":
            message = f"{title} takes the place of the engine's own module `cloaca`"
            yield Diagnostic(Code.SHADOWED_NAME, message, title, "do without this dependency")
        elif name in own:
            message = f"`{name}` is a module of the project, which hides that of {title}"
            yield Diagnostic(Code.VENDOR_CLASH, message, title, "rename the project's module")
        elif name in vendored:
            message = f"`{name}` of {title} is in the project's own vendor/ already"
            yield Diagnostic(Code.VENDOR_CLASH, message, title, "remove it there, or here")
        elif name in sys.stdlib_module_names:
            message = f"`{name}` of {title} is never imported: the standard module wins"
            yield Diagnostic(Code.SHADOWED_NAME, message, title, None, Severity.WARNING)


def _placed(wheel: LockedWheel, unpacked: Wheel, platform: str | None) -> list[VendoredFile]:
    return [
        VendoredFile(file.path, file.source, file.size, file.executable, wheel.title, platform)
        for file in unpacked.files
    ]


def _is_pure(wheel: LockedWheel) -> bool:
    return all(tag.platform == "any" for tag in parse_wheel_filename(wheel.file)[3])


def _clashes(files: tuple[VendoredFile, ...]) -> Iterator[Diagnostic]:
    """Yield what clashes: different files of one path, and packages that hide each other."""
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
            message = f"{other.title} and {file.title} have different files of one path"
            yield Diagnostic(Code.VENDOR_CLASH, message, str(file.inner))
    for clash in collisions(seen):
        message = f"beside {clash.first}: {clash.rule}"
        yield Diagnostic(Code.VENDOR_CLASH, message, clash.second)


def _split_packages(common: list[VendoredFile], own: list[VendoredFile]) -> Iterator[Diagnostic]:
    """Yield packages with `__init__.py` that lie in two folders: only one of them is imported."""
    tops = {_top(file.inner): file.title for file in common}
    whole = {
        _top(file.inner) for file in (*common, *own)
        if file.inner.count("/") == 0 or (file.inner.count("/") == 1 and "/__init__." in file.inner)
    }  # fmt: skip
    found = {_top(file.inner): file.title for file in own}
    for name in sorted(tops.keys() & found.keys() & whole):
        message = f"`{name}` is in {tops[name]} and, for one platform, in {found[name]}"
        yield Diagnostic(Code.VENDOR_CLASH, message, name)


def _distinct(files: Iterable[VendoredFile]) -> tuple[VendoredFile, ...]:
    """Return the files sorted by path, of equal ones the first."""
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
    """Return the name that an import of the file begins with; of `*.dist-info` the folder's."""
    first, slash, _ = inner.partition("/")
    return first if slash else first.partition(".")[0]
