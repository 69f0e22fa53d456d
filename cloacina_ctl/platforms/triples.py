"""Target triples of Rust: whether the library of a build for one can be read."""

from __future__ import annotations

import re

from cloacina_ctl.errors import Code, Diagnostic, UsageError
from cloacina_ctl.platforms.elf.header import MACHINES

# Rust's names of processors (`rustc --print target-list`), where the tag has another.
MACHINES_OF_RUST = {
    "armv7": "armv7l",
    "powerpc64": "ppc64",
    "powerpc64le": "ppc64le",
    "riscv64a23": "riscv64",
    "riscv64gc": "riscv64",
}
_TRIPLE = re.compile(r"[a-z0-9_.]+(?:-[a-z0-9_.]+){1,3}")
# Four-byte pointers on a 64-bit processor.
_NARROW = ("x32", "ilp32")


def refuse_unread(triple: str | None) -> None:
    """Raise ``UsageError`` (B016) for a target whose library would be refused once it is built.

    A target of the user's own, named by a file, is not checked.
    """
    if triple is None or triple.endswith(".json") or not _TRIPLE.fullmatch(triple):
        return
    processor, *rest = triple.split("-")
    if "linux" not in rest:
        raise UsageError.of(
            Code.UNREAD_MACHINE,
            f"libraries for Linux alone are read, and the target is {triple}",
            hint="name a target for Linux: --target x86_64-unknown-linux-gnu",
        )
    machine = MACHINES_OF_RUST.get(processor, processor)
    if machine not in _with_plugins() or rest[-1].endswith(_NARROW):
        raise UsageError.of(Code.UNREAD_MACHINE, _words(triple), hint=_hint())


def unread(machine: str, where: str) -> Diagnostic:
    """Return the error for a library for a machine whose plugins are not read."""
    return Diagnostic(Code.UNREAD_MACHINE, _words(machine), where, _hint())


def _words(machine: str) -> str:
    return f"plugins for {machine} are not read: of 32-bit and big-endian machines none are"


def _with_plugins() -> tuple[str, ...]:
    return tuple(sorted(machine.name for machine in MACHINES.values() if machine.has_plugins))


def _hint() -> str:
    return f"plugins for these machines are read: {', '.join(_with_plugins())}"
