"""Reads the author's configuration: `[tool.cloacina]`, `[package.metadata.cloacina]`.

``cloacina.toml`` is read only if neither pyproject.toml nor Cargo.toml exists. An unknown key is
an error: a misspelled one would silently do nothing.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from cloacina_ctl.errors import Code, Diagnostic, Refused
from cloacina_ctl.project.detect import CARGO_TOML, PYPROJECT_TOML
from cloacina_ctl.project.model import Config, ProjectLayout
from cloacina_ctl.project.own_files import read_own_toml
from cloacina_ctl.project.selection.ignore_files import compile_patterns
from cloacina_ctl.project.selection.links import CONTENTS, REFUSE
from cloacina_ctl.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOACINA_TOML = "cloacina.toml"
_TEXTS = (
    "name", "version", "entry_module", "workflow_name", "requires_cloacina", "vendor_python",
    "wheelhouse",
)  # fmt: skip
_PATTERNS = ("include", "exclude")
_LISTS = (*_PATTERNS, "vendor_platforms")
_FLAGS = ("vendor",)
_ROOT, _LINKS = "source_root", "links"
_PYTHON_ONLY = frozenset({"entry_module", "vendor_python", "wheelhouse"})
_TABLES = {PYPROJECT_TOML: ("tool", "cloacina"), CARGO_TOML: ("package", "metadata", "cloacina")}
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
_NEVER = ("sign", "signing", "signer", "signers", "key", "keys", "trust", "trusted")


def read_config(folder: str, layout: ProjectLayout) -> Config:
    """Return the configuration of the project in ``folder``; raise ``Refused`` for all mistakes."""
    place, table = _find(folder, layout)
    if not isinstance(table, dict):
        raise Refused.of(Code.CONFIG_VALUE, "the configuration must be a table", where=place)
    problems = list(_check(table, layout, place))
    if problems:
        raise Refused(*problems)
    values: dict[str, Any] = {
        key: tuple(value) if key in _LISTS else value for key, value in table.items()
    }
    if _ROOT in values:
        values[_ROOT] = tuple(_listed(values[_ROOT]))
    return Config(place=place, **values)


def _find(folder: str, layout: ProjectLayout) -> tuple[str, object]:
    """Return the one table that counts; ``cloacina.toml`` beside another file does not."""
    name = CARGO_TOML if layout is ProjectLayout.RUST else PYPROJECT_TOML
    steps = _TABLES[name]
    table = f"[{'.'.join(steps)}]"
    alone = os.path.lexists(os.path.join(folder, CLOACINA_TOML))
    if not os.path.lexists(os.path.join(folder, name)):
        return CLOACINA_TOML, _inner(folder, CLOACINA_TOML, ()) if alone else {}
    if alone:
        raise Refused.of(
            Code.CONFIG_VALUE,
            f"{CLOACINA_TOML} is not read beside {name}",
            where=CLOACINA_TOML,
            hint=f"move its keys to {table} in {name}",
        )
    return f"{name}: {table}", _inner(folder, name, steps)


def _inner(folder: str, name: str, path: tuple[str, ...]) -> object:
    table: object = read_own_toml(folder, name)
    for key in path:
        table = table.get(key, {}) if isinstance(table, dict) else {}
    return table


def _check(table: dict[str, object], layout: ProjectLayout, place: str) -> Iterator[Diagnostic]:
    for key, value in table.items():
        if key in _TEXTS:
            message = _check_text(key, value, layout)
        elif key in _PATTERNS:
            message = _check_patterns(key, value)
        elif key in _LISTS or key in _FLAGS:
            message = _check_vendoring(key, value, layout)
        elif key == _ROOT:
            message = _check_root(value, layout)
        elif key == _LINKS:
            known = (REFUSE, CONTENTS)
            message = None if value in known else f'`{_LINKS}` must be "{REFUSE}" or "{CONTENTS}"'
        else:
            yield _unknown(key, place)
            continue
        if message is not None:
            yield Diagnostic(Code.CONFIG_VALUE, message, place)


def _check_text(key: str, value: object, layout: ProjectLayout) -> str | None:
    if not isinstance(value, str) or not value:
        return f"`{key}` must be a string"
    if key in _PYTHON_ONLY and layout is ProjectLayout.RUST:
        return f"`{key}` is for Python projects"
    if key == "entry_module" and _MODULE.fullmatch(value) is None:
        return f"`entry_module` must be a dotted module name: {value}"
    return None


def _check_patterns(key: str, value: object) -> str | None:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        return f"`{key}` must be a list of patterns"
    for pattern in value:
        if pattern.startswith("!"):
            return f"`{key}` takes no pattern with `!`, the other list is for that: {pattern}"
        if "\n" in pattern or compile_patterns([pattern]) is None:
            return f"`{key}` has an entry that is not a pattern: {pattern}"
    return None


def _check_vendoring(key: str, value: object, layout: ProjectLayout) -> str | None:
    if layout is ProjectLayout.RUST:
        return f"`{key}` is for Python projects"
    if key in _FLAGS:
        return None if isinstance(value, bool) else f"`{key}` must be true or false"
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        return f"`{key}` must be a list of strings"
    return None


def _check_root(value: object, layout: ProjectLayout) -> str | None:
    if layout is not ProjectLayout.PYTHON:
        return f"`{_ROOT}` is for projects with a {PYPROJECT_TOML}"
    roots = _listed(value)
    if not roots or not all(isinstance(one, str) and one for one in roots):
        return f"`{_ROOT}` must be a folder or a list of folders"
    for one in roots:
        if os.path.isabs(one) or ".." in re.split(r"[/\\]", one):
            return f"`{_ROOT}` must be a folder of the project, from its top on: {one}"
    return None


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _unknown(key: str, place: str) -> Diagnostic:
    if any(word in _NEVER for word in (key, *re.split("[_-]", key))):
        return Diagnostic(
            Code.CONFIG_UNKNOWN_KEY,
            f"a project cannot choose a signing key: {key}",
            place,
            "set it for yourself: --sign, CLOACINA_CTL_SIGNING_KEY or your own config.toml",
        )
    known = (*_TEXTS, *_LISTS, *_FLAGS, _ROOT, _LINKS)
    hint = did_you_mean(key, known) or f"known are {', '.join(known)}"
    return Diagnostic(Code.CONFIG_UNKNOWN_KEY, f"no such key: {key}", place, hint)
