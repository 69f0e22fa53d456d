"""Reads cargo's configuration files: the keys that affect a build."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from cloacina_ctl.errors import CloacinaError
from cloacina_ctl.toml import read_toml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cloacina_ctl.project.crate_source.tables import Table

CONFIG_FILES = (".cargo/config.toml", ".cargo/config")
TOOLCHAIN_FILES = ("rust-toolchain.toml", "rust-toolchain")
# https://doc.rust-lang.org/cargo/reference/config.html: the tables without effect on a build.
_FOR_PEOPLE = frozenset(
    {"alias", "term", "cache", "cargo-new", "future-incompat-report", "install"}
)


def telling_keys(name: str, read: Callable[[], Table]) -> tuple[str, ...]:
    """Return the keys of the file ``name``, which ``read`` reads, that affect a build, sorted.

    Only its name if it is not TOML.
    """
    if name in TOOLCHAIN_FILES:
        return ("the toolchain",)
    try:
        table = read()
    except CloacinaError:
        return (name,)
    found = set()
    for key, value in table.items():
        if key not in _FOR_PEOPLE:
            inner = value if isinstance(value, dict) else {}
            found |= {f"{key}.{each}" for each in inner} or {key}
    return tuple(sorted(found))


def settings_between(folder: str, top: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the configuration files of cargo from ``folder`` up to ``top``, and their keys.

    A toolchain file in ``folder`` itself is not among them: it is the crate's own.
    """
    place = folder
    while True:
        for name in (*CONFIG_FILES, *(TOOLCHAIN_FILES if place != folder else ())):
            path = os.path.join(place, name)
            if os.path.isfile(path):
                yield os.path.relpath(path, folder), telling_keys(name, partial(read_toml, path))
        if place in (top, os.path.dirname(place)):
            return
        place = os.path.dirname(place)
