"""Reading a library of any format."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, FileProblem, Refused
from cloacina_ctl.files.staging import reported
from cloacina_ctl.platforms.baseline import demand_of, refuses_packed
from cloacina_ctl.platforms.elf.dynamic import (
    FIDIUS_REGISTRY,
    RPATH,
    RUNPATH,
    SONAME,
    Dynamic,
)
from cloacina_ctl.platforms.elf.header import MACHINES, open_image, other_kind
from cloacina_ctl.platforms.elf.pointers import Pointers
from cloacina_ctl.platforms.elf.reader import BadLibrary, BytesSource, OverLimit, open_source
from cloacina_ctl.platforms.library import Library, LibraryGraph, Plugin, distinct_graphs
from cloacina_ctl.platforms.plugins.fidius import find_plugins
from cloacina_ctl.platforms.plugins.graphs import find_graphs
from cloacina_ctl.platforms.plugins.raw_abi import find_raw_plugin
from cloacina_ctl.platforms.recognition import SYSTEMS, describe, elf_machine, is_loaded
from cloacina_ctl.platforms.tags import libc_of, tag_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cloacina_ctl.files.overlay import Patch
    from cloacina_ctl.platforms.elf.header import Image
    from cloacina_ctl.platforms.elf.reader import ElfSource

# Compiled files of any kind that a package may hold: libraries, and programs beside them.


def read_code(source: str | bytes, head: bytes, where: str) -> tuple[Library, bool]:
    """Return the facts of a library and False, or the machine of a program and True.

    ``head`` is the beginning of the file. Of a program only the machine is read, not its needs
    from a C library. Raises as ``read_library`` for any other file.
    """
    try:
        return read_library(source, where=where), False
    except Refused as error:
        machine = _machine_of(head)
        if machine is None or error.diagnostics[0].code is not Code.NOT_A_LIBRARY:
            raise
        return Library("elf", machine, "linux", tag_of(machine, None)), True


def _machine_of(head: bytes) -> str | None:
    if not is_loaded(head) or head[7] not in SYSTEMS:
        return None
    machine = MACHINES.get((elf_machine(head), head[4], head[5]))
    return machine.name if machine is not None else None


_HEAD = 512


def read_library(
    source: str | os.PathLike[str] | int | bytes | bytearray | memoryview,
    *,
    where: str | None = None,
    patches: tuple[Patch, ...] = (),
) -> Library:
    """Return the facts of a library; it is never loaded, and nothing in it is run.

    ``source`` is a path, an open descriptor (of which the whole file is read, and which stays
    open), or the bytes. ``where`` names it in errors; a path names itself. ``patches`` are laid
    over the bytes of a file.

    Raises ``Refused``: B001 where it is another kind of file (the message says which), B002 where
    it contradicts itself or is cut short, L001 where it has more of something than any library;
    ``FileProblem`` where it cannot be read.
    """
    if isinstance(source, (bytes, bytearray, memoryview)):
        data = bytes(source) if isinstance(source, memoryview) else source
        return _read(BytesSource(data), where)
    if isinstance(source, int):
        with reported(where or "the library"):
            return _read_descriptor(source, where or "the library", patches)
    path = os.fspath(source)
    with reported(path):
        # Opening a FIFO must not wait for its other end.
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return _read_descriptor(fd, where or path, patches)
        finally:
            os.close(fd)


def _read_descriptor(fd: int, where: str, patches: tuple[Patch, ...]) -> Library:
    before = os.fstat(fd)
    if not stat.S_ISREG(before.st_mode):
        raise FileProblem.of(Code.NOT_REGULAR, "it is not a regular file", where=where)
    library = _read(open_source(fd, patches), where)
    after = os.fstat(fd)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Refused.of(Code.CHANGED, "it changed while it was read", where=where)
    return library


def _read(source: ElfSource, where: str | None) -> Library:
    try:
        head = source.read(0, min(source.size, _HEAD))
        for magic, reader in _READERS:
            if head.startswith(magic):
                return reader(source)
        raise other_kind(describe(head))
    except BadLibrary as error:
        message = f"the library is damaged: {error}"
        raise Refused.of(Code.DAMAGED_LIBRARY, message, where=where) from error
    except OverLimit as error:
        message = f"more than is read of a library: {error}"
        raise Refused.of(Code.LIMIT, message, where=where) from error
    except Refused as error:
        (found,) = error.diagnostics
        raise Refused(found._replace(where=where)) from error


def _read_elf(source: ElfSource) -> Library:
    image = open_image(source)
    dynamic = Dynamic(image)
    machine = image.machine.name
    needed = dynamic.needed
    versions = tuple(dynamic.needed_versions())
    packed = dynamic.packed_relocations
    demand = demand_of(machine, needed, versions, packed=packed)
    libc = libc_of(demand)
    exports = dynamic.exports()
    plugins, graphs = _plugins(image, Pointers(image, dynamic), exports)
    return Library(
        object_format="elf",
        machine=machine,
        os="linux",
        tag=tag_of(machine, libc),
        libc=libc,
        needed=needed,
        unknown_versions=tuple(f"{one.version} of {one.file}" for one in demand.unknown),
        unmarked_relocations=packed and refuses_packed(needed, versions),
        soname=dynamic.text(SONAME),
        runpath=dynamic.text(RUNPATH),
        rpath=dynamic.text(RPATH),
        exports=tuple(exports),
        executable_stack=image.executable_stack,
        text_relocations=dynamic.text_relocations,
        constructors=dynamic.constructors,
        plugins=plugins,
        graphs=graphs,
    )


def _plugins(
    image: Image, pointers: Pointers, exports: Mapping[str, int]
) -> tuple[tuple[Plugin, ...], tuple[LibraryGraph, ...]]:
    """Return the plugins that a host can reach, and every workflow in the image."""
    if not image.machine.has_plugins:
        return (), ()
    plugins: list[Plugin] = []
    graphs = list(find_graphs(image, pointers))
    if FIDIUS_REGISTRY in exports:
        plugins.extend(find_plugins(image, pointers))
    raw = find_raw_plugin(image, exports, pointers)
    if raw is not None:
        plugins.append(raw.plugin)
        graphs.append(raw.graph)
    return tuple(dict.fromkeys(plugins)), distinct_graphs(graphs)


# A table, so that another format is one line more.
_READERS: tuple[tuple[bytes, Callable[[ElfSource], Library]], ...] = ((b"\x7fELF", _read_elf),)
