"""Finds what a packed source lacks to build without the rest of its project."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from cloacina_ctl.project.crate_source.settings import CONFIG_FILES, telling_keys
from cloacina_ctl.project.crate_source.tables import dependencies_of, inherited_keys, patches_of
from cloacina_ctl.project.rust.cargo_toml import CARGO_TOML, Manifests
from cloacina_ctl.project.selection.walk import IGNORED
from cloacina_ctl.toml import parse_toml
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from cloacina_ctl.project.crate_source.tables import Table
    from cloacina_ctl.project.model import CompileRead, LeftOut

OUTSIDE = "outside of the crate"
ABSENT = "not there"
_MAYBE_MADE = (ABSENT, IGNORED)


class MissingRead(NamedTuple):
    """A read whose file is not packed, and why; ``left_out`` where ``include`` would pack it."""

    read: CompileRead
    reason: str
    left_out: bool = False


class SourceFacts(NamedTuple):
    """The packed source of a crate; ``prefix`` is its folder in the package.

    ``missing`` are files that the compiler reads, ``watched`` those that a build script reads,
    ``inherited`` keys without a workspace, ``outside`` dependencies by path without a folder, and
    ``settings`` the configuration files of cargo, each with its keys.
    """

    prefix: str = ""
    missing: tuple[MissingRead, ...] = ()
    watched: tuple[str, ...] = ()
    inherited: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    settings: tuple[tuple[str, tuple[str, ...]], ...] = ()


def packed_facts(
    table: Table,
    reads: Iterable[CompileRead],
    sources: Mapping[str, bytes],
    paths: Collection[str],
    prefix: str = "",
    *,
    makes_files: bool = False,
) -> SourceFacts:
    """Return the facts of the source in a package, from its ``paths`` and some files.

    ``table`` is its Cargo.toml, ``sources`` has the configuration files of cargo;
    ``makes_files`` as ``missing_reads`` has it.
    """
    manifests = Manifests("", table, "", table)
    named = [*dependencies_of(manifests), *(patch for _, patch in patches_of(manifests))]
    return SourceFacts(
        prefix=prefix,
        missing=tuple(
            missing_reads(reads, {path: path for path in paths}, makes_files=makes_files)
        ),
        inherited=() if "workspace" in table else inherited_keys(table),
        outside=tuple(
            sorted(
                {
                    one.key
                    for one in named
                    if one.path is not None
                    and os.path.normpath(os.path.join(one.path, CARGO_TOML)) not in paths
                }
            )
        ),
        settings=tuple(
            (name, keys)
            for name in CONFIG_FILES
            if name in sources
            and (keys := telling_keys(name, partial(parse_toml, sources[name], where=name)))
        ),
    )


def missing_reads(
    reads: Iterable[CompileRead],
    packed: Mapping[str, str],
    left_out: Collection[LeftOut] = (),
    *,
    folder: str = "",
    place: str = "",
    makes_files: bool = False,
) -> Iterator[MissingRead]:
    """Yield the reads of a package in ``folder`` that fail once it lies in ``place``.

    ``packed`` are the paths of the packed source, each with its file on disk. With ``makes_files``
    the package has a build script, which may generate missing or ignored files: only a build shows.
    """
    for read in reads:
        there = os.path.normpath(os.path.join(place, read.path))
        if packed.get(there) != os.path.normpath(os.path.join(folder, read.path)):
            missing = _missing(read, left_out, folder)
            if makes_files and missing.reason in _MAYBE_MADE:
                missing = missing._replace(read=read._replace(is_certain=False))
            yield missing


def _missing(read: CompileRead, left_out: Collection[LeftOut], folder: str) -> MissingRead:
    if read.path.startswith(("../", "/")):
        return MissingRead(read, OUTSIDE)
    for one in left_out:
        if read.path == one.path or (one.path.endswith("/") and read.path.startswith(one.path)):
            return MissingRead(read, one.reason, left_out=True)
    is_there = bool(folder) and os.path.lexists(os.path.join(folder, read.path))
    return MissingRead(read, "left out" if is_there else ABSENT)
