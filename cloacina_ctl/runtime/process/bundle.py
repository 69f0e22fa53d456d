"""What a child process loads: a library in sealed memory, or a folder of modules.

The bytes are exactly the verified ones: a sealed file in memory has no name and cannot be changed
by any process. On a system without such files, the library lies in a private folder. The package
file itself is not needed any more.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from cloacina_ctl.files.leftovers import locked_private_folder
from cloacina_ctl.files.staging import reported, scratch_folder, write_all
from cloacina_ctl.runtime.process.framing import LIBRARY
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from typing_extensions import Self

NATIVE, PYTHON = "native", "python"
_NAME = "a library"
_FILE = "library"
_MFD_EXEC = 0x10  # newer kernels load only from memory files that allow it


class ModuleTree(NamedTuple):
    """A Python package in the folder ``tree``; ``vendored`` are its folders of dependencies.

    Its decorators declare tasks for ``tenant``, ``package`` and ``workflow``.
    ``declared`` are modules of declared dependencies, each with its distribution, for messages.
    """

    tree: str
    entry_module: str
    workflow: str
    package: str
    tenant: str = "public"
    vendored: tuple[str, ...] = ("vendor",)
    declared: Mapping[str, str] = {}


class Material:
    """A private folder for the child, and the files it loads. ``close`` removes both.

    ``library`` is a descriptor, empty where modules are loaded, and None where the system has no
    files in memory. ``where`` names the package in errors. ``left`` is the path of the folder if
    ``close`` could not remove it, or if something else has its name. ``held`` is the folder, open.
    ``python`` is the specifier of the Pythons that the modules are for, None where there is none.
    """

    def __init__(self, where: str | None) -> None:
        self.where = where
        self.left: str | None = None
        self.python: str | None = None
        self._order: dict[str, Any] = {}
        base = scratch_folder()
        with reported(base):
            self.held = locked_private_folder(base)
        self.folder = self.held.path
        # Made at the start, so that the child can have it before the bytes.
        self.library = _memory_file()
        self._path = "" if self.library is None else f"/proc/self/fd/{LIBRARY}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def take_library(self, parts: Iterable[bytes | memoryview], layout: str | None = None) -> None:
        """Take a library of these bytes; ``layout`` is the kind of its interface where known."""
        fd = self.begin_library()
        with reported(self.where or _NAME):
            for part in parts:
                write_all(fd, part)
        self.end_library(layout)

    def begin_library(self) -> int:
        """Return the descriptor to write the bytes of a library to."""
        if self.library is None:
            self._path = self.held.where(_FILE)
            with reported(self.where or _NAME):
                flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
                self.library = self.held.open_file(_FILE, flags, 0o700)
        return self.library

    def end_library(self, layout: str | None = None) -> None:
        """Seal the library: no process can write to it any more."""
        if self.library is not None and self._path.startswith("/proc/"):
            with reported(self.where or _NAME):
                _seal(self.library)
        self._order = {"kind": NATIVE, "library": self._path, "layout": layout}

    def take_modules(self, modules: ModuleTree) -> None:
        """Take a tree of modules."""
        self._order = {"kind": PYTHON, **modules._asdict()}

    def order(self) -> dict[str, Any]:
        """Return the request by which the child loads the material."""
        return self._order

    def close(self) -> None:
        """Remove the folder with all that is in it, and close the library."""
        if self.library is not None:
            os.close(self.library)
            self.library = None
        if self.folder:
            if not self.held.remove():
                self.left = self.held.found()
            self.held.close()
            self.folder = ""


def _memory_file() -> int | None:
    """Return a sealable file in memory; None where the system cannot make or load one."""
    if not hasattr(os, "memfd_create") or not os.path.isdir("/proc/self/fd"):
        return None
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    for more in (_MFD_EXEC, 0):
        with contextlib.suppress(OSError):
            return os.memfd_create(_NAME, flags | more)
    return None


def _seal(fd: int) -> None:
    import fcntl

    seals = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
