"""Adds compiler flags to a build without losing those that the author configured.

Cargo takes flags from one of three sources, the first that is there: the variable RUSTFLAGS (or
its encoded form), all ``target.*.rustflags`` that apply, ``build.rustflags``. Within a source,
lists join and a text replaces a text; a list and a text are an error (all measured with cargo
1.95). So ours are added to each place where flags may come from, in the form that stands there.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from cloacina_ctl.toml import read_toml
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ENCODED = "CARGO_ENCODED_RUSTFLAGS"
_PLAIN = "RUSTFLAGS"
_BUILD = ("build", "rustflags")
_MAX_INCLUDES = 8
_REPLACING = frozenset({"source", "patch", "paths"})
# Variables that choose or change the compiler: reported to explain why a build differs.
_CHOOSES_COMPILER = (
    "RUSTC", "RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTC_BOOTSTRAP", _PLAIN, _ENCODED,
    "CARGO_BUILD_RUSTC", "CARGO_BUILD_RUSTC_WRAPPER", "CARGO_BUILD_RUSTC_WORKSPACE_WRAPPER",
    "CARGO_BUILD_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTUP_TOOLCHAIN",
)  # fmt: skip


class AddedFlags(NamedTuple):
    """What to give cargo: arguments, changed variables; and whether the flags go everywhere."""

    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    complete: bool


def add_flags(
    flags: tuple[str, ...], environment: Mapping[str, str], configured: Mapping[str, Any]
) -> AddedFlags:
    """Return the arguments and variables that add ``flags`` to those of the author.

    ``environment`` is what cargo would get, ``configured`` what :func:`configured_flags` found.
    Where an author's flags are one text, cargo splits it at spaces: a flag with a space in it
    cannot be added there, and ``complete`` is false.
    """
    authors = _flags_of(environment)
    if authors is not None:
        return AddedFlags((), {_ENCODED: "\x1f".join((*authors, *flags))}, complete=True)
    one_word = not any(" " in flag for flag in flags)
    changed, arguments, complete = {}, [], True
    for name, value in environment.items():
        if name.startswith("CARGO_TARGET_") and name.endswith("_RUSTFLAGS"):
            complete &= one_word
            changed[name] = " ".join((value, *flags)) if one_word else value
    for key, value in {".".join(_BUILD): [], **configured}.items():
        if isinstance(value, list):
            arguments.append(f"--config={key}={_toml(list(flags))}")
        elif one_word:
            arguments.append(f"--config={key}={_toml(' '.join((str(value), *flags)))}")
        else:
            complete = False
    return AddedFlags(tuple(arguments), changed, complete)


def compiler_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of the variables that choose or change the compiler."""
    return tuple(
        sorted(
            name
            for name in environment
            if name in _CHOOSES_COMPILER
            or (name.startswith("CARGO_TARGET_") and name.endswith(("_RUSTFLAGS", "_LINKER")))
        )
    )


def configured_flags(folder: str, cargo_home: str | None) -> dict[str, Any]:
    """Return the flags that cargo's configuration files hold, by dotted key.

    A list stands for lists, whatever they hold, a text for the text that counts: the nearest.
    """
    found: dict[str, Any] = {}
    for path in _config_files(folder, cargo_home):
        for key, value in _flags_in(path):
            found.setdefault(key, value)
    return found


def configured(folder: str, cargo_home: str | None, table: str, key: str) -> object:
    """Return the value of a key in the nearest configuration file of cargo, or None."""
    for found in _tables(folder, cargo_home):
        inner = found.get(table)
        if isinstance(inner, dict) and key in inner:
            value: object = inner[key]
            return value
    return None


def replaces_sources(folder: str, cargo_home: str | None) -> bool:
    """Return whether a configuration file may replace the sources of packages."""
    return any(table.keys() & _REPLACING for table in _tables(folder, cargo_home))


def _tables(folder: str, cargo_home: str | None) -> Iterator[dict[str, Any]]:
    for path in _config_files(folder, cargo_home):
        yield from _tables_in(path, _MAX_INCLUDES)


def _flags_of(environment: Mapping[str, str]) -> list[str] | None:
    if _ENCODED in environment:
        return [flag for flag in environment[_ENCODED].split("\x1f") if flag]
    if _PLAIN in environment:
        return environment[_PLAIN].split()
    return None


def _config_files(folder: str, cargo_home: str | None) -> Iterator[str]:
    """Yield cargo's configuration files, the nearest first; ``config`` hides ``config.toml``."""
    place, seen = os.path.abspath(folder), set()
    folders = []
    while True:
        folders.append(os.path.join(place, ".cargo"))
        parent = os.path.dirname(place)
        if parent == place:
            break
        place = parent
    for candidate in filter(None, (*folders, cargo_home)):
        for name in ("config", "config.toml"):
            path = os.path.join(candidate, name)
            if os.path.isfile(path):
                if os.path.realpath(path) not in seen:
                    seen.add(os.path.realpath(path))
                    yield path
                break


def _flags_in(path: str) -> Iterator[tuple[str, Any]]:
    for table in _tables_in(path, _MAX_INCLUDES):
        build = table.get("build")
        if isinstance(build, dict) and "rustflags" in build:
            yield ".".join(_BUILD), build["rustflags"]
        targets = table.get("target")
        for name, target in (targets if isinstance(targets, dict) else {}).items():
            if isinstance(target, dict) and "rustflags" in target:
                yield f"target.{_toml(name)}.rustflags", target["rustflags"]


def _tables_in(path: str, includes_left: int) -> Iterator[dict[str, Any]]:
    """Yield a configuration file's content, then that of the files that it includes."""
    table = read_toml(path)
    yield table
    included = table.get("include", ())
    for item in included if isinstance(included, list) and includes_left else ():
        name = item.get("path") if isinstance(item, dict) else item
        other = os.path.join(os.path.dirname(path), str(name))
        if os.path.isfile(other):
            yield from _tables_in(other, includes_left - 1)


def _toml(value: object) -> str:
    """Return a TOML text or list of texts: JSON's escapes are TOML's."""
    return json.dumps(value, ensure_ascii=False)
