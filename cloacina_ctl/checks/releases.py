"""Which releases of Cloacina load a package of another generation, and why others do not.

The rules are those of ``project.runtimes``. A reason is a finding where some release has it: a
warning while another release loads the package, an error where none does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloacina_ctl.errors import Code, Diagnostic, Severity
from cloacina_ctl.formats.legacy.defaults import PYTHON, RUST
from cloacina_ctl.formats.legacy.model import Generation, SourceManifest, V1Manifest
from cloacina_ctl.releases.table import RUNTIMES, SOURCE, V1, Runtime, runtime_of_crate
from cloacina_ctl.values import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cloacina_ctl.checks.subjects import LegacySubject
    from cloacina_ctl.project.model import PythonFacts, RustFacts

_FIRST_RESOLVER = (0, 10)
_METADATA = "metadata."


class Reason(NamedTuple):
    """Why a release does not load the package; ``cure`` is what mends it."""

    code: Code
    message: str
    cure: str | None = None


def releases_that_load(subject: LegacySubject) -> tuple[str, ...]:
    """Return the releases that load the package, as far as can be told without running anything."""
    return tuple(
        runtime.name
        for runtime in _candidates(subject)
        if not any(reasons_against(runtime, subject)) and _runs_code(runtime, subject)
    )


def release_findings(subject: LegacySubject) -> Iterator[Diagnostic]:
    """Yield each reason for which some release does not load the package."""
    candidates = _candidates(subject)
    against: dict[Reason, list[str]] = {}
    for runtime in candidates:
        for reason in reasons_against(runtime, subject):
            against.setdefault(reason, []).append(runtime.name)
    refused = {name for names in against.values() for name in names}
    severity = Severity.ERROR if len(refused) == len(candidates) else Severity.WARNING
    for reason, names in against.items():
        message = f"{reason.message} ({_span(names)})"
        yield Diagnostic(reason.code, message, subject.path, reason.cure, severity)


def reasons_against(runtime: Runtime, subject: LegacySubject) -> Iterator[Reason]:
    """Yield why a release that takes this kind of file does not load this one."""
    manifest = subject.contents.manifest
    if isinstance(manifest, SourceManifest):
        yield from _keys(runtime, manifest)
        yield from _missing(runtime, manifest, subject.language)
    yield from _sizes(runtime, subject)


def _candidates(subject: LegacySubject) -> tuple[Runtime, ...]:
    """Return the releases that take this kind of file at all; none takes ``v2``."""
    formats = {Generation.V1: V1, Generation.SOURCE: SOURCE}
    wanted = formats.get(subject.contents.generation)
    return tuple(runtime for runtime in RUNTIMES if runtime.format == wanted)


def _runs_code(runtime: Runtime, subject: LegacySubject) -> bool:
    """Tell whether the release can load the code: the library, the modules, what a crate builds."""
    if isinstance(subject.contents.manifest, V1Manifest):
        plugin = subject.library.plugin if subject.library is not None else None
        return plugin is None or plugin.kind in runtime.interfaces
    source = subject.source
    if source is not None and source.python is not None:
        return _imports(runtime, source.python)
    if source is not None and source.rust is not None:
        return _builds(runtime, source.rust)
    return True


def _imports(runtime: Runtime, facts: PythonFacts) -> bool:
    names = {*facts.top_level, *facts.vendored}
    return facts.entry_path is not None and not names & runtime.shadowed_names


def _builds(runtime: Runtime, facts: RustFacts) -> bool:
    """Tell whether what the release's compiler makes of a crate is a library that it loads."""
    if runtime.lock_file and not facts.crate.has_lock_file:
        return False
    if runtime.package_macro and facts.package_macro is None:
        return False
    written_for = runtime_of_crate(facts.crate.cloacina_release)
    return written_for is None or bool(set(written_for.crates) & set(runtime.crates))


def _keys(runtime: Runtime, manifest: SourceManifest) -> Iterator[Reason]:
    """Yield keys of ``[metadata]`` that the release refuses, or does not have."""
    known = runtime.metadata_keys
    if known is None:
        return
    for key in _metadata_keys(manifest):
        if key not in known:
            yield Reason(
                Code.RELEASES_REFUSE,
                f"`{key[:80]}` under [metadata] is refused",
                "declare triggers in the code" if key == "triggers" else f"remove `{key[:80]}`",
            )


def _metadata_keys(manifest: SourceManifest) -> Iterator[str]:
    """Yield the keys under ``[metadata]`` that not every release knows."""
    if manifest.triggers is not None:
        yield "triggers"
    if manifest.package_type is not None:
        yield "package_type"
    if manifest.providers:
        yield "providers"
    for place in manifest.unknown:
        if place.startswith(_METADATA) and "." not in place[len(_METADATA) :]:
            yield place[len(_METADATA) :]


def _missing(runtime: Runtime, manifest: SourceManifest, language: str | None) -> Iterator[Reason]:
    """Yield what the release needs and the manifest leaves out."""
    if runtime.workflow_name and manifest.workflow_name is None:
        yield Reason(Code.RELEASES_REFUSE, "`workflow_name` under [metadata] is missing")
    resolves = _numbers(runtime.name) >= _FIRST_RESOLVER and language == RUST
    if not resolves:
        # The loader of Python packages is strict in every release.
        for field, place in (
            ("interface", "[package]"),
            ("interface_version", "[package]"),
            ("language", "[metadata]"),
        ):
            if getattr(manifest, field) is None:
                yield Reason(Code.RELEASES_REFUSE, f"`{field}` under {place} is missing")
        if language == PYTHON and manifest.entry_module is None:
            yield Reason(Code.RELEASES_REFUSE, "`entry_module` under [metadata] is missing")
    said = manifest.language
    if said is not None and said != said.lower():
        yield Reason(Code.RELEASES_REFUSE, f"`language` must be in lower case: {said[:80]}")
    if language is None:
        yield Reason(Code.RELEASES_REFUSE, "nothing tells the language: python or rust")
    if runtime.package_language and language == PYTHON and manifest.package_language is None:
        message = "without `language` under [package] too, the compiler takes it for Rust"
        yield Reason(Code.RELEASES_REFUSE, message)


def _sizes(runtime: Runtime, subject: LegacySubject) -> Iterator[Reason]:
    """Yield the limits of the release that the package is over."""
    contents, size = subject.contents, subject.size
    if runtime.ratio is not None and contents.size > runtime.ratio * size:
        yield Reason(
            Code.RELEASE_LIMIT,
            f"its files are {contents.size // size} times as large as the package; "
            f"at most {runtime.ratio} times is taken",
            "pack it again with --pad",
        )
    if runtime.total is not None and contents.size > runtime.total:
        yield Reason(
            Code.RELEASE_LIMIT, f"its files have {contents.size} bytes, at most {runtime.total}"
        )
    entries = len(contents.files) + len(contents.folders)
    if runtime.entries is not None and entries > runtime.entries:
        yield Reason(Code.RELEASE_LIMIT, f"{entries} members, at most {runtime.entries}")
    if runtime.upload is not None and size > runtime.upload:
        yield Reason(
            Code.RELEASE_LIMIT, f"the file has {size} bytes, at most {runtime.upload} are taken"
        )


def _span(names: list[str]) -> str:
    """Return names of releases in words; they stand in their order."""
    every = [runtime.name for runtime in RUNTIMES]
    first, last = every.index(names[0]), every.index(names[-1])
    if last - first + 1 != len(names):
        return f"Cloacina {', '.join(names)}"
    if names[-1] == every[-1]:
        return f"Cloacina {names[0]} and later"
    return f"Cloacina {names[0]}" if len(names) == 1 else f"Cloacina {names[0]} to {names[-1]}"


def _numbers(name: str) -> tuple[int, ...]:
    return tuple(map(int, name.split(".")))
