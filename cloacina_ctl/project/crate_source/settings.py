"""Cargo's own configuration files: which of their keys say how a build goes."""

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
# https://doc.rust-lang.org/cargo/reference/config.html: the tables that no build depends on.
_FOR_PEOPLE = frozenset(
    {"alias", "term", "cache", "cargo-new", "future-incompat-report", "install"}
)


def telling_keys(name: str, read: Callable[[], Table]) -> tuple[str, ...]:
    """Return what of the file ``name``, which ``read`` reads, a build depends on: its keys, sorted.

    Its name alone where it is no TOML.
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
    """Yield what tells cargo what to do from ``folder`` up to ``top``, and which keys do.

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
