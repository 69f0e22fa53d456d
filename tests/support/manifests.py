"""Manifests to begin with, and a way to change them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest

from cloacina_ctl.manifest import ManifestError, canonical, parse

if TYPE_CHECKING:
    from cloacina_ctl.errors import Code, Diagnostic

Document = dict[str, Any]


def document() -> Document:
    """Return a small manifest of a Python package."""
    return {
        "format_version": 3,
        "package": {"name": "demo", "version": "1.0"},
        "language": "python",
        "entry_module": "demo.tasks",
        "contents": {"files": 3, "sha256": "ab" * 32, "size": 10},
        "workflows": [{"name": "w", "tasks": [task("a"), task("b", "a")]}],
    }


def task(name: str, *needs: str) -> Document:
    """Return a task."""
    return {"dependencies": list(needs), "id": name}


def rust() -> Document:
    """Return a manifest of a Rust package, with an artifact."""
    made = document()
    del made["entry_module"]
    made.update(language="rust", package={"name": "demo", "version": "1.0.0"})
    made["artifacts"] = [
        {
            "platform": "manylinux_2_17_x86_64",
            "path": "platform/manylinux_2_17_x86_64/libdemo.so",
            "kind": "cdylib",
            "machine": "x86_64",
            "os": "linux",
            "needed": [],
            "interface": {"kind": "fidius", "abi": 200},
        }
    ]
    return made


def changed(start: Document, pointer: str, value: Any) -> Document:
    """Return a copy with what stands at a JSON pointer replaced; Ellipsis leaves it out."""
    made = copy.deepcopy(start)
    at: Any = made
    *above, last = pointer.split("/")[1:]
    for step in above:
        at = at[int(step)] if isinstance(at, list) else at[step]
    if value is ...:
        del at[last]
    elif isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return made


def problems(value: Any) -> tuple[Diagnostic, ...]:
    """Return what `parse` has against a document; it must have something."""
    with pytest.raises(ManifestError) as caught:
        parse(canonical.encode(value))
    return caught.value.diagnostics


def places(value: Any) -> list[tuple[Code, str | None]]:
    """Return the codes and places of what `parse` has against a document."""
    return [(one.code, one.where) for one in problems(value)]
