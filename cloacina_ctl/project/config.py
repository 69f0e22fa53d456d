"""What an author configures for this tool: `[tool.cloacina]`, `[package.metadata.cloacina]`.

``cloacina.toml`` is read only where neither pyproject.toml nor Cargo.toml exists. A key that is
not known is an error: a misspelt one would silently do nothing.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Refused
from cloacina_ctl.project.detect import CARGO_TOML, PYPROJECT_TOML
from cloacina_ctl.project.model import Config, Layout
from cloacina_ctl.toml import read_toml, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

CLOACINA_TOML = "cloacina.toml"
_TEXTS = ("name", "version", "entry_module", "workflow_name", "requires_cloacina")
_LISTS = ("include", "exclude")
_NEVER = ("sign", "signing_key", "key", "keys", "trust", "trusted_keys")


def read_config(folder: str, layout: Layout) -> Config:
    """Return what the project in ``folder`` configures, or raise ``Refused`` with all mistakes."""
    place, table = _find(folder, layout)
    if not isinstance(table, dict):
        raise Refused.of(Code.CONFIG_VALUE, "the configuration must be a table", where=place)
    problems = list(_judge(table, place))
    if problems:
        raise Refused(*problems)
    values = {key: tuple(value) if key in _LISTS else value for key, value in table.items()}
    return Config(place=place, **values)


def _find(folder: str, layout: Layout) -> tuple[str, object]:
    if layout is Layout.RUST:
        place, path = f"{CARGO_TOML}: [package.metadata.cloacina]", ("package", "metadata", "cloacina")
        return place, _inner(folder, CARGO_TOML, path)
    if layout is Layout.PYTHON:
        place = f"{PYPROJECT_TOML}: [tool.cloacina]"
        return place, _inner(folder, PYPROJECT_TOML, ("tool", "cloacina"))
    if os.path.exists(os.path.join(folder, CLOACINA_TOML)):
        return CLOACINA_TOML, _inner(folder, CLOACINA_TOML, ())
    return CLOACINA_TOML, {}


def _inner(folder: str, name: str, path: tuple[str, ...]) -> object:
    table: object = read_toml(os.path.join(folder, name), where=name)
    for key in path:
        table = table.get(key, {}) if isinstance(table, dict) else {}
    return table


def _judge(table: dict[str, object], place: str) -> Iterator[Diagnostic]:
    for key, value in table.items():
        if key in _NEVER:
            yield Diagnostic(
                Code.CONFIG_UNKNOWN_KEY, f"a project never chooses a key: {key}", place,
                "set it for yourself: --sign, CLOACINA_CTL_SIGNING_KEY or your own config.toml",
            )
        elif key in _TEXTS:
            if not isinstance(value, str) or not value:
                yield Diagnostic(Code.CONFIG_VALUE, f"`{key}` must be a text", place)
        elif key in _LISTS:
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                yield Diagnostic(Code.CONFIG_VALUE, f"`{key}` must be a list of patterns", place)
        else:
            hint = suggest(key, (*_TEXTS, *_LISTS)) or f"known are {', '.join((*_TEXTS, *_LISTS))}"
            yield Diagnostic(Code.CONFIG_UNKNOWN_KEY, f"no such key: {key}", place, hint)
