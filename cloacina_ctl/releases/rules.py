"""Checks whether a release of Cloacina loads a package, and reports why not.

The rules are used before a package is made and for an existing one. Both give the same facts, so
both get the same result and messages. The differences between releases are in ``table``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic
from cloacina_ctl.releases.table import PYTHON, RELEASES, RUST, SOURCE, in_words, releases_with
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cloacina_ctl.releases.table import Release

_CARGO_TOML, _PACKAGE_TOML = "Cargo.toml", "package.toml"


class ManifestFacts(NamedTuple):
    """The keys of the two tables of a ``package.toml``, and ``language`` as it is written."""

    package: tuple[str, ...]
    metadata: tuple[str, ...]
    language: str | None = None


class ModuleFacts(NamedTuple):
    """Names at the top of ``workflow/`` and ``vendor/``; whether the entry module exists."""

    names: tuple[str, ...] = ()
    has_entry: bool = True


class CrateFacts(NamedTuple):
    """The facts of a crate that matter to compilers.

    ``written_for`` is the release of its Cloacina crates, None if it is not known;
    ``crate_types`` are empty if [lib] has none; ``is_packaged`` is whether the feature `packaged`
    is on by default.
    """

    written_for: str | None = None
    crate_types: tuple[str, ...] = ("cdylib",)
    is_packaged: bool = True
    has_lock_file: bool = True
    has_package_macro: bool = True


class LibraryFacts(NamedTuple):
    """A compiled library: the interface of its plugin, None if it has none, and its system."""

    interface: str | None
    os: str = "linux"


class Sizes(NamedTuple):
    """Bytes of the package, bytes of all files in it, number of its files and folders.

    None is not known yet.
    """

    package: int | None = None
    files: int | None = None
    entries: int | None = None


class PackageFacts(NamedTuple):
    """The facts that decide which releases load a package; None means unknown or missing.

    ``format`` is the kind of file, as ``Release.format``; ``language`` ``python`` or ``rust``.
    """

    format: str
    language: str | None = None
    manifest: ManifestFacts | None = None
    modules: ModuleFacts | None = None
    crate: CrateFacts | None = None
    library: LibraryFacts | None = None
    sizes: Sizes = Sizes()


class Reason(NamedTuple):
    """Why a release does not load a package.

    ``rule`` is the field of ``Release`` with the rule, "" if every release has the rule;
    ``where`` the file of the project or package that it concerns.
    """

    rule: str
    code: Code
    message: str
    hint: str | None = None
    where: str | None = None


# Hints for a crate that lacks what a compiler needs.
CRATE_HINTS = {
    Code.NO_LOCK_FILE: "run `cargo generate-lockfile`",
    Code.NOT_A_CDYLIB: 'write `crate-type = ["cdylib"]` under [lib]',
    Code.NO_PACKAGED_FEATURE: 'add `[features] default = ["packaged"]` and `packaged = []`',
    Code.NO_PACKAGE_MACRO: (
        "write `cloacina_workflow_plugin::package!();` once at the top of the crate"
    ),
}
# Reasons about the target of a package, not about a problem in it.
MADE_FOR = frozenset({"format", "languages", "interfaces", "crates"})


def reasons_against(release: Release, facts: PackageFacts) -> Iterator[Reason]:
    """Yield why the release does not load a package of these facts; nothing if it does."""
    if facts.format != release.format:
        message = f"`{facts.format}` packages are not loaded"
        yield Reason("format", Code.NOT_FOR_RUNTIME, message)
        return
    if facts.language is not None and facts.language not in release.languages:
        yield Reason(
            "languages",
            Code.NOT_FOR_RUNTIME,
            f"{str(facts.language).capitalize()} packages are not supported",
            f"choose a release that runs both: {releases_with('languages', (PYTHON, RUST))}",
        )
    if facts.manifest is not None:
        yield from _keys(release, facts.manifest)
        yield from _missing(release, facts.manifest, facts.language)
    if facts.modules is not None:
        yield from _modules(release, facts.modules)
    if facts.crate is not None:
        yield from _crate(release, facts.crate)
    if facts.library is not None:
        yield from _library(release, facts.library)
    yield from _sizes(release, facts.sizes)


def releases_that_load(facts: PackageFacts) -> tuple[Release, ...]:
    """Return the releases that load a package of these facts."""
    return tuple(one for one in RELEASES if not any(reasons_against(one, facts)))


def reasons_by_release(
    facts: PackageFacts, releases: Sequence[Release] = RELEASES
) -> dict[Reason, list[Release]]:
    """Return each reason against loading it, with those of ``releases`` that have the reason."""
    found: dict[Reason, list[Release]] = {}
    for release in releases:
        for reason in reasons_against(release, facts):
            found.setdefault(reason, []).append(release)
    return found


def with_releases(message: str, releases: Sequence[Release]) -> str:
    """Return the message of a reason, with the releases that have it."""
    return f"{message} (Cloacina {in_words(releases)})" if releases else message


def broken_rules(release: Release, facts: PackageFacts) -> tuple[Diagnostic, ...]:
    """Return why a package of these facts cannot be made for ``release``.

    No source package is made without a lock file: its builds would not be reproducible.
    """
    packed_for = release._replace(lock_file=release.format == SOURCE)
    everywhere = reasons_by_release(facts)
    return tuple(
        Diagnostic(
            Code.RUNTIME_RULE if reason.code is Code.RELEASES_REFUSE else reason.code,
            with_releases(reason.message, everywhere.get(reason, ())),
            reason.where,
            reason.hint,
        )
        for reason in reasons_against(packed_for, facts)
    )


def _keys(release: Release, manifest: ManifestFacts) -> Iterator[Reason]:
    """Yield keys of ``[metadata]`` that the release refuses, or does not have."""
    known = release.metadata_keys
    for key in manifest.metadata if known is not None else ():
        if key not in (known or ()):
            message = f"`{key[:80]}` under [metadata] is refused"
            yield _refused("metadata_keys", message, _hint_of_key(key))


def _hint_of_key(key: str) -> str:
    takers = [release for release in RELEASES if key in (release.metadata_keys or ())]
    if takers:
        return f"remove it, or choose a release that accepts it: {in_words(takers)}"
    if key not in ("triggers", "package_type"):
        return "remove it, or correct its spelling"
    instead = "declare triggers in the code" if key == "triggers" else "remove it"
    return f"{instead}, or choose a release that accepts it: {releases_with(key, value=True)}"


def _missing(release: Release, manifest: ManifestFacts, language: str | None) -> Iterator[Reason]:
    """Yield the required keys that are missing from the manifest."""
    if release.workflow_name and "workflow_name" not in manifest.metadata:
        yield _refused("workflow_name", "`workflow_name` under [metadata] is missing")
    if not (release.resolves and language == RUST):
        for key, place, there in (
            ("interface", "[package]", manifest.package),
            ("interface_version", "[package]", manifest.package),
            ("language", "[metadata]", manifest.metadata),
        ):
            if key not in there:
                yield _refused("resolves", f"`{key}` under {place} is missing")
        if language == PYTHON and "entry_module" not in manifest.metadata:
            yield _refused("resolves", "`entry_module` under [metadata] is missing")
    said = manifest.language
    if said is not None and said != said.lower():
        yield _refused("", f"`language` must be in lower case: {said[:80]}")
    if language is None:
        yield _refused("", "the language is not stated: python or rust")
    if release.package_language and language == PYTHON and "language" not in manifest.package:
        message = "without `language` under [package] too, the compiler takes it for Rust"
        yield _refused("package_language", message)


def _refused(rule: str, message: str, hint: str | None = None) -> Reason:
    return Reason(rule, Code.RELEASES_REFUSE, message, hint, _PACKAGE_TOML)


def _modules(release: Release, modules: ModuleFacts) -> Iterator[Reason]:
    if not modules.has_entry:
        yield Reason("", Code.ENTRY_MODULE_MISSING, "the entry module is not there")
    for name in sorted(release.shadowed_names.intersection(modules.names)):
        message = f"`{name}` has the name of a standard module"
        yield Reason("shadowed_names", Code.SHADOWED_NAME, message, "give it another name")


def _crate(release: Release, crate: CrateFacts) -> Iterator[Reason]:
    """Yield why the release's compiler does not make a loadable library from a crate."""
    if crate.written_for is not None and crate.written_for not in release.crates:
        yield Reason(
            "crates",
            Code.RELEASES_REFUSE,
            f"the crate is written for Cloacina {crate.written_for}, and its library is not loaded",
            f"choose --runtime {crate.written_for}, or depend on the crates of another release",
            _CARGO_TOML,
        )
        return
    for rule, code, is_broken, message in (
        (
            "lock_file", Code.NO_LOCK_FILE, release.lock_file and not crate.has_lock_file,
            "there is no Cargo.lock, and the compiler builds with --frozen",
        ),
        (
            "adds_crate_type", Code.NOT_A_CDYLIB,
            "cdylib" not in crate.crate_types
            and bool(crate.crate_types or not release.adds_crate_type),
            "[lib] does not name `cdylib`, and the compiler does not add it",
        ),
        (
            "own_feature", Code.NO_PACKAGED_FEATURE, release.own_feature and not crate.is_packaged,
            "the feature `packaged` is not on by default, and the compiler does not turn it on",
        ),
        (
            "package_macro", Code.NO_PACKAGE_MACRO,
            release.package_macro and not crate.has_package_macro,
            "`package!()` is missing: the library would export no plugin",
        ),
    ):  # fmt: skip
        if is_broken:
            yield Reason(rule, code, message, CRATE_HINTS[code], _CARGO_TOML)


def _library(release: Release, library: LibraryFacts) -> Iterator[Reason]:
    if library.interface not in release.interfaces or library.os != "linux":
        yield Reason(
            "interfaces",
            Code.NOT_FOR_RUNTIME,
            f"the library is not loaded: {library.interface or 'no plugin'}, {library.os}",
            f"choose a release that loads sources: {releases_with('format', SOURCE)}",
        )


def _sizes(release: Release, sizes: Sizes) -> Iterator[Reason]:
    """Yield the limits of the release that the package exceeds, by its known sizes."""
    package, files = sizes.package, sizes.files
    if release.ratio and package and files is not None and files > release.ratio * package:
        times = -(-10 * files // package) / 10
        yield Reason(
            "ratio",
            Code.RELEASE_LIMIT,
            f"its files are {times:.1f} times as large as the package; "
            f"at most {release.ratio} times is accepted",
            "add incompressible padding, which engines ignore: --pad",
        )
    for rule, value, what, hint in (
        ("total", files, "bytes in all files", "leave out what it can fetch when it runs"),
        ("entries", sizes.entries, "members", "leave some out: `exclude` in the configuration"),
        ("upload", package, "bytes in the package", "leave out what it can fetch when it runs"),
    ):
        most = getattr(release, rule)
        if value is not None and most is not None and value > most:
            message = f"{value} {what}, at most {most} are accepted"
            yield Reason(rule, Code.RELEASE_LIMIT, message, hint)
