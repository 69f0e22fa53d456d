"""Cuts the Cargo.lock of one crate out of that of its workspace.

The remaining entries depend on the requested features, so cargo computes them: in a folder of our
own with the packed manifests, empty sources, and the workspace's lock. It runs in the crate's
folder, where its settings and toolchain are those of every build, and writes nothing there. It
keeps every version that it finds in the lock; a new one is an error, because the package would be
built from other code than the workspace.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import BuildFailed, Code, Refused
from cloacina_ctl.files.folders import make_folders
from cloacina_ctl.files.staging import reported, write_file
from cloacina_ctl.project.build.cargo import find_cargo
from cloacina_ctl.project.own_files import read_own_text
from cloacina_ctl.project.rust.cargo_lock import MAX_LOCK
from cloacina_ctl.project.rust.cargo_toml import CARGO_LOCK, CARGO_TOML
from cloacina_ctl.project.subprocesses import Program, clean_environment, run
from cloacina_ctl.toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cloacina_ctl.project.model import BuildOptions, Crate

_SHOWN_LINES = 4


def cut_lock(
    crate: Crate,
    manifests: Mapping[str, bytes],
    sources: Iterable[str],
    options: BuildOptions,
    work: str,
) -> bytes:
    """Return the lock of the crate whose ``manifests`` and ``sources`` these are, by their paths.

    ``work`` is an empty folder to work in. Downloads missing facts about dependencies, unless
    ``offline`` is set. Raises ``BuildFailed`` where cargo cannot resolve the crate, ``Refused``
    where it needs another version.
    """
    whole = read_own_text(crate.workspace_root or crate.root, CARGO_LOCK, max_bytes=MAX_LOCK)
    with reported(work):
        for path in sources:
            _plant(os.path.join(work, path), b"")
        for path, text in manifests.items():
            _plant(os.path.join(work, path), text)
        _plant(os.path.join(work, CARGO_LOCK), whole)
    _ask(crate.root, work, options)
    cut = read_own_text(work, CARGO_LOCK, max_bytes=MAX_LOCK)
    _compare(whole, cut)
    return cut


def _plant(path: str, data: bytes) -> None:
    make_folders(os.path.dirname(path), 0o700)
    write_file(path, data)


def _ask(folder: str, work: str, options: BuildOptions) -> None:
    """Have cargo resolve the crate in ``work`` and write the lock there."""
    manifest = f"--manifest-path={os.path.join(work, CARGO_TOML)}"
    arguments = ("metadata", "--format-version=1", manifest)
    said: list[str] = []
    for network in (("--offline",),) if options.offline else (("--offline",), ()):
        said.clear()
        program = Program(find_cargo(), (*arguments, *network), folder, clean_environment())
        if run(program, lambda _: None, said.append) == 0:
            return
    text = " ".join(line.strip() for line in said[:_SHOWN_LINES]).replace(work, "")
    raise BuildFailed.of(
        Code.LOCK_NOT_CUT,
        f"cargo cannot resolve the crate alone: {text}",
        where=CARGO_LOCK,
        hint="run `cargo metadata` in the workspace; with --offline, `cargo fetch` first",
    )


def _compare(whole: bytes, cut: bytes) -> None:
    """Refuse a lock with an entry that the workspace's lock does not have."""
    more = sorted(_entries(cut) - _entries(whole))
    if more:
        named = ", ".join(f"{name} {version}" for name, version, *_ in more[:3])
        raise Refused.of(
            Code.LOCK_NOT_CUT,
            f"the crate alone needs packages that the workspace's Cargo.lock lacks: {named}",
            where=CARGO_LOCK,
            hint="update the lock: run `cargo metadata` in the workspace",
        )


def _entries(lock: bytes) -> set[tuple[str, str, str, str]]:
    table: dict[str, Any] = parse_toml(lock, where=CARGO_LOCK)
    keys = ("name", "version", "source", "checksum")
    return {
        (found[0], found[1], found[2], found[3])
        for one in table.get("package", [])
        for found in [tuple(str(one.get(key, "")) for key in keys)]
    }
