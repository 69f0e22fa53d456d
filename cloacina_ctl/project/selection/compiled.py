"""Compiled code among a Python project's own files, and which platform it makes the package for.

Wheels say what they are for; what a build left in the source tree, what lies in ``vendor/`` by hand
and what ``include`` adds says it by its bytes, and an extension module by its name as well. As with
wheels, the package is then for that platform and that Python, or it is refused: code that is for
another platform fails when it is imported, on the user's machine.

A program alone may be one of several that the code chooses from, as packages of tools carry them
for each system: it decides nothing where there are several kinds.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Refused
from cloacina_ctl.formats.layout import VENDOR_FOLDER
from cloacina_ctl.platforms.recognition import (
    ELF,
    describe,
    describe_elf,
    is_loaded,
    object_format,
)
from cloacina_ctl.project.own_files import read_head
from cloacina_ctl.project.selection.walk import INCLUDED
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cloacina_ctl.platforms import Library
    from cloacina_ctl.project.model import SelectedFile, Selection

_TEXTS = (".py", ".pyi", ".md", ".toml", ".json", ".txt")  # no loader takes a file of that name
_LIBRARY = re.compile(r".*\.(?:so(?:\.[0-9][0-9.]*)?|pyd|dylib|dll)", re.IGNORECASE)
# How interpreters name their extension modules: `x.cpython-311-x86_64-linux-gnu.so` (PEP 3149),
# `x.abi3.so`, `x.pypy310-pp73-x86_64-linux-gnu.so`, `x.cp311-win_amd64.pyd`.
_TAG = re.compile(
    r"\.(?:cpython-3(?P<minor>[0-9]{1,2})(?P<kind>[a-z]*)(?:-(?P<system>[\w-]+))?"
    r"|abi3|(?P<other>(?:pypy|graalpy|cp)[0-9][\w-]*))\.(?:so|pyd)"
)
_SYSTEM = re.compile(r"(?P<machine>\w+)-linux-(?P<libc>gnu|musl)\w*")
_MACHINES = {"i386": "i686", "arm": "armv7l", "powerpc64le": "ppc64le", "powerpc64": "ppc64"}
_LIBCS = {"gnu": "glibc", "musl": "musl"}
_LFS = b"version https://git-lfs"
_EXCLUDE = "if it is not needed, leave it out: `exclude` in the configuration"


class CompiledFile(NamedTuple):
    """A compiled file that gets packed; ``path`` is its place in the project, ``words`` what it is.

    ``library`` says what it is for, None where it is no code for Linux. An extension module has
    the name ``module``; ``minor`` is the version of Python that its file is named for. ``is_meant``
    is true where the configuration names the file, or it was put into `vendor/`.
    """

    file: SelectedFile
    path: str
    words: str
    library: Library | None = None
    is_program: bool = False
    module: str | None = None
    minor: int | None = None
    is_meant: bool = False


class OwnCode(NamedTuple):
    """The compiled files of a project: those in ``files`` decide what the package is for.

    They are for one machine and one C library; ``strictest`` needs the newest one. ``minors`` are
    the versions of Python that all their names fit, None where no name says one. ``problems`` are
    errors, ``others`` the files that decide nothing.
    """

    files: tuple[CompiledFile, ...] = ()
    strictest: Library | None = None
    minors: tuple[int, ...] | None = None
    others: tuple[CompiledFile, ...] = ()
    problems: tuple[Diagnostic, ...] = ()


def own_code(selection: Selection, root: str) -> OwnCode:
    """Return the compiled code among the files that get packed. Nothing of it is loaded or run."""
    problems: list[Diagnostic] = []
    found: list[CompiledFile] = []
    for file in selection.files:
        if file.path.endswith(_TEXTS):
            continue
        try:
            one = _read(file, os.path.relpath(file.source, root).replace(os.sep, "/"))
        except Refused as error:
            problems += (
                Diagnostic(Code.OWN_CODE, one.message, one.where, one.hint or _EXCLUDE)
                for one in error.diagnostics
            )
            continue
        if one is not None:
            found.append(one)
    return _decided(found, problems)


def _read(file: SelectedFile, path: str) -> CompiledFile | None:
    """Return what the file is, None where no loader takes it.

    Raises ``Refused`` where that is not known, or differs from its name.
    """
    name, head = os.path.basename(path), read_head(file.source)
    form, tag = object_format(head), _TAG.search(name)
    if form is None:
        if tag is not None or (head.startswith(_LFS) and _LIBRARY.fullmatch(name)):
            raise _not_compiled(path, head)
        return None
    found = CompiledFile(
        file, path, describe(head),
        is_program=not _LIBRARY.fullmatch(name),
        module=path[: -len(name)] + name[: tag.start()] if tag is not None else None,
        is_meant=file.reason == INCLUDED or file.path.startswith(VENDOR_FOLDER),
    )  # fmt: skip
    if form != ELF:
        return found
    if not is_loaded(head):
        return None
    from cloacina_ctl.platforms.library_file import read_code

    library, is_program = read_code(file.source, head, path)
    found = found._replace(words=describe_elf(head), library=library, is_program=is_program)
    return _as_named(found, tag, library) if tag is not None else found


def _as_named(found: CompiledFile, tag: re.Match[str], library: Library) -> CompiledFile:
    """Return the extension module with what its name says; raise where that is not so."""
    if tag["other"] or tag["kind"]:
        raise _refused("it is named for a Python that no engine runs on", found.path)
    system = _SYSTEM.fullmatch(tag["system"] or "")
    if tag["system"] and system is None:
        raise _refused(f"it is named for {tag['system']}, and is for {library.tag}", found.path)
    if system is not None:
        machine = _MACHINES.get(system["machine"], system["machine"])
        libc = library.libc.name if library.libc else _LIBCS[system["libc"]]
        if (machine, _LIBCS[system["libc"]]) != (library.machine, libc):
            raise _refused(f"it is named for {tag['system']}, and is for {library.tag}", found.path)
    return found._replace(minor=int(tag["minor"]) if tag["minor"] else None)


def _decided(found: list[CompiledFile], problems: list[Diagnostic]) -> OwnCode:
    libraries = [one for one in found if one.library is not None and not one.is_program]
    programs = [one for one in found if one.is_program]
    if not libraries:
        problems += (
            _problem(f"it is {one.words}, and packages run on Linux", one.path)
            for one in found
            if one.library is None and not one.is_program and not one.path.endswith(".dll")
        )
    machines = {one.library.machine for one in libraries or programs if one.library is not None}
    counted = [
        one for one in (*libraries, *programs)
        if one.library is not None and one.library.machine in machines
    ]  # fmt: skip
    if not libraries and (len(machines) > 1 or any(one.library is None for one in programs)):
        counted = []  # programs for several systems, of which the code chooses
    problems += _several(counted)
    minors = _minors(counted)
    if minors == ():
        names = ", ".join(one.path for one in counted if one.minor is not None)
        problems.append(_problem(f"no version of Python has all of its modules: {names}", None))
    strictest = max((one.library for one in counted if one.library), key=_floor, default=None)
    refused = {one.where for one in problems}
    others = tuple(one for one in found if one not in counted and one.path not in refused)
    return OwnCode(tuple(counted), strictest, minors, others, tuple(problems))


def _several(files: list[CompiledFile]) -> Iterator[Diagnostic]:
    """Yield what is wrong where the files are for two machines, or for two C libraries."""
    machines: dict[str, str] = {}
    libcs: dict[str, str] = {}
    for one in files:
        if one.library is not None:
            machines.setdefault(one.library.machine, one.path)
            if one.library.libc is not None:
                libcs.setdefault(one.library.libc.name, one.path)
    for found in (machines, libcs):
        (first, path), *others = found.items() or [("", "")]
        for other, place in others:
            message = f"it is for {other}, and {path} is for {first}: a package is for one platform"
            yield _problem(message, place)


def _minors(files: Iterable[CompiledFile]) -> tuple[int, ...] | None:
    """Return the versions of Python that have all extension modules, None where all versions do."""
    known: dict[str, set[int]] = {}
    anywhere = {one.module for one in files if one.module is not None and one.minor is None}
    for one in files:
        if one.module is not None and one.minor is not None and one.module not in anywhere:
            known.setdefault(one.module, set()).add(one.minor)
    return tuple(sorted(set.intersection(*known.values()))) if known else None


def _floor(library: Library) -> tuple[tuple[int, ...], str]:
    return (library.libc.release if library.libc else (), library.tag)


def _problem(message: str, where: str | None) -> Diagnostic:
    return Diagnostic(Code.OWN_CODE, message, where, _EXCLUDE)


def _refused(message: str, where: str) -> Refused:
    return Refused(_problem(message, where))


def _not_compiled(path: str, head: bytes) -> Refused:
    """Return the error for a file that is named as a library and is none."""
    if head.startswith(_LFS):
        message = "it stands for a library that Git LFS keeps, and is not the library"
        return Refused.of(Code.OWN_CODE, message, where=path, hint="fetch it: `git lfs pull`")
    return _refused(f"it is named as an extension module, and is {describe(head)}", path)
