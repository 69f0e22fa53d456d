"""What of a crate's Cargo.toml leads out of the crate: dependencies by path, and a workspace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cloacina_ctl.project.crate import CARGO_TOML
from cloacina_ctl.project.own_files import read_own_toml

if TYPE_CHECKING:
    from collections.abc import Iterator

_KINDS = ("dependencies", "dev-dependencies", "build-dependencies", "dev_dependencies",
          "build_dependencies")  # fmt: skip


def path_dependencies(folder: str) -> tuple[str, ...]:
    """Return the names of all dependencies by path of the crate in ``folder``, sorted."""
    return named_by_path(read_own_toml(folder, CARGO_TOML))


def named_by_path(table: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of all dependencies by path in a Cargo.toml, sorted.

    Those for tests and build scripts, of every target, and those that replace others, count too:
    cargo looks for each of them before it builds anything.
    """
    return tuple(sorted({name for name, entry in _entries(table) if "path" in entry}))


def _entries(table: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    targets = _tables(table.get("target"))
    for place in (table, *(target for _, target in targets), _table(table.get("workspace"))):
        for kind in _KINDS:
            yield from _tables(place.get(kind))
    yield from _tables(table.get("replace"))
    for _, source in _tables(table.get("patch")):
        yield from _tables(source)


def _tables(value: object) -> list[tuple[str, dict[str, Any]]]:
    found = _table(value)
    return [(key, inner) for key, inner in found.items() if isinstance(inner, dict)]


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
