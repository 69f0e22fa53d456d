"""Lists the files that a build read, from cargo's records: by the compiler and by build scripts.

Cargo writes both into one list beside the library. A build script names files in its output: they
decide when to run the script again, and need not exist.
"""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING

from cloacina_ctl.project.build.freshness import sources_of
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.rust.cargo_workspace import CargoWorkspace, SourcePackage

_MAX_OUTPUT = 1 << 20
_WATCHES = ("cargo:rerun-if-changed=", "cargo::rerun-if-changed=")


class FilesRead(NamedTuple):
    """Files and folders that a build read, absolute: by the compiler, and by build scripts alone.

    Of the latter only those in the workspace: a system header is not a file of a project.
    """

    compiled: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()


def files_read(library: str, workspace: CargoWorkspace) -> FilesRead:
    """Return the files that the build read, except generated ones and those of registries."""
    named = {path for one in workspace.packages if one.by_path for path in _watched(one, workspace)}
    found = sorted({os.path.normpath(path) for path in sources_of(library, workspace)})
    inside = os.path.join(workspace.root, "")
    return FilesRead(
        tuple(path for path in found if path not in named and not os.path.isdir(path)),
        tuple(path for path in found if path in named and path.startswith(inside)),
    )


def _watched(package: SourcePackage, workspace: CargoWorkspace) -> Iterator[str]:
    """Yield the files that the build script of a package has named in any run."""
    place = glob.escape(workspace.build_folder)
    script = os.path.join("build", f"{glob.escape(package.name)}-*", "output")
    for depth in ("*", "*/*"):  # with a target named, its folder lies above the profile's
        for path in glob.glob(os.path.join(place, depth, script)):
            with open(path, "rb") as file:
                text = os.fsdecode(file.read(_MAX_OUTPUT))
            for line in text.splitlines():
                for mark in _WATCHES:
                    if line.startswith(mark):
                        yield os.path.normpath(os.path.join(package.folder, line[len(mark) :]))
