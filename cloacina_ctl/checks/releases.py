"""Collects the facts for ``releases.rules``, of a project or a package, and reports the reasons.

Only the releases for which the package is made count. A reason of one of them is a warning while
another one loads the package, an error if none does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Severity
from cloacina_ctl.formats.legacy.model import SourceManifest, V1Manifest
from cloacina_ctl.releases.rules import (
    MADE_FOR,
    CrateFacts,
    LibraryFacts,
    ManifestFacts,
    ModuleFacts,
    PackageFacts,
    Sizes,
    reasons_against,
    reasons_by_release,
    with_releases,
)
from cloacina_ctl.releases.table import RELEASES, SOURCE, release_of_crate
from cloacina_ctl.toml import parse_toml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from cloacina_ctl.checks.subjects import LegacySubject
    from cloacina_ctl.project.model import PythonFacts, RustFacts

# Codes that the rules for modules and crates report as well, with a place.
_FOUND_IN_CODE = (Code.ENTRY_MODULE_MISSING, Code.SHADOWED_NAME, Code.NO_PACKAGE_MACRO)


def release_findings(subject: LegacySubject) -> Iterator[Diagnostic]:
    """Yield each reason why a release for which the package is made does not load it."""
    facts = facts_of_package(subject)
    same_format = [release for release in RELEASES if release.format == facts.format]
    meant = [
        release
        for release in same_format
        if not any(reason.rule in MADE_FOR for reason in reasons_against(release, facts))
    ] or same_format
    found = {
        reason: releases
        for reason, releases in reasons_by_release(facts, meant).items()
        if reason.code not in _FOUND_IN_CODE
    }
    refusing = {release for releases in found.values() for release in releases}
    severity = Severity.ERROR if len(refusing) == len(meant) else Severity.WARNING
    for reason, releases in found.items():
        message = with_releases(reason.message, releases)
        yield Diagnostic(reason.code, message, subject.path, reason.hint, severity)


def facts_of_source(
    language: str | None,
    manifest: Mapping[str, Any],
    python: PythonFacts | None = None,
    rust: RustFacts | None = None,
    sizes: Sizes = Sizes(),
) -> PackageFacts:
    """Return the facts of a source package; ``manifest`` is its ``package.toml``, parsed."""
    package, metadata = (_table(manifest, name) for name in ("package", "metadata"))
    said = metadata.get("language")
    return PackageFacts(
        format=SOURCE,
        language=language,
        manifest=ManifestFacts(
            tuple(package), tuple(metadata), said if isinstance(said, str) else None
        ),
        modules=_modules(python) if python is not None else None,
        crate=_crate(rust) if rust is not None else None,
        sizes=sizes,
    )


def facts_of_package(subject: LegacySubject) -> PackageFacts:
    """Return the facts of a package that was read completely."""
    contents, source = subject.contents, subject.source
    entries = len(contents.files) + len(contents.folders)
    sizes = Sizes(subject.size, contents.size, entries)
    if isinstance(contents.manifest, SourceManifest):
        manifest = parse_toml(contents.manifest_bytes, where=subject.path)
        python, rust = (source.python, source.rust) if source is not None else (None, None)
        return facts_of_source(subject.language, manifest, python, rust, sizes)
    library = None
    if subject.library is not None and isinstance(contents.manifest, V1Manifest):
        plugin = subject.library.plugin
        library = LibraryFacts(plugin.kind if plugin is not None else None, subject.library.os)
    return PackageFacts(contents.format.value, library=library, sizes=sizes)


def _table(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    table = document.get(name)
    return table if isinstance(table, dict) else {}


def _modules(facts: PythonFacts) -> ModuleFacts:
    return ModuleFacts((*facts.top_level, *facts.vendored), facts.entry_path is not None)


def _crate(facts: RustFacts) -> CrateFacts:
    crate = facts.crate
    release = release_of_crate(crate.cloacina_release)
    return CrateFacts(
        written_for=release.name if release is not None else None,
        crate_types=crate.crate_types,
        is_packaged="packaged" in crate.default_features,
        has_lock_file=crate.has_lock_file,
        has_package_macro=facts.package_macro is not None,
    )
