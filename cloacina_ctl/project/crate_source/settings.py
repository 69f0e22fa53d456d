"""Cargo's own configuration files: which of their keys say how a build goes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import CloacinaError
from cloacina_ctl.toml import parse_toml, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.project.crate_source.tables import Table

CONFIG_FILES = (".cargo/config.toml", ".cargo/config")
TOOLCHAIN_FILES = ("rust-toolchain.toml", "rust-toolchain")
# https://doc.rust-lang.org/cargo/reference/config.html: the tables that no build depends on.
_FOR_PEOPLE = frozenset(
    {"alias", "term", "cache", "cargo-new", "future-incompat-report", "install"}
)


def telling_keys(table: Table) -> tuple[str, ...]:
    """Return the keys of a configuration of cargo that a build depends on, sorted."""
    found = set()
    for name, value in table.items():
        if name in _FOR_PEOPLE:
            continue
        inner = value if isinstance(value, dict) else {}
        found |= {f"{name}.{key}" for key in inner} or {name}
    return tuple(sorted(found))


def keys_of(data: bytes, path: str) -> tuple[str, ...]:
    """Return the same of a file's bytes; its name alone where it is no TOML."""
    if path in TOOLCHAIN_FILES:
        return ("the toolchain",)
    try:
        return telling_keys(parse_toml(data, where=path))
    except CloacinaError:
        return (os.path.basename(path),)


def settings_between(folder: str, top: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what tells cargo what to do from ``folder`` up to ``top``, and which keys do.

    A toolchain file in ``folder`` itself is not among them: it is the crate's own.
    """
    place = folder
    while True:
        for name in (*CONFIG_FILES, *(TOOLCHAIN_FILES if place != folder else ())):
            path = os.path.join(place, name)
            if os.path.isfile(path):
                yield os.path.relpath(path, folder), _keys_in(path, name)
        if place in (top, os.path.dirname(place)):
            return
        place = os.path.dirname(place)


def _keys_in(path: str, name: str) -> tuple[str, ...]:
    if name in TOOLCHAIN_FILES:
        return ("the toolchain",)
    try:
        return telling_keys(read_toml(path))
    except CloacinaError:
        return (name,)
