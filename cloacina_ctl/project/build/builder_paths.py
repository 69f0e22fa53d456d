"""Keeps the builder's folders out of a library, and finds those that are in it nevertheless.

Compiler flags replace each source folder with a fixed name. The names do not depend on the places
of the folders, so that two checkouts give the same bytes. Paths that are not places of source,
above all `env!("CARGO_MANIFEST_DIR")`, are not replaced: so the finished library is searched.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cloacina_ctl.files.overlay import laid_over
from cloacina_ctl.files.staging import reported
from cloacina_ctl.project.rust.cargo_workspace import home_of, user_home
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.files.overlay import Patch
    from cloacina_ctl.project.rust.cargo_workspace import CargoWorkspace, Compiler
    from cloacina_ctl.project.subprocesses import Program

_CHUNK = 1 << 20
_LONGEST = 512
# The end of a path where the next text of the library follows at once, as the compiler lays them.
_SOURCE_END = re.compile(r"\.rs|\.(?:cc|cpp|cxx|hpp|[chsS])(?![a-z0-9])")
_PATH = re.compile(r"[\w./+@%~=,-]*")
_WORD = re.compile(r"[\w.-]")
_C_SOURCE = re.compile(r"\.(?:cc|cpp|cxx|hpp|[chsS])$")

# The likely origin of a path: phrases that "in PACKAGE" may follow.
MANIFEST_DIR = 'env!("CARGO_MANIFEST_DIR") or another variable'
OUT_DIR = 'env!("OUT_DIR") or a generated file'
C_CODE = "C or C++ code"
SOURCE = "the place of a source file"
ELSEWHERE = "env! of a variable, or a file that was linked"


class BuilderFolder(NamedTuple):
    """A folder of the builder and its replacement in the library."""

    path: str
    name: str


class PathLeft(NamedTuple):
    """A path of the builder in the library, how often it occurs, and its likely origin."""

    path: str
    times: int
    origin: str
    package: str | None = None


def source_folders(
    workspace: CargoWorkspace, cargo: Program, compiler: Compiler
) -> tuple[BuilderFolder, ...]:
    """Return the folders that sources come from, the outer ones first.

    If several match, the compiler takes the last one. The home folder is the outermost, for all
    unforeseen paths.
    """
    homes = (
        (home_of("rustup", cargo.environment), "/rustup"),
        (home_of("cargo", cargo.environment), "/cargo"),
    )
    found = [
        *(BuilderFolder(path, name) for path, name in homes if path is not None),
        BuilderFolder(workspace.root, "/project"),
        BuilderFolder(workspace.build_folder, "/target"),
        BuilderFolder(workspace.target_folder, "/target"),
    ]
    known = tuple(one.path for one in _all_spellings(found))
    home = user_home()
    if home is not None:
        found.append(BuilderFolder(home, "/home"))
    for package in workspace.packages:
        place = os.path.normpath(package.folder)
        if package.by_path and not _is_inside(place, (workspace.root,)):
            found.append(BuilderFolder(package.folder, f"/dependency/{package.name}"))
        elif not _is_inside(place, known):
            found.append(BuilderFolder(os.path.dirname(package.folder), "/vendor"))
    if compiler.sysroot and compiler.commit:
        # The compiler's own name for the standard library's sources if they are not installed.
        sources = os.path.join(compiler.sysroot, "lib", "rustlib", "src", "rust")
        found.append(BuilderFolder(sources, f"/rustc/{compiler.commit}"))
    return tuple(sorted(_all_spellings(found), key=lambda one: (len(one.path), one.path)))


def _is_inside(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(folder + os.sep) for folder in folders)


def _all_spellings(folders: list[BuilderFolder]) -> Iterator[BuilderFolder]:
    """Yield each folder once, as it is spelled and as it is without links; never the root.

    Cargo spells a source that is configured as ``../vendor`` with the dots in it.
    """
    seen: set[str] = set()
    for one in folders:
        for path in (
            one.path.rstrip(os.sep),
            os.path.normpath(one.path),
            os.path.realpath(one.path),
        ):
            if len(path) > 1 and os.path.isabs(path) and path not in seen:
                seen.add(path)
                yield one._replace(path=path)


def remap_flags(folders: Iterable[BuilderFolder]) -> tuple[str, ...]:
    """Return the compiler's flags for the folders, in their order."""
    return tuple(f"--remap-path-prefix={one.path}={one.name}" for one in folders)


def paths_left(
    library: str,
    folders: Iterable[BuilderFolder],
    workspace: CargoWorkspace,
    user: str | None,
    patches: tuple[Patch, ...] = (),
) -> tuple[PathLeft, ...]:
    """Return the builder's paths in the library, in UTF-8 or UTF-16, in their order.

    The packed bytes are searched: the library with ``patches`` applied.
    100 MB take some 50 ms: one pattern finds all folders, for they begin with the same character.
    """
    places = {one.path for one in folders if not one.path.startswith("/usr/lib")}
    if user and user != "root":
        places |= {f"{base}/{user}" for base in ("/home", "/Users")}
    found: dict[str, int] = {}
    for before, text, place in _matches(library, places, patches):
        path = _whole(before, text, place)
        if path:
            found[path] = found.get(path, 0) + 1
    return tuple(PathLeft(path, times, *_origin(path, workspace)) for path, times in found.items())


def _matches(
    library: str, places: set[str], patches: tuple[Patch, ...]
) -> Iterator[tuple[str, str, str]]:
    """Yield the character before each place that is found, the text from it on, and the place."""
    spelled = {}
    for place in sorted(places, key=len, reverse=True):  # the first that matches is the longest
        spelled[os.fsencode(place)] = place, "utf-8", "surrogateescape", 1
        spelled[place.encode("utf-16-le", "surrogatepass")] = place, "utf-16-le", "replace", 2
    pattern = re.compile(b"|".join(map(re.escape, spelled)))
    for data, start, end in _windows(library, patches) if spelled else ():
        for match in pattern.finditer(data, start):
            at = match.start()
            if at >= end:
                break
            place, coding, errors, width = spelled[match[0]]
            before = data[max(at - width, 0) : at].decode("latin-1")[:1]
            yield before, data[at : at + _LONGEST * width].decode(coding, errors), place


def _windows(library: str, patches: tuple[Patch, ...]) -> Iterator[tuple[bytes, int, int]]:
    """Yield pieces of the file that overlap: bytes, and where what is new begins and ends."""
    with reported(library), open(library, "rb", buffering=0) as file:
        data, start = laid_over(file.read(_CHUNK), 0, patches), 0
        while data:
            place = file.tell()
            more = laid_over(file.read(_CHUNK), place, patches)
            end = max(start, len(data) - 2 * _LONGEST) if more else len(data)
            yield data, start, end
            kept = max(end - 2, 0)
            data, start = (data[kept:] + more, end - kept) if more else (b"", 0)


def _whole(before: str, text: str, place: str) -> str:
    """Return the path that begins with the place; empty where the place is a part of a name."""
    rest = _PATH.match(text, len(place))
    tail = rest[0] if rest else ""
    if place.count("/") == 1 and (_WORD.match(before) or _WORD.match(tail)):
        return ""
    if not tail.startswith("/"):  # the end, or what the library says next
        return place
    end = _SOURCE_END.search(tail)
    return place + (tail[: end.end()] if end else tail)


def _origin(path: str, workspace: CargoWorkspace) -> tuple[str, str | None]:
    """Return the likely origin of a path, and the package that it names, if any."""
    owners = [one for one in workspace.packages if _is_inside(path, (one.folder,))]
    owner = max(owners, key=lambda one: len(one.folder), default=None)
    name = owner.name if owner else _registry_package(path)
    if _is_inside(path, (workspace.build_folder, workspace.target_folder)):
        return OUT_DIR, name
    if _C_SOURCE.search(path):
        return C_CODE, name
    if path.endswith(".rs"):
        return SOURCE, name
    return (MANIFEST_DIR if name else ELSEWHERE), name


def _registry_package(path: str) -> str | None:
    """Return the name and version in the path of a package that cargo fetched."""
    found = re.search(r"/registry/src/[^/]+/([^/]+)", path)
    return found[1] if found else None
