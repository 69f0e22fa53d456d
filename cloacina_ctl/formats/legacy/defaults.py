"""What releases fill in where a ``package.toml`` leaves it out, by their own rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from cloacina_ctl.formats.legacy.model import SourceManifest

PYTHON, RUST = "python", "rust"


def language_of(manifest: SourceManifest, paths: Collection[str]) -> str | None:
    """Return the language as the resolver of 0.10 and later tells it, or None where it cannot.

    What the manifest says wins, in whatever case; else the files decide.
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
    """Return the module that a Python package begins with: said, or made from the name."""
    if language != PYTHON:
        return None
    return manifest.entry_module or manifest.name.replace("-", "_") + ".tasks"
