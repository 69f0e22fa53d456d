"""The rules for a legacy package of valid form.

They compare its manifest with its code, and report unwanted files, releases that refuse it, and
all problems that are reported for a project's sources.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.checks import graph, legacy_manifest, python
from cloacina_ctl.checks.engine import Finding, RuleSet
from cloacina_ctl.checks.releases import release_findings
from cloacina_ctl.checks.rust import crate_source
from cloacina_ctl.checks.rust.crate import check_crate
from cloacina_ctl.checks.signatures import failing, is_checked
from cloacina_ctl.errors import Code, Severity
from cloacina_ctl.formats.layout import VENDOR_FOLDER
from cloacina_ctl.formats.legacy.model import (
    ProviderManifest,
    SourceManifest,
    V2Manifest,
)
from cloacina_ctl.manifest import PackageInfo
from cloacina_ctl.project.model import Config, Project, ProjectLayout
from cloacina_ctl.project.selection.exclusions import (
    Denied,
    deny_file,
    deny_folder,
    deny_marked_folder,
)
from cloacina_ctl.signing.policy import how_to_sign

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.checks.subjects import LegacySubject
    from cloacina_ctl.errors import Diagnostic

RULES: RuleSet[LegacySubject] = RuleSet()
_SHOWN = 20


def check_legacy(subject: LegacySubject) -> Iterator[Diagnostic]:
    """Yield all problems of a legacy package."""
    yield from check_contents(subject)
    yield from release_findings(subject)


def check_contents(subject: LegacySubject) -> Iterator[Diagnostic]:
    """Yield all its problems except which releases load it."""
    yield from RULES.run(subject)
    yield from legacy_manifest.RULES.run(subject)
    yield from legacy_manifest.check_library(subject)
    yield from legacy_manifest.check_tasks(subject)
    if subject.source is not None and subject.source.source is not None:
        yield from crate_source.RULES.run(subject.source.source)
    project = _project(subject)
    if project is None:
        return
    for workflow in project.workflows:
        yield from graph.check_graph(workflow)
    if project.python is None:
        yield from check_crate(project, packed=True)
    else:
        from cloacina_ctl.checks.imports import check_packed_imports

        yield from python.RULES.run(project)
        members = (str(file.path) for file in subject.contents.files)
        yield from check_packed_imports(subject.path, project.python.imports, members)


def _project(subject: LegacySubject) -> Project | None:
    """Return the sources as a project, for the rules for projects; None if there are none."""
    source, manifest = subject.source, subject.contents.manifest
    if source is None or (source.python is None and source.rust is None):
        return None
    named = manifest.package if isinstance(manifest, ProviderManifest) else manifest
    layout = ProjectLayout.RUST if source.rust is not None else ProjectLayout.PYTHON_TREE
    return Project(
        root=subject.path,
        layout=layout,
        package=PackageInfo(name=named.name, version=named.version),
        config=Config(place=subject.contents.root),
        workflows=source.workflows,
        python=source.python,
        rust=source.rust,
    )


@RULES.rule(Code.UNSIGNED, Severity.WARNING)
def unsigned(subject: LegacySubject) -> Iterator[Finding]:
    """The maker of an unsigned package is unknown."""
    if not subject.signatures:
        yield Finding(
            "it is not signed: no sidecar beside it, no package.sig in it",
            subject.path,
            how_to_sign(subject.path),
        )


@RULES.rule(Code.BAD_SIGNATURE)
def bad_signature(subject: LegacySubject) -> Iterator[Finding]:
    """A failing signature by a known key is a forgery or an accident, and always reported."""
    yield from failing(subject.signatures, subject.path)


@RULES.rule(Code.NO_TRUSTED_SIGNER, Severity.NOTE)
def no_trusted_signer(subject: LegacySubject) -> Iterator[Finding]:
    """Signatures by keys that this user does not trust prove nothing to this user."""
    if subject.signatures and not is_checked(subject.signatures):
        reason = next((one.reason for one in subject.signatures if one.reason), None)
        yield Finding(
            f"no trusted key has signed it{f': {reason}' if reason else ''}",
            subject.path,
            "trust a key with `cloacina-ctl trust add`",
        )


@RULES.rule(Code.ROOT_NAME, Severity.WARNING)
def root_name(subject: LegacySubject) -> Iterator[Finding]:
    """Packers name the top folder after the package."""
    root, manifest = subject.contents.root, subject.contents.manifest
    named = manifest.package if isinstance(manifest, ProviderManifest) else manifest
    expected = f"{named.name}-{named.version}"
    if root is not None and root != expected:
        yield Finding(f"the top folder is {root}, expected {expected}", subject.path)


@RULES.rule(Code.SECRET_PACKED, Severity.WARNING)
def secret_packed(subject: LegacySubject) -> Iterator[Finding]:
    """Everyone with the package has the secret."""
    for path, reason, _ in _denied(subject, secret=True):
        yield Finding(
            reason, path, "remove it, package again, and replace the secret: it is exposed"
        )


@RULES.rule(Code.PRIVATE_KEY)
def private_key(subject: LegacySubject) -> Iterator[Finding]:
    """A private key, recognized by its first line in a file of any name."""
    for secret in subject.secrets:
        if secret.is_private_key:
            hint = "make a new one: this one is exposed"
            yield Finding(f"{secret.what} stands in it", secret.place, hint)


@RULES.rule(Code.CREDENTIAL, Severity.WARNING)
def credential(subject: LegacySubject) -> Iterator[Finding]:
    """An access key or token, recognized by its form in a file of any name."""
    for secret in subject.secrets:
        if not secret.is_private_key:
            hint = "remove it, package again, and revoke it: it is exposed"
            yield Finding(f"{secret.what} stands in it", secret.place, hint)


@RULES.rule(Code.STRAY_FILE, Severity.WARNING)
def stray_file(subject: LegacySubject) -> Iterator[Finding]:
    """Upstream's packer packs all files in the folder, including its own output."""
    for path, reason, size in _denied(subject, secret=False):
        empty = path.endswith(".cloacina") and not size
        message = "an empty copy of the packer's own output" if empty else reason
        yield Finding(message, path, "remove it from the project's folder and package again")


def _denied(subject: LegacySubject, *, secret: bool) -> Iterator[tuple[str, str, int]]:
    """Yield path, reason and size of files that this tool would not pack; one for each folder."""
    seen: set[str] = set()
    marked = _marked_folders(subject)
    for file in subject.contents.files:
        path = str(file.path)
        if path.startswith(VENDOR_FOLDER):
            continue
        place, denied = _deny(path, marked)
        if denied is not None and denied.secret is secret and place not in seen:
            seen.add(place)
            yield place, denied.reason, file.size


def _marked_folders(subject: LegacySubject) -> dict[str, Denied]:
    """Return the folders that a tool marked as its own: environments, caches, build folders."""
    names: dict[str, set[str]] = {}
    for file in subject.contents.files:
        folder, _, name = str(file.path).rpartition("/")
        names.setdefault(folder, set()).add(name)
        while folder:  # the folders above are marked, too
            folder, _, name = folder.rpartition("/")
            names.setdefault(folder, set()).add(name)
    found = {folder: deny_marked_folder(folder, held) for folder, held in names.items() if folder}
    return {folder: denied for folder, denied in found.items() if denied is not None}


def _deny(path: str, marked: dict[str, Denied]) -> tuple[str, Denied | None]:
    """Return the file, or the outermost folder around it, that would be left out, and why."""
    *folders, name = path.split("/")
    for depth, folder in enumerate(folders):
        place = "/".join(folders[: depth + 1])
        denied = deny_folder(folder) or marked.get(place)
        if denied is not None:
            return f"{place}/", denied
    return path, deny_file(name)


@RULES.rule(Code.LIMIT, Severity.WARNING)
def unread(subject: LegacySubject) -> Iterator[Finding]:
    """A source that was not read was not checked."""
    if subject.unread:
        names = ", ".join(subject.unread[:3])
        count = len(subject.unread)
        yield Finding(f"{count} sources are too large to read: {names}", subject.path)


@RULES.rule(Code.MISSING_MEMBER)
def entry_missing(subject: LegacySubject) -> Iterator[Finding]:
    """A package begins with a module under ``workflow/``, a Cargo.toml, or a component."""
    manifest = subject.contents.manifest
    paths = {str(file.path) for file in subject.contents.files}
    if isinstance(manifest, ProviderManifest):
        component = manifest.package.component
        if component is not None and component not in paths:
            yield Finding(f"the component is not in the package: {component}", subject.path)
        return
    if not isinstance(manifest, SourceManifest | V2Manifest):
        return
    if subject.language == "python" and subject.source is not None:
        facts = subject.source.python
        if facts is not None and facts.entry_path is None:
            yield Finding(
                f"the entry module is not in the package: {subject.entry_module}",
                subject.path,
                "a package begins with a module under `workflow/`",
            )
    if subject.language == "rust" and isinstance(manifest, SourceManifest):
        for name in ("Cargo.toml", "src/lib.rs"):
            if name not in paths:
                yield Finding(f"not in the package: {name}", subject.path)


@RULES.rule(Code.RUST_SYNTAX)
def crate_unreadable(subject: LegacySubject) -> Iterator[Finding]:
    """A crate with an unreadable Cargo.toml cannot be built."""
    for problem in subject.source.problems if subject.source else ():
        yield Finding(problem.message, problem.place)


@RULES.rule(Code.FIELD_UNKNOWN, Severity.NOTE)
def unknown_keys(subject: LegacySubject) -> Iterator[Finding]:
    """A key without a meaning in any release is a mistake, or of another tool."""
    manifest = subject.contents.manifest
    for place in () if isinstance(manifest, ProviderManifest) else manifest.unknown[:_SHOWN]:
        if not (isinstance(manifest, SourceManifest) and place.startswith("metadata.")):
            yield Finding(f"a key that no release knows: {place}", subject.path)
