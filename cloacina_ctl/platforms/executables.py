"""Compiled files of any kind that a package may hold: libraries, and programs beside them."""

from __future__ import annotations

from cloacina_ctl.errors import Code, Refused
from cloacina_ctl.platforms.elf.header import MACHINES
from cloacina_ctl.platforms.library import Library
from cloacina_ctl.platforms.library_file import read_library
from cloacina_ctl.platforms.recognition import SYSTEMS, elf_machine, is_loaded
from cloacina_ctl.platforms.tags import tag_of


def read_code(source: str | bytes, head: bytes, where: str) -> tuple[Library, bool]:
    """Return what a library says of itself, and False; of a program for what it is, and True.

    ``head`` is how the file begins. Of a program only the machine is read, not what it needs of a
    C library. Raises as ``read_library`` for what is neither.
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
