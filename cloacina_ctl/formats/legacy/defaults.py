"""The defaults of releases for fields that a ``package.toml`` leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from cloacina_ctl.formats.legacy.model import SourceManifest

PYTHON, RUST = "python", "rust"


def language_of(manifest: SourceManifest, paths: Collection[str]) -> str | None:
    """Return the language as the resolver of 0.10 and later finds it, or None where it cannot.

    The manifest wins, in any letter case; else the files decide.
    """
    said = manifest.language or manifest.package_language
    if said is not None:
        return said.lower() if said.lower() in (PYTHON, RUST) else None
    rust = "Cargo.toml" in paths and "src/lib.rs" in paths
    python = any(path.startswith("workflow/") for path in paths)
    if rust == python:
        return None
    return RUST if rust else PYTHON


def entry_module_of(manifest: SourceManifest, language: str | None) -> str | None:
    """Return the entry module of a Python package: stated, or derived from the name."""
    if language != PYTHON:
        return None
    return manifest.entry_module or manifest.name.replace("-", "_") + ".tasks"
